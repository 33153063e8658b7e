"""What the tests of several machines share: mpirun, a corpus of made-up speech, a tiny network.

Python's standard library alone. LULL_PROGRAM is the program, LULL_MPI "1" when it was built with MPI.
"""

import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import wave

PROGRAM = os.environ["LULL_PROGRAM"]
NETWORK = ("--sample-rate 16000 --channels 16 --layers 3 --set network.dilations=[1,2,4] "
           "--set network.look_ahead=[1,1,0] --crop-frames 8 --eval-every 10 --samples 0 -t 1 -p f32 "
           "--warm-up 1 --course constant").split()


def environment(**more):
    """Of mpirun: many ranks on few cores, by root too; ranks that wait give way."""
    values = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                  OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_mpi_yield_when_idle="1",
                  OMPI_MCA_hwloc_base_binding_policy="none", OMPI_MCA_btl_vader_single_copy_mechanism="none")
    # MPI keeps memory until the end of the process: not lull's leaks.
    values["ASAN_OPTIONS"] = "detect_leaks=0"
    values["LSAN_OPTIONS"] = "detect_leaks=0"
    values.update(more)
    return values


TCP = {"OMPI_MCA_btl": "tcp,self"}


def why_not():
    """Why nothing can be tested here, or None."""
    if os.environ.get("LULL_MPI") != "1":
        return "lull was built without MPI"
    if shutil.which("mpirun") is None:
        return "mpirun is not installed"
    return None


def voice(path, rate, seconds, number):
    noise = random.Random(number)
    count, pitch, phase, out = int(rate * seconds), 90 + 20 * number, 0.0, []
    for i in range(count):
        phase += 2 * math.pi * pitch * (1 + 0.1 * math.sin(5 * i / rate)) / rate
        level = 3000 * (0.3 + 0.7 * abs(math.sin(4 * i / rate)))
        value = level * sum(math.sin(k * phase) / k for k in (1, 2, 3, 5)) + noise.gauss(0, 50)
        out.append(int(max(-32767, min(32767, value))))
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack("<%dh" % count, *out))


def make_corpus(folder):
    os.mkdir(folder)
    for i in range(5):
        voice(os.path.join(folder, "voice%d.wav" % i), 22050 if i == 3 else 16000, 0.4 + 0.1 * i, i)


class Done:
    def __init__(self, code, err):
        self.code, self.err = code, err
        self.lines = [line for line in err.splitlines() if line.startswith("lull: ")]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lull-ranks-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.corpus = os.path.join(cls.folder, "corpus")
        make_corpus(cls.corpus)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run_words(self, words, more=None, code=0, timeout=120):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
                              env=environment(**(more or {})), timeout=timeout, stdin=subprocess.DEVNULL)
        result = Done(done.returncode, done.stderr.decode("utf-8", "replace"))
        if code is not None:
            self.assertEqual(result.code, code, result.err)
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, result.err)
        return result

    def ranks(self, n, *words, more=None, code=0):
        return self.run_words(["mpirun", "-n", str(n), PROGRAM, *words], more, code)

    def alone(self, *words, code=0):
        return self.run_words([PROGRAM, *words], None, code)

    def train(self, n, run, batch, *words, more=None, code=0, network=NETWORK):
        words = ["train", "corpus", "-o", run, "-b", str(batch), "--max-steps", "20", *network, *words]
        return self.ranks(n, *words, more=more, code=code) if n > 1 else self.alone(*words, code=code)

    def losses(self, run):
        with open(self.path(run, "log.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        return [line["loss"] for line in lines if "loss" in line]

    def assert_same_file(self, *names):
        contents = []
        for name in names:
            with open(self.path(name), "rb") as file:
                contents.append(file.read())
        for name, content in zip(names[1:], contents[1:]):
            self.assertTrue(content == contents[0], "%s and %s differ" % (names[0], name))

    def assert_same_run(self, one, other, step=20):
        for name in ("checkpoints/%07d.safetensors" % step, "model.safetensors", "log.jsonl"):
            self.assert_same_file(os.path.join(one, name), os.path.join(other, name))

    def assert_close_run(self, one, other, steps=20):
        a, b = self.losses(one), self.losses(other)
        self.assertEqual((len(a), len(b)), (steps, steps))
        for step, (x, y) in enumerate(zip(a, b), 1):
            self.assertLessEqual(abs(x - y), 1e-5 * max(1.0, abs(x)), "step %d: %r, %r" % (step, x, y))
        self.assertGreater(abs(a[0] - a[-1]), 1e-3)  # something was learnt: the comparison means something


class Background:
    """mpirun with a listener: waits for words on stderr."""

    def __init__(self, case, words):
        self.case = case
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=case.folder,
                                        env=environment(), stdin=subprocess.DEVNULL)
        case.addCleanup(self.end)
        self.err = b""

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def wait_for(self, word):
        while word.encode() not in self.err:
            piece = os.read(self.process.stderr.fileno(), 4096)
            if not piece:
                self.case.fail("ended before '%s': %s" % (word, self.err.decode()))
            self.err += piece

    def rank_ids(self):
        """Process ids of the ranks, in their order."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % name) as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                with open("/proc/%s/environ" % name, "rb") as file:
                    values = dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
            except OSError:
                continue
            if parent == self.process.pid and b"OMPI_COMM_WORLD_RANK" in values:
                found.append((int(values[b"OMPI_COMM_WORLD_RANK"]), int(name)))
        return [process for _, process in sorted(found)]

    def finish(self, timeout=60):
        end = time.monotonic() + timeout
        os.set_blocking(self.process.stderr.fileno(), False)
        while time.monotonic() < end:
            piece = self.process.stderr.read()
            if piece:
                self.err += piece
            elif piece == b"" and self.process.poll() is not None:
                return Done(self.process.returncode, self.err.decode("utf-8", "replace"))
            time.sleep(0.05)
        self.case.fail("mpirun did not end: %s" % self.err.decode())


def main():
    reason = why_not()
    if reason is not None:
        print("skipped:", reason)
        raise SystemExit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up when the time is over
    unittest.main(verbosity=2)
