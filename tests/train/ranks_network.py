"""Training between two network namespaces: TCP over a link of its own, also a slow one and one that breaks."""

import os
import subprocess

import several
from machines import Machines
from several import NETWORK, PROGRAM, Background, Case


class Network(Case):
    def machines(self, **how):
        machines = Machines(**how)
        self.addCleanup(machines.close)
        return machines

    def train_on(self, machines, run, *words):
        words = ["train", "corpus", "-o", run, "-b", "3", "--max-steps", "20", *NETWORK, *words]
        return self.run_words(machines.mpirun(PROGRAM, *words))

    def test_two_machines_give_the_bits_of_one_with_two_ranks(self):
        machines = self.machines()
        self.train(2, "local", 3)
        before = machines.bytes_sent()
        done = self.train_on(machines, "apart")
        self.assert_same_run("local", "apart")
        self.assertIn("2 ranks exchanged", done.err)
        # The gradients went over the link: 20 steps of the size that the run itself states.
        size = float(done.err.split("2 ranks exchanged ")[1].split()[0]) * 1e6
        self.assertGreater(machines.bytes_sent() - before, 20 * size / 2)

    def test_delay(self):
        machines = self.machines(delay=0.005)
        self.assertGreater(machines.round_trip(), 0.009)
        print("link:", machines.how, flush=True)
        self.train(2, "near", 3)
        self.train_on(machines, "far")
        self.assert_same_run("near", "far")

    def test_refusals_name_the_machine(self):
        machines = self.machines()
        run = ["-o", "refused", *NETWORK]
        words = machines.mpirun()
        at = words.index("-n")
        # One program a machine: mpirun -n 1 --host A … : -n 1 --host B …
        first, rest = words[:at], words[at + 4:]
        done = self.run_words(first + ["-n", "1", "--host", machines.addresses[0] + ":1", *rest, PROGRAM, "train", "corpus",
                                       *run, ":", "-n", "1", "--host", machines.addresses[1] + ":1", PROGRAM, "train",
                                       "nowhere", *run], code=None)
        self.assertNotEqual(done.code, 0)
        self.assertEqual(len(done.lines), 1, done.err)
        self.assertTrue(done.lines[0].startswith("lull: rank 1 (lull-b): nowhere"), done.lines[0])

    def test_a_link_that_breaks(self):
        machines = self.machines()
        mpirun = Background(self, machines.mpirun(PROGRAM, "train", "corpus", "-o", "cut", "-b", "2", "--max-steps",
                                                  "100000", "--checkpoint-every", "5", *NETWORK))
        mpirun.wait_for("step 10: checkpoint written")
        # The other side's processes are killed and the link with them, as when a machine loses power.
        ids = subprocess.run(["ip", "netns", "pids", machines.names[1]], stdout=subprocess.PIPE, check=True)
        subprocess.run(["ip", "-n", machines.names[1], "link", "set", machines.devices[1], "down"], check=True)
        for process in ids.stdout.split():
            try:
                os.kill(int(process), 9)
            except ProcessLookupError:
                pass
        done = mpirun.finish()
        self.assertNotEqual(done.code, 0)
        step = max(int(n[:7]) for n in os.listdir(self.path("cut", "checkpoints")) if n[0] != ".")
        self.ranks(2, "train", "--resume", "cut", "--max-steps", str(step + 4))
        self.ranks(2, "train", "corpus", "-o", "whole", "-b", "2", "--max-steps", str(step + 4), "--checkpoint-every",
                   "5", *NETWORK)
        self.assert_same_run("cut", "whole", step + 4)


if __name__ == "__main__":
    if several.why_not() is None and Machines.why_not() is not None:
        print("skipped:", Machines.why_not())
        raise SystemExit(77)
    several.main()
