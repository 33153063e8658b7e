"""lull synth on several machines, which here are processes: the same files as on one, failures, what is skipped."""

import os
import shutil
import signal
import struct
import time

import several
from several import PROGRAM, TCP, Background, Case

MODEL = os.path.join(os.environ["LULL_SOURCE"], "models", "lull-bootstrap-16k.safetensors")
BANDS = 80
FAST = ["-m", MODEL, "-n", "1", "-p", "f32"]


def write_mel(path, frames, first=0):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (BANDS, frames)
    header += " " * (-(11 + len(header)) % 64) + "\n"
    values = [-6 + 4 * ((b * 7 + (f + first) // 4 * 3) % 11) / 11 for b in range(BANDS) for f in range(frames)]
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack("<%df" % len(values), *values))


class Synth(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.inputs = os.path.join(cls.folder, "in")
        os.mkdir(cls.inputs)
        for i, frames in enumerate((12, 60, 17, 30, 25)):
            write_mel(os.path.join(cls.inputs, "mel%d.npy" % i), frames, i)
        shutil.copy(os.path.join(cls.corpus, "voice0.wav"), cls.inputs)
        cls.names = sorted(["mel%d.wav" % i for i in range(5)] + ["voice0.wav"])

    def setUp(self):
        self.out = "out-" + self.id().rsplit(".", 1)[1]
        os.mkdir(self.path(self.out))

    def assert_same_folder(self, one, other):
        self.assertEqual(sorted(os.listdir(self.path(one))), sorted(os.listdir(self.path(other))))
        for name in os.listdir(self.path(one)):
            self.assert_same_file(os.path.join(one, name), os.path.join(other, name))

    def test_the_same_files_as_alone(self):
        os.mkdir(self.path("alone"))
        self.alone("synth", *FAST, "in", "-o", "alone")
        self.assertEqual(sorted(os.listdir(self.path("alone"))), self.names)
        done = self.ranks(2, "synth", *FAST, "in", "-o", self.out)
        self.assert_same_folder("alone", self.out)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertIn("6 of 6 files done", done.lines[0])
        shutil.rmtree(self.path(self.out))
        os.mkdir(self.path(self.out))
        self.ranks(3, "synth", *FAST, "-j", "2", "in", "-o", self.out, more=TCP)
        self.assert_same_folder("alone", self.out)

    def test_failed_files_are_named_and_the_rest_is_done(self):
        shutil.copytree(self.inputs, self.path("broken"))
        for name, size in (("mel1.npy", 64), ("voice0.wav", 30)):  # inside their headers
            with open(self.path("broken", name), "r+b") as file:
                file.truncate(size)
        done = self.ranks(2, "synth", *FAST, "broken", "-o", self.out, code=None)
        self.assertEqual(done.code, 1, done.err)
        self.assertEqual(len(done.lines), 3, done.err)
        self.assertEqual(sum("broken/mel1.npy" in line for line in done.lines), 1)
        self.assertEqual(sum("broken/voice0.wav" in line for line in done.lines), 1)
        self.assertEqual(sum("4 of 6 files done" in line for line in done.lines), 1)
        self.assertEqual(sorted(os.listdir(self.path(self.out))), ["mel0.wav", "mel2.wav", "mel3.wav", "mel4.wav"])
        # What is there is not done again; what failed is tried again.
        times = {name: os.stat(self.path(self.out, name)).st_mtime_ns for name in os.listdir(self.path(self.out))}
        shutil.copy(os.path.join(self.inputs, "mel1.npy"), self.path("broken"))
        done = self.ranks(3, "synth", *FAST, "broken", "-o", self.out, "--skip-existing", code=None)
        self.assertEqual(done.code, 1, done.err)
        self.assertIn("1 of 6 files done (those that exist skipped)", done.err)
        self.assertTrue(os.path.exists(self.path(self.out, "mel1.wav")))
        for name, when in times.items():
            self.assertEqual(os.stat(self.path(self.out, name)).st_mtime_ns, when, name)

    def test_a_killed_rank_leaves_whole_files(self):
        os.mkdir(self.path("many"))
        for i in range(24):
            write_mel(self.path("many", "mel%02d.npy" % i), 40 + i % 7, i)
        mpirun = Background(self, ["mpirun", "-n", "2", PROGRAM, "synth", "-m", MODEL, "-p", "f32", "-n", "6", "many",
                                   "-o", self.out])
        end = time.monotonic() + 60
        while len([n for n in os.listdir(self.path(self.out)) if n[0] != "."]) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        ranks = mpirun.rank_ids()
        self.assertEqual(len(ranks), 2)
        os.kill(ranks[1], signal.SIGKILL)
        done = mpirun.finish()
        self.assertNotEqual(done.code, 0)
        before = [name for name in os.listdir(self.path(self.out)) if name[0] != "."]
        self.assertGreaterEqual(len(before), 3)
        self.assertLess(len(before), 24)
        self.ranks(2, "synth", "-m", MODEL, "-p", "f32", "-n", "6", "many", "-o", self.out, "--skip-existing")
        os.mkdir(self.path("one"))
        self.alone("synth", "-m", MODEL, "-p", "f32", "-n", "6", "many", "-o", "one")
        for name in os.listdir(self.path("one")):
            self.assert_same_file(os.path.join("one", name), os.path.join(self.out, name))

    def test_refused(self):
        done = self.run_words(["mpirun", "-n", "1", PROGRAM, "synth", *FAST, "in", "-o", self.out, ":",
                               "-n", "1", PROGRAM, "synth", *FAST, "--seed", "2", "in", "-o", self.out], code=None)
        self.assertNotEqual(done.code, 0)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertIn("rank 1", done.lines[0])
        self.assertIn("another command line", done.lines[0])
        done = self.ranks(2, "synth", *FAST, "nothing", "-o", self.out, code=None)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertEqual(os.listdir(self.path(self.out)), [])


if __name__ == "__main__":
    several.main()
