"""What the tests of the program share: running it, arrays and recordings to feed it, checks of how it fails.

Python's standard library alone. The environment gives LULL_PROGRAM, LULL_SOURCE and LULL_GOLDENS.
"""

import array
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import wave

PROGRAM = os.environ["LULL_PROGRAM"]
SOURCE = os.environ["LULL_SOURCE"]
GOLDENS = os.environ["LULL_GOLDENS"]
# The tests' own model is small, reads mels of 16 kHz, and stays when the shipped one is replaced.
MODEL = os.path.join(SOURCE, "models", "lull-bootstrap-16k.safetensors")
SHIPPED = os.path.join(SOURCE, "models", "lull-speech-22k.safetensors")
MEL = os.path.join(GOLDENS, "mel", "mel_hifigan_16000.npy")
RECORDING = os.path.join(GOLDENS, "mel", "speech_16000.wav")
BANDS = 80
HOP = 256
CODES = {"<f4": "f", "<f8": "d", ">f4": "f", "<i4": "i", "<f2": "e"}


def read_npy(path):
    """(shape, values in C order) of a float32 array."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY", path
    size = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + size].decode(), {"__builtins__": {}}, {"False": False, "True": True})
    values = array.array("f", data[10 + size:])
    shape = header["shape"]
    if header["fortran_order"] and len(shape) == 2:
        rows, columns = shape
        values = array.array("f", (values[c * rows + r] for r in range(rows) for c in range(columns)))
    return shape, values


def npy_bytes(shape, values, descr="<f4", fortran=False, version=1):
    """A .npy file; values are in the order of the file."""
    header = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (descr, fortran, tuple(shape))
    prefix = 10 if version == 1 else 12
    header += " " * (-(prefix + len(header) + 1) % 64) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    order = ">" if descr[0] == ">" else "<"
    body = struct.pack("%s%d%s" % (order, len(values), CODES[descr]), *values)
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + body


def speech_frames(count, first=20):
    """count frames of real speech: a list of lists of BANDS floats."""
    (bands, n), values = read_npy(MEL)
    assert bands == BANDS and first + count <= n
    return [[values[b * n + f] for b in range(BANDS)] for f in range(first, first + count)]


def changed_model(change):
    """The shipped model's bytes, its configuration changed by change(config)."""
    with open(SHIPPED, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, tensors = json.loads(file.read(size)), file.read()
    config = json.loads(header["__metadata__"]["lull"])
    change(config)
    header["__metadata__"]["lull"] = json.dumps(config)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + tensors


def postnet_off_in_low_latency(config):
    config["synthesis"]["postnet"].update(live=True, low_latency=False)


def bands_first(frames):
    return [frame[b] for b in range(BANDS) for frame in frames]


def loud_later():
    """Speech for longer than a stream's frames are looked at, then the same 35 dB louder."""
    return speech_frames(70) + [[value + 4 for value in frame] for frame in speech_frames(70)]


def frames_first(frames):
    return [value for frame in frames for value in frame]


def mel_bytes(frames):
    return npy_bytes([BANDS, len(frames)], bands_first(frames))


def wav_bytes(samples, rate=16000, channels=1):
    """A PCM16 WAV file of integers."""
    with tempfile.TemporaryFile() as file:
        with wave.open(file, "wb") as writer:
            writer.setnchannels(channels)
            writer.setsampwidth(2)
            writer.setframerate(rate)
            writer.writeframes(struct.pack("<%dh" % len(samples), *samples))
        file.seek(0)
        return file.read()


class Result:
    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err.decode("utf-8", "replace")


class Case(unittest.TestCase):
    """A test with its own folder, in which the program runs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lull-cli-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def files(self):
        """Every file below the test's folder, hidden ones too."""
        found = []
        for folder, _, names in os.walk(self.folder):
            found += [os.path.relpath(os.path.join(folder, name), self.folder) for name in names]
        return sorted(found)

    def run_lull(self, *words, stdin=b"", model=True, timeout=120, **more):
        environment = dict(os.environ)
        environment.pop("LULL_MODEL", None)
        if model:
            environment["LULL_MODEL"] = MODEL
        environment.update(more.pop("env", {}))
        more.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run([PROGRAM, *words], input=stdin, stderr=subprocess.PIPE, cwd=self.folder,
                              env=environment, timeout=timeout, **more)
        return Result(done.returncode, done.stdout, done.stderr)

    def assert_fine(self, result):
        self.assertEqual(result.code, 0, result.err)
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, result.err)
        return result

    def assert_fails(self, result, *words, code=1):
        """The exit code, one line on stderr that holds the words, nothing on stdout."""
        self.assertEqual(result.code, code, result.err)
        lines = result.err.splitlines()
        self.assertEqual(len(lines), 1, result.err)
        self.assertTrue(lines[0].startswith("lull: "), lines[0])
        for word in words:
            self.assertIn(word.lower(), lines[0].lower())
        self.assertFalse(result.out, result.out)
        return lines[0]

    def assert_same(self, one, other, message=None):
        """assertEqual without the bytes in the message."""
        self.assertTrue(one == other, message or "not the same bytes")

    def assert_other(self, one, other, message=None):
        self.assertTrue(one != other, message or "the same bytes")

    def wav(self, name):
        """(parameters, PCM16 samples) of a WAV file."""
        with wave.open(self.path(name), "rb") as reader:
            return reader.getparams(), array.array("h", reader.readframes(reader.getnframes()))


def main():
    unittest.main(verbosity=1, argv=sys.argv[:1])
