#!/usr/bin/env python3
"""A client of lull serve: a .npy mel spectrogram to a WAV file. Python's standard library alone.

    lull serve --socket /tmp/lull.socket &
    serve_client.py /tmp/lull.socket mel.npy out.wav
    serve_client.py 127.0.0.1:5500 mel.npy out.wav --seed 3 --low-latency

The protocol is in docs/serve.md. It has no word for the convention of a mel: the server's --convention is that of all its
streams, so what NAME.npy.json beside an array says (lull mel writes it) is compared with the server's rate, hop and bands.
"""
import argparse
import array
import ast
import json
import os
import socket
import struct
import sys
import threading
import wave

FRAMES, END, SAMPLES, ERROR = 1, 2, 3, 4


def read_mel(path):
    """Rows of a float32 .npy array [bands, frames], as a list of columns."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise SystemExit(f"{path}: not a .npy file")
        major = file.read(2)[0]
        size = struct.unpack("<H" if major == 1 else "<I", file.read(2 if major == 1 else 4))[0]
        header = ast.literal_eval(file.read(size).decode("latin-1"))
        values = array.array("f", file.read())
    shape = [n for n in header["shape"] if n != 1]
    if header["descr"] != "<f4" or len(shape) != 2:
        raise SystemExit(f"{path}: expected float32 [bands, frames], found {header}")
    bands, frames = shape
    if header["fortran_order"]:
        return bands, [values[f * bands:(f + 1) * bands] for f in range(frames)]
    return bands, [array.array("f", (values[b * frames + f] for b in range(bands))) for f in range(frames)]


def check_convention(path, rate, hop, bands):
    """The array's own words, where there are any, against the server's."""
    beside = path + ".json"
    if not os.path.exists(beside):
        return
    with open(beside, encoding="utf-8") as file:
        said = json.load(file)
    found = [said.get(name, ours) for name, ours in (("sample_rate", rate), ("hop", hop), ("bands", bands))]
    if found != [rate, hop, bands]:
        raise SystemExit(f"{path}: of '{said.get('convention')}' ({found[0]} Hz, hop {found[1]}, {found[2]} bands), but the server "
                         f"reads {rate} Hz, hop {hop}, {bands} bands: start it with lull serve --convention "
                         f"{said.get('convention')}")


def connect(address):
    if "/" not in address and ":" in address:
        host, port = address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    return connection


def receive(connection, size):
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise SystemExit("the server closed the stream")
        data += piece
    return bytes(data)


def fail(payload):
    status, = struct.unpack_from("<I", payload)
    raise SystemExit(f"the server says: {payload[4:].decode('utf-8', 'replace')} (status {status})")


def greet(connection, bands, options):
    """Hello and welcome; gives (rate, hop, latency in samples, frames in a message)."""
    connection.sendall(struct.pack("<4sHHIIQIiiI", b"LULL", 1, 40, bands, int(options.low_latency),
                                   options.seed, options.steps, -1, -1, 0))
    start = receive(connection, 8)
    if start[:4] != b"LULL":
        fail(receive(connection, struct.unpack("<II", start)[1]))
    rate, hop, _, latency, most, _ = struct.unpack("<IIIIII", receive(connection, 24))
    return rate, hop, latency, most


def send_all(connection, frames):
    try:
        for frame in frames:  # one by one, as a text-to-speech program would
            data = frame.tobytes()
            connection.sendall(struct.pack("<II", FRAMES, len(data)) + data)
        connection.sendall(struct.pack("<II", END, 0))
    except OSError:
        pass  # the server closed: the receiving side knows why


def main():
    parser = argparse.ArgumentParser(description="a .npy mel spectrogram to a WAV file, through lull serve")
    parser.add_argument("address", help="path of a socket, or HOST:PORT")
    parser.add_argument("mel")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--low-latency", action="store_true")
    options = parser.parse_args()
    bands, frames = read_mel(options.mel)
    with connect(options.address) as connection:
        rate, hop, latency, _ = greet(connection, bands, options)
        check_convention(options.mel, rate, hop, bands)
        # Sending and receiving side by side: the server makes a client wait that only sends.
        sender = threading.Thread(target=send_all, args=(connection, frames), daemon=True)
        sender.start()
        samples = array.array("f")
        while True:
            kind, size = struct.unpack("<II", receive(connection, 8))
            payload = receive(connection, size)
            if kind == ERROR:
                fail(payload)
            if kind == END:
                break
            samples.frombytes(payload)
        sender.join()
    with wave.open(options.out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h",
                                     *(max(-32768, min(32767, round(32768 * x))) for x in samples)))
    print(f"{len(samples) / rate:.2f} s, latency {1000 * latency / rate:.0f} ms", file=sys.stderr)


if __name__ == "__main__":
    main()
