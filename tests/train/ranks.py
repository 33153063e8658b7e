"""Training on several machines, which here are processes: as one, faults, refusals."""

import os
import shutil
import signal
import subprocess
import time

import several
from several import NETWORK, PROGRAM, TCP, Background, Case


class AsOne(Case):
    def test_two_and_three_ranks_train_as_one(self):
        self.train(1, "one", 6)
        self.train(2, "two", 3)
        self.train(3, "three", 2)
        self.assert_close_run("one", "two")
        self.assert_close_run("one", "three")

    def test_the_same_bits_again_and_over_tcp(self):
        for n, batch in ((2, 3), (3, 2)):
            shared, tcp = "shared%d" % n, "tcp%d" % n
            self.train(n, shared, batch)
            done = self.train(n, tcp, batch, more=TCP)
            self.assert_same_run(shared, tcp)
            self.assertIn("%d ranks exchanged" % n, done.err)

    def test_accumulated_batches(self):
        self.train(1, "large", 8)
        self.train(2, "parts", 2, "--accumulate", "2")
        self.assert_close_run("large", "parts")

    def test_threads_change_nothing(self):
        """Parts of the gradient are announced from other threads, in another order."""
        self.train(2, "single", 6, "-t", "1")
        self.train(2, "threads", 6, "-t", "3")
        self.assert_same_run("single", "threads")

    def test_another_number_of_ranks_goes_on(self):
        self.train(1, "whole", 6)
        self.train(2, "changing", 3, "--max-steps", "10")
        self.ranks(3, "train", "--resume", "changing", "-b", "2", "--max-steps", "15")
        self.alone("train", "--resume", "changing", "-b", "6", "--max-steps", "20")
        self.assert_close_run("whole", "changing")

    def test_only_the_first_rank_writes(self):
        for name in ("here", "there"):
            os.mkdir(self.path(name))
        words = [PROGRAM, "train", self.corpus, "-o", "run", "-b", "1", "--max-steps", "4", *NETWORK]
        self.run_words(["mpirun", "-n", "1", "-wdir", self.path("here"), *words, ":",
                        "-n", "1", "-wdir", self.path("there"), *words])
        self.assertTrue(os.path.exists(self.path("here", "run", "model.safetensors")))
        self.assertEqual(os.listdir(self.path("there")), [])
        # Nor need they see the run to go on with it.
        words = [PROGRAM, "train", "--resume", "run", "--max-steps", "6"]
        done = self.run_words(["mpirun", "-n", "1", "-wdir", self.path("here"), *words, ":",
                               "-n", "1", "-wdir", self.path("there"), *words])
        self.assertEqual(done.err.count("resuming after step 4"), 1)
        self.assertEqual(os.listdir(self.path("there")), [])


class Faults(Case):
    def start(self, run, steps="400"):
        return Background(self, ["mpirun", "-n", "2", PROGRAM, "train", "corpus", "-o", run, "-b", "2", "--max-steps",
                                 steps, "--checkpoint-every", "5", *NETWORK])

    def uninterrupted(self, run, step):
        self.ranks(2, "train", "corpus", "-o", run, "-b", "2", "--max-steps", str(step), "--checkpoint-every", "5",
                   *NETWORK)

    def newest(self, run):
        return max(int(name[:7]) for name in os.listdir(self.path(run, "checkpoints")) if name[0] != ".")

    def killed(self, victim):
        run = "killed%d" % victim
        mpirun = self.start(run)
        mpirun.wait_for("step 10: checkpoint written")
        ranks = mpirun.rank_ids()
        self.assertEqual(len(ranks), 2)
        os.kill(ranks[victim], signal.SIGKILL)
        done = mpirun.finish(30)
        self.assertNotEqual(done.code, 0)
        lines = [line for line in done.err.splitlines() if "rank %d" % victim in line and "signal 9" in line]
        self.assertEqual(len(lines), 1, done.err)
        for process in ranks:
            self.assertFalse(os.path.exists("/proc/%d/exe" % process) and
                             os.readlink("/proc/%d/exe" % process) == PROGRAM, "rank %d lives on" % process)
        step = self.newest(run)
        self.assertGreaterEqual(step, 10)
        goal = str(step + 7)
        self.ranks(2, "train", "--resume", run, "--max-steps", goal)
        self.uninterrupted("never%d" % victim, goal)
        self.assert_same_run(run, "never%d" % victim, step + 7)

    def test_a_killed_rank_ends_the_run_and_resuming_changes_no_bit(self):
        self.killed(1)

    def test_the_first_rank_killed(self):
        self.killed(0)

    def test_stopped_by_a_signal_to_mpirun(self):
        mpirun = self.start("stopped")
        mpirun.wait_for("step 5: checkpoint written")
        mpirun.process.send_signal(signal.SIGUSR1)
        done = mpirun.finish()
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertIn("stopped after step", done.lines[0])
        step = self.newest("stopped")
        self.assertIn("stopped after step %d;" % step, done.lines[0])
        goal = str(step + 6)
        self.ranks(2, "train", "--resume", "stopped", "--max-steps", goal)
        self.uninterrupted("on", goal)
        self.assert_same_run("stopped", "on", step + 6)

    def test_a_recording_that_vanishes(self):
        os.mkdir(self.path("own"))
        for name in os.listdir(self.corpus):
            shutil.copy(os.path.join(self.corpus, name), self.path("own"))
        mpirun = Background(self, ["mpirun", "-n", "2", PROGRAM, "train", "own", "-o", "lost", "-b", "2", "--max-steps",
                                   "100000", "--checkpoint-every", "5", "--cache", "0", *NETWORK])
        mpirun.wait_for("step 5: checkpoint written")
        shutil.rmtree(self.path("own"))
        done = mpirun.finish()
        self.assertNotEqual(done.code, 0)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertIn("own/voice", done.lines[0])


