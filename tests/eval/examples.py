"""examples/: each is built with every warning, run, and gives what the program gives."""

import array
import math
import os
import re
import subprocess
import sys
import unittest
import wave

import harness
from harness import BANDS, HOP, MODEL, RECORDING, SOURCE, Case, frames_first, mel_bytes, speech_frames

LIBRARY = os.environ["LULL_LIBRARY"]
EXAMPLES = os.path.join(SOURCE, "examples")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1"]


@unittest.skipIf(os.environ.get("LULL_SANITIZE", "none") != "none", "the examples are not built with sanitizers")
class Examples(Case):
    def build(self, compiler, name, *flags):
        program = self.path("program")
        with open(os.path.join(EXAMPLES, name)) as file:  # the libraries that its own line of building names
            own = re.findall(r" (-l\w+)", re.search(r"\n(?: \*|//) +(cc|c\+\+) .*", file.read()).group())
        done = subprocess.run([*compiler.split(), *STRICT, *flags, "-I", os.path.join(SOURCE, "include"),
                               os.path.join(EXAMPLES, name), "-o", program, LIBRARY, *own,
                               "-Wl,-rpath," + os.path.dirname(LIBRARY)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return program

    def run_example(self, *words, stdin=b"", code=0):
        done = subprocess.run(words, input=stdin, capture_output=True, cwd=self.folder, timeout=120,
                              env=dict(os.environ, LULL_LIBRARY=LIBRARY))
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done

    def assert_close(self, name, other, most=1):
        (params, a), (_, b) = self.wav(name), self.wav(other)
        self.assertEqual((params.framerate, len(a)), (16000, len(b)))
        self.assertLessEqual(max(abs(x - y) for x, y in zip(a, b)), most)

    def test_copy_synthesis(self):
        program = self.build(os.environ.get("CC", "cc"), "copy_synthesis.c", "-std=c11")
        # Whole hops: the program keeps the last part of one.
        with wave.open(RECORDING) as file, wave.open(self.path("whole.wav"), "wb") as whole:
            whole.setparams(file.getparams())
            whole.writeframes(file.readframes(file.getnframes() // 256 * 256))
        self.run_example(program, MODEL, "whole.wav", "out.wav")
        self.assert_fine(self.run_lull("synth", "whole.wav", "-o", "program.wav"))
        self.assert_close("out.wav", "program.wav")
        for words, says in (((MODEL, "none.wav"), b"none.wav cannot be opened"), ((MODEL, MODEL), b"is not a WAV file"),
                            (("none", RECORDING), b"none")):
            self.assertIn(says, self.run_example(program, *words, "bad.wav", code=1).stderr)
        self.run_example(program, code=2)

    def test_callback(self):
        """A host of three threads and a ring gives the samples of the program."""
        program = self.build(os.environ.get("CC", "cc"), "callback.c", "-std=c11", "-lpthread")
        samples = array.array("f", [0.3 * math.sin(0.05 * i) * (1 + math.sin(0.001 * i)) for i in range(20000)])
        done = self.run_example(program, MODEL, stdin=samples.tobytes())
        self.assertRegex(done.stderr.decode(), r"ms of latency")
        self.assertEqual(len(done.stdout) % (4 * HOP), 0)
        self.assertGreaterEqual(len(done.stdout), 4 * (20000 - 2 * HOP))
        self.assertIn(b"none", self.run_example(program, "none", code=1).stderr)
        self.run_example(program, code=2)

    def test_stream(self):
        program = self.build(os.environ.get("CXX", "c++"), "stream.cpp", "-std=c++11")
        frames = array.array("f", frames_first(speech_frames(30))).tobytes()
        done = self.run_example(program, MODEL, stdin=frames)
        self.assertRegex(done.stderr.decode(), r"^first sound after \d+ frames")
        self.assertEqual(len(done.stdout), 4 * 30 * HOP)
        program_out = self.assert_fine(self.run_lull("synth", "-", "-o", "-", "--low-latency", stdin=frames)).out
        self.assert_same(done.stdout, program_out)
        self.assertIn(b"none", self.run_example(program, "none", code=1).stderr)


if __name__ == "__main__":
    harness.main()
