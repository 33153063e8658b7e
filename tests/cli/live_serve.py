"""lull serve: many clients at once get what synth writes; clients that break the rules harm nobody but themselves.

Python's standard library alone.
"""
import array
import contextlib
import os
import random
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import unittest
import wave

import harness
from harness import BANDS, HOP, Case

FRAMES, END, SAMPLES, ERROR = 1, 2, 3, 4
HELLO = "<4sHHIIQIiiI"


def hello(bands=BANDS, flags=0, seed=0, steps=1, refine=-1, window=-1, magic=b"LULL", version=1, size=40):
    return struct.pack(HELLO, magic, version, size, bands, flags, seed, steps, refine, window, 0)


def message(kind, payload=b""):
    return struct.pack("<II", kind, len(payload)) + payload


class Client:
    """A client that keeps the rules; raises ServerError with what the server says."""

    def __init__(self, address, first=None, timeout=60):
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if first is not None:
            self.socket.sendall(first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def welcome(self):
        """(rate, hop, bands, latency, frames in a message)"""
        start = self.receive(8)
        if start[:4] != b"LULL":
            kind, size = struct.unpack("<II", start)
            assert kind == ERROR, start
            raise ServerError(self.receive(size))
        return struct.unpack("<IIIIII", self.receive(24))[:5]

    def next(self):
        kind, size = struct.unpack("<II", self.receive(8))
        payload = self.receive(size)
        if kind == ERROR:
            raise ServerError(payload)
        return kind, payload

    def rest(self):
        """All samples to the end, as bytes; and the socket is then closed by the server."""
        samples = b""
        while True:
            kind, payload = self.next()
            if kind == END:
                assert self.socket.recv(1) == b""
                return samples
            samples += payload

    def synthesize(self, frames, pieces=16):
        sender = threading.Thread(target=self.send, args=(frames, pieces))
        sender.start()
        samples = self.rest()
        sender.join()
        return samples

    def send(self, frames, pieces):
        for i in range(0, len(frames), pieces):
            self.socket.sendall(message(FRAMES, raw(frames[i:i + pieces])))
        self.socket.sendall(message(END))


class ServerError(Exception):
    def __init__(self, payload):
        self.status, = struct.unpack_from("<I", payload)
        super().__init__(payload[4:].decode())


def raw(frames):
    return array.array("f", harness.frames_first(frames)).tobytes()


class Serve(Case):
    def start(self, *options, listen=False):
        self.address = self.path("socket")
        environment = dict(os.environ, LULL_MODEL=harness.MODEL)
        self.log = open(self.path("log"), "w+b")
        words = ["--listen", "127.0.0.1:0"] if listen else []
        self.server = subprocess.Popen([harness.PROGRAM, "serve", "--socket", self.address, *words, *options],
                                       stdout=self.log, stderr=self.log, env=environment)
        self.addCleanup(self.stop)
        self.wait_for(lambda: self.said().count("serving") == 1 + listen)

    def said(self):
        with open(self.path("log")) as file:
            return file.read()

    def wait_for(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            self.assertIsNone(self.server.poll(), "the server ended: " + self.said())
            self.assertLess(time.monotonic(), end, "in vain: " + self.said())
            time.sleep(0.02)

    def stop(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
        code = self.server.wait(30)
        self.log.close()
        self.assertNotIn("Sanitizer", self.said())
        self.assertEqual(code, 0, self.said())
        self.assertFalse(os.path.exists(self.address))

    def synth(self, frames, *options):
        return self.assert_fine(self.run_lull("synth", "-", "-o", "-", "-n", "1", "-q", *(() if "-l" in options else ("--live",)), *options,
                                              stdin=raw(frames))).out

    def assert_refused(self, first, *words):
        """A client whose bytes are answered with an ERROR that holds the words."""
        with Client(self.address) as client:
            try:
                client.socket.sendall(first)
            except OSError:
                pass
            with self.assertRaises(ServerError) as caught:
                client.welcome()
                client.rest()
            for word in words:
                self.assertIn(word, str(caught.exception))
            self.assertEqual(client.socket.recv(1), b"")
        return caught.exception

    def assert_serves(self):
        """The server is as it was."""
        frames = harness.speech_frames(12)
        with Client(self.address, hello()) as client:
            client.welcome()
            self.assertEqual(client.synthesize(frames), self.synth(frames))


class Streams(Serve):
    def test_same_as_synth(self):
        """Seeds, pieces, both kinds of socket."""
        frames = harness.speech_frames(40)
        self.start(listen=True)
        port = int(self.said().split("127.0.0.1:")[1].split()[0])
        self.assertEqual(stat.S_IMODE(os.stat(self.address).st_mode), 0o600)
        for seed in (0, 2 ** 63 + 5):
            wanted = self.synth(frames, "-s", str(seed))
            for pieces in (1, 7, 40):
                for address in (self.address, ("127.0.0.1", port)):
                    with Client(address, hello(seed=seed)) as client:
                        rate, hop, bands, latency, most = client.welcome()
                        self.assertEqual((rate, hop, bands), (16000, HOP, BANDS))
                        self.assertGreaterEqual(most, 40)
                        self.assertEqual(client.synthesize(frames, pieces), wanted)

    def test_options_of_the_hello(self):
        frames = harness.speech_frames(20)
        self.start()
        for words, fields in ((["-n", "2"], {"steps": 2}), (["-r", "0"], {"refine": 0}),
                              (["-r", "2", "--refine-window", "3"], {"refine": 2, "window": 3}),
                              (["-l"], {"flags": 1})):
            with Client(self.address, hello(**fields)) as client:
                client.welcome()
                self.assertEqual(client.synthesize(frames), self.synth(frames, *words))

    def test_latency(self):
        """n frames give n × hop − latency samples before the end, as the welcome says."""
        self.start()
        frames = harness.speech_frames(50)
        with Client(self.address, hello()) as client:
            latency = client.welcome()[3]
            client.socket.sendall(message(FRAMES, raw(frames)))
            have = 0
            while have < 4 * (50 * HOP - latency):
                kind, payload = client.next()
                self.assertEqual(kind, SAMPLES)
                have += len(payload)
            self.assertEqual(have, 4 * (50 * HOP - latency))
            client.socket.settimeout(0.3)
            with self.assertRaises(socket.timeout):
                client.socket.recv(1)
            client.socket.settimeout(30)
            client.socket.shutdown(socket.SHUT_WR)  # means END
            self.assertEqual(have + len(client.rest()), 4 * 50 * HOP)

    def test_sixty_four_at_once(self):
        frames = harness.speech_frames(10)
        wanted = {seed: self.synth(frames, "-s", str(seed)) for seed in range(4)}
        self.start("--max-clients", "64")
        clients = [Client(self.address, hello(seed=i % 4), timeout=100) for i in range(64)]
        for client in clients:
            client.welcome()
        with self.assertRaises(ServerError) as caught, Client(self.address, hello()) as one_more:
            one_more.welcome()
        self.assertIn("full", str(caught.exception))
        results = [None] * 64

        def run(i):
            results[i] = clients[i].synthesize(frames, 3)
        threads = [threading.Thread(target=run, args=(i,)) for i in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, client in enumerate(clients):
            client.socket.close()
            self.assertEqual(results[i], wanted[i % 4], i)
        self.assert_serves()

    def test_examples(self):
        frames = harness.speech_frames(30)
        mel = self.write("mel.npy", harness.mel_bytes(frames))
        self.start()
        done = subprocess.run([sys.executable, os.path.join(harness.SOURCE, "examples", "serve_client.py"),
                               self.address, mel, self.path("out.wav"), "--seed", "5", "--steps", "1"],
                              stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_fine(self.run_lull("synth", mel, "-n", "1", "-s", "5", "-o", "wanted.wav", "--live"))
        with wave.open(self.path("out.wav")) as out, wave.open(self.path("wanted.wav")) as wanted:
            self.assertEqual(out.getparams(), wanted.getparams())
            self.assertEqual(out.readframes(1 << 24), wanted.readframes(1 << 24))
        # The server's model reads 16 kHz: what says that it has another rate is refused, and not played too slow.
        for name, code in (("weasels-16k.npy", 0), ("weasels-22k.npy", 1)):
            done = subprocess.run([sys.executable, os.path.join(harness.SOURCE, "examples", "serve_client.py"), self.address,
                                   os.path.join(harness.SOURCE, "audio_samples", name), self.path(name + ".wav"), "--steps", "1"],
                                  stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(os.path.exists(self.path(name + ".wav")), code == 0)
        self.assertIn(b"lull serve --convention hifigan-22k", done.stderr)
        if "SERVE_CLIENT" in os.environ:
            done = subprocess.run([os.environ["SERVE_CLIENT"], self.address, "7"], input=raw(frames),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            wanted = self.run_lull("synth", "-", "-o", "-", "-s", "7", "-q", "--live", stdin=raw(frames)).out
            self.assertEqual(done.stdout, wanted)
        environment = dict(os.environ, LULL_MODEL=harness.MODEL,
                           PATH=os.path.dirname(harness.PROGRAM) + ":" + os.environ["PATH"])
        done = subprocess.run([sys.executable, os.path.join(harness.SOURCE, "examples", "feed_frames.py"),
                               mel, "synth", "-", "-o", "-", "-n", "1", "-q"], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, self.synth(frames))


class Hostile(Serve):
    def test_bad_hellos(self):
        self.start("--max-steps", "4")
        self.assert_refused(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", "hello", "47 45 54 20")
        self.assert_refused(hello(version=2), "version 2")
        self.assert_refused(hello(size=41), "41 bytes")
        self.assert_refused(hello(flags=6), "flags 0x6")
        self.assert_refused(hello(bands=79), "79", "80")
        self.assert_refused(hello(steps=5), "5 steps", "allows 4")
        self.assert_refused(hello(steps=2 ** 32 - 1), "steps")
        self.assert_refused(hello(refine=65), "65")
        self.assert_refused(hello(refine=-2))
        self.assert_refused(hello(window=2 ** 31 - 1), "allows 64")
        self.assert_refused(hello(window=-7))
        self.assert_refused(hello()[:-4] + b"\1\0\0\0", "last field")
        self.assert_serves()

    def test_bad_messages(self):
        self.start()
        frames = harness.speech_frames(4)
        nan = list(frames[0])
        nan[3] = float("nan")
        first = hello()
        self.assert_refused(first + struct.pack("<II", FRAMES, 2 ** 32 - 320 + 64), "FRAMES")
        self.assert_refused(first + struct.pack("<II", FRAMES, 320 * 257), "257", "256")
        self.assert_refused(first + struct.pack("<II", FRAMES, 319), "319", "320")
        self.assert_refused(first + struct.pack("<II", FRAMES, 0), "0 bytes")
        self.assert_refused(first + struct.pack("<II", SAMPLES, 320), "type 3")
        self.assert_refused(first + struct.pack("<II", END, 4), "END")
        self.assert_refused(first + message(FRAMES, raw([frames[0], nan])), "NaN")
        unit = [[0.5 + 0.001 * b for b in range(BANDS)] for _ in range(64)]
        self.assert_refused(first + message(FRAMES, raw(unit)))
        self.assert_serves()

    def test_random_bytes(self):
        self.start("--max-clients", "64", "--hello-timeout", "2", "--idle-timeout", "2")
        for number in range(40):
            source = random.Random(number)
            first = hello() if number % 2 else b""
            with Client(self.address) as client:
                try:
                    client.socket.sendall(first + source.randbytes(source.randrange(1, 5000)))
                    client.socket.shutdown(socket.SHUT_WR)
                    while client.socket.recv(65536):
                        pass
                except OSError:
                    pass
        self.assert_serves()

    def test_flipped_bits(self):
        """A good stream with one bit turned: an answer or sound, and never the end of the server."""
        self.start("--max-clients", "64", "--idle-timeout", "2", "--hello-timeout", "2")
        good = hello() + message(FRAMES, raw(harness.speech_frames(3))) + message(END)
        source = random.Random(1)
        for bit in [*range(0, 48 * 8, 5), *source.sample(range(48 * 8, len(good) * 8), 20)]:
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            with Client(self.address) as client:
                try:
                    client.socket.sendall(bad)
                    client.socket.shutdown(socket.SHUT_WR)
                    while client.socket.recv(65536):
                        pass
                except OSError:
                    pass
        self.assert_serves()

    def test_silent_and_slow(self):
        """Who says nothing, little, or takes nothing is closed in time; others are served meanwhile."""
        self.start("--hello-timeout", "1", "--idle-timeout", "1.5", "--send-timeout", "1.5")
        begun = time.monotonic()
        silent = Client(self.address)
        idle = Client(self.address, hello())
        idle.welcome()
        deaf = Client(self.address, hello())
        deaf.welcome()
        dripping = Client(self.address, hello())
        dripping.welcome()

        def drip():
            try:
                for byte in message(FRAMES, raw(harness.speech_frames(1))):
                    dripping.socket.sendall(bytes([byte]))
                    time.sleep(0.1)
            except OSError:
                pass

        def shout():
            try:
                frames = raw(harness.speech_frames(60))
                for _ in range(400):
                    deaf.socket.sendall(message(FRAMES, frames))
            except OSError:
                pass
        threads = [threading.Thread(target=drip), threading.Thread(target=shout)]
        for thread in threads:
            thread.start()
        self.assert_serves()
        for client, words in ((silent, "no hello"), (idle, "no whole message"), (dripping, "no whole message")):
            with client, self.assertRaises(ServerError) as caught:
                if client is silent:
                    client.welcome()
                client.next()
            self.assertIn(words, str(caught.exception))
        self.assertLess(time.monotonic() - begun, 15)
        threads[1].join(40)
        self.assertFalse(threads[1].is_alive(), "a client that takes nothing was not closed")
        deaf.socket.close()
        threads[0].join()
        self.wait_for(lambda: self.said().count("client ") >= 4)
        self.assertIn("took nothing", self.said())
        self.assert_serves()

    def test_half_of_sixty_four(self):
        """32 streams come out right beside 32 clients that are silent, slow, deaf, random or oversized; those are closed."""
        frames = harness.speech_frames(8)
        wanted = {seed: self.synth(frames, "-s", str(seed)) for seed in range(4)}
        self.start("--max-clients", "64", "--hello-timeout", "4", "--idle-timeout", "4", "--send-timeout", "4")
        dice = random.Random(6)
        oversized = hello() + struct.pack("<II", FRAMES, 2 ** 32 - 4)
        kinds = [b"", hello()[:20], oversized, dice.randbytes(3000), hello() + dice.randbytes(3000)]
        bad = [Client(self.address, kinds[i % len(kinds)], timeout=120) for i in range(25)]
        slow = [Client(self.address, timeout=120) for _ in range(5)]
        deaf = [Client(self.address, hello(), timeout=120) for _ in range(2)]
        for client in deaf:
            client.socket.setblocking(False)
        shouted = message(FRAMES, raw(harness.speech_frames(60)))
        ended = threading.Event()

        def pester():
            drops = hello()
            for at in range(10 ** 6):
                for client in deaf + slow:
                    try:
                        client.socket.send(shouted if client in deaf else drops[at % len(drops):][:1])
                    except OSError:
                        pass
                if ended.wait(0.2):
                    return
        pesterer = threading.Thread(target=pester)
        pesterer.start()
        whole = message(FRAMES, raw(frames)) + message(END)
        good = [Client(self.address, hello(seed=i % 4) + whole, timeout=120) for i in range(32)]
        for i, client in enumerate(good):
            with client:
                client.welcome()
                self.assertEqual(client.rest(), wanted[i % 4], i)
        for client in bad + slow:  # each is closed, with or without a word
            with client, contextlib.suppress(ConnectionError):
                while client.socket.recv(65536):
                    pass
        ended.set()
        pesterer.join()
        for client in deaf:
            client.socket.close()
        self.assert_serves()

    def test_vanishing(self):
        """Clients that go away in the middle, and one that only connects."""
        self.start()
        for cut in (0, 17, 40, 44, 200, 40 + 8 + 320 * 30 + 3):
            stream = hello() + message(FRAMES, raw(harness.speech_frames(30))) * 2
            with Client(self.address, stream[:cut]):
                pass
        self.assert_serves()

    def test_limits(self):
        self.start("--max-seconds", "0.5", "--max-clients", "1")
        frames = raw(harness.speech_frames(32))  # 0.512 s
        self.assertIn("longer", str(self.assert_refused(hello() + message(FRAMES, frames))))
        self.wait_for(lambda: "client 1" in self.said())
        time.sleep(0.2)
        with Client(self.address, hello()) as first:
            first.welcome()
            with Client(self.address, hello()) as second, self.assertRaises(ServerError) as caught:
                second.welcome()
            self.assertIn("full", str(caught.exception))
            few = harness.speech_frames(8)
            self.assertEqual(first.synthesize(few), self.synth(few))
        self.assert_serves()  # at once: the place is free when the stream has ended

    def test_what_the_frames_are_is_said(self):
        """Frames that become far too loud end their stream, but for --force; padding and near silence are told of."""
        loud = harness.loud_later()
        self.start()
        with Client(self.address, hello()) as client, self.assertRaises(ServerError) as caught:
            client.welcome()
            client.synthesize(loud)
        self.assertIn("beyond full scale", str(caught.exception))
        padded = harness.speech_frames(70) + [[0.0] * BANDS] * 30
        with Client(self.address, hello()) as client:
            client.welcome()
            client.synthesize(padded)
        self.wait_for(lambda: "client 2: 30 of 100 frames" in self.said())
        self.stop()
        self.start("--force")
        with Client(self.address, hello()) as client:
            client.welcome()
            self.assertEqual(len(client.synthesize(loud)), 4 * HOP * len(loud))

    def test_memory_stays_flat(self):
        """A client that sends without reading is made to wait; 200 streams leave nothing behind."""
        self.start("--send-timeout", "3")

        def resident():
            with open(f"/proc/{self.server.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        frames = harness.speech_frames(2)
        for _ in range(40):
            with Client(self.address, hello(refine=0)) as client:
                client.welcome()
                client.synthesize(frames)
        before = resident()
        for _ in range(160):
            with Client(self.address, hello(refine=0)) as client:
                client.welcome()
                client.synthesize(frames)
        # AddressSanitizer keeps what was freed for a while, on purpose.
        if os.environ.get("LULL_SANITIZE", "none") == "none":
            self.assertLess(resident() - before, 8 << 20)


class Server(Serve):
    def test_socket_file(self):
        """A stale socket is replaced; a live one and other files are not."""
        stale = self.path("socket")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(stale)
        self.start()
        self.assert_fails(self.run_lull("serve", "--socket", self.address), "another server")
        self.assert_serves()
        self.write("file", b"precious")
        self.assert_fails(self.run_lull("serve", "--socket", self.path("file")), "not a socket")
        self.assertEqual(self.read("file"), b"precious")
        self.assert_fails(self.run_lull("serve", "--socket", "x" * 200), "path")
        self.assert_fails(self.run_lull("serve", "--socket", "no/such/folder"), "no/such/folder")

    def test_addresses(self):
        self.assert_fails(self.run_lull("serve"), "--socket", code=2)
        for address in ("0.0.0.0:0", "[::]:0"):
            self.assert_fails(self.run_lull("serve", "--listen", address), "--allow-remote")
        self.assert_fails(self.run_lull("serve", "--listen", "nonsense"), "ADDRESS:PORT")
        self.assert_fails(self.run_lull("serve", "--listen", "127.0.0.1:99999999"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            taken.listen()
            port = taken.getsockname()[1]
            self.assert_fails(self.run_lull("serve", "--listen", f"127.0.0.1:{port}"), "in use")

    def test_shutdown(self):
        """SIGTERM: clients are told, the socket is gone, the exit code is 0 (see stop)."""
        self.start()
        with Client(self.address, hello()) as client:
            client.welcome()
            self.server.send_signal(signal.SIGTERM)
            with self.assertRaises(ServerError) as caught:
                client.next()
            self.assertIn("shutting down", str(caught.exception))
        self.assertEqual(self.server.wait(20), 0)


if __name__ == "__main__":
    unittest.main(verbosity=1)