class Refused(Case):
    def refused(self, first, second, *words):
        run = ["-o", "refused", "-b", "1", "--max-steps", "3", *NETWORK]
        done = self.run_words(["mpirun", "-n", "1", *first, *run, ":", "-n", "1", *second, *run], code=None)
        self.assertNotEqual(done.code, 0)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertTrue(done.lines[0].startswith("lull: rank 1 ("), done.lines[0])
        for word in words:
            self.assertIn(word, done.lines[0])
        self.assertNotIn("time:", done.err)  # the line before the first step
        self.assertFalse(os.path.exists(self.path("refused", "log.jsonl")))
        shutil.rmtree(self.path("refused"), True)

    def test_a_corpus_that_a_rank_cannot_see(self):
        self.refused([PROGRAM, "train", "corpus"], [PROGRAM, "train", "elsewhere"], "elsewhere: cannot be opened")

    def test_another_corpus(self):
        """The same path, but what is mounted there is not the same."""
        for name in ("here", "there"):
            os.makedirs(self.path(name))
            shutil.copytree(self.corpus, self.path(name, "corpus"))
        os.unlink(self.path("there", "corpus", "voice1.wav"))
        # Relative to the root of a view of its own: a link that only one rank's folder has otherwise.
        if shutil.which("unshare") is None or subprocess.run(
                ["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no mount namespaces here")
        os.mkdir(self.path("mounted"))
        self.refused([self.view("here"), self.path("mounted")], [self.view("there"), self.path("mounted")],
                     "another corpus", "voice")

    def view(self, name):
        """A program that sees NAME/corpus at mounted/."""
        path = self.path("lull-" + name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s %s && exec %s train \"$@\"' sh \"$@\"\n"
                       % (self.path(name, "corpus"), self.path("mounted"), PROGRAM))
        os.chmod(path, 0o755)
        return path

    def test_another_configuration(self):
        self.refused([PROGRAM, "train", "corpus"], [PROGRAM, "train", "corpus", "--rate", "0.5"],
                     "another configuration", '"rate": 0.5 here')

    def test_another_build(self):
        other = self.path("lull")
        shutil.copy(PROGRAM, other)
        with open(other, "ab") as file:
            file.write(b"another")
        module = os.path.join(os.path.dirname(PROGRAM), "..", "ranks", "lull-mpi.so")  # it finds none beside itself
        self.refused([PROGRAM, "train", "corpus"],
                     ["env", "LULL_MPI_MODULE=" + module, other, "train", "corpus"], "another build")

    def test_new_and_resumed(self):
        done = self.run_words(["mpirun", "-n", "1", PROGRAM, "train", "corpus", "-o", "new", *NETWORK, ":",
                               "-n", "1", PROGRAM, "train", "--resume", "old"], code=None)
        self.assertNotEqual(done.code, 0)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertIn("rank 1", done.lines[0])


class Loading(Case):
    def test_plain_starts_do_not_load_mpi(self):
        done = subprocess.run(["ldd", PROGRAM], stdout=subprocess.PIPE, check=True)
        self.assertNotIn(b"libmpi", done.stdout)

    def test_a_world_of_one(self):
        """mpirun -n 1, and a module that is not there: nothing of MPI is needed."""
        self.run_words(["mpirun", "-n", "1", PROGRAM, "train", "corpus", "-o", "single", "-b", "2", "--max-steps", "3",
                        *NETWORK], {"LULL_MPI_MODULE": "/nonexistent"})

    def test_a_module_that_cannot_be_loaded(self):
        done = self.ranks(2, "train", "corpus", "-o", "none", *NETWORK,
                          more={"LULL_MPI_MODULE": "/nonexistent/module.so"}, code=None)
        self.assertNotEqual(done.code, 0)
        self.assertTrue(done.lines and "MPI cannot be loaded: /nonexistent/module.so" in done.lines[0], done.err)


if __name__ == "__main__":
    several.main()
