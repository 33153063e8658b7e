"""lull train as a user has it: signals, two in one folder, corpora that change, limits, odd files."""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

from harness import PROGRAM, Case, npy_bytes, read_npy, wav_bytes

TINY = ["--channels", "8", "--layers", "2", "--set", "network.embedding.hidden=16", "--set",
        "network.embedding.frequencies=4", "--set", "network.conditioner.channels=8", "--sample-rate", "16000",
        "--crop-frames", "8", "-b", "2", "--samples", "0", "-t", "1", "-p", "f32"]


def tone(seconds, pitch=150.0, rate=16000):
    return [int(9000 * math.sin(6.2831853 * pitch * i / rate) * math.sin(1.5 * i / rate) ** 2)
            for i in range(int(seconds * rate))]


def float_wav(samples, rate=16000):
    data = struct.pack("<%df" % len(samples), *samples)
    head = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" +
            struct.pack("<I", len(data)) + data)


class Train(Case):
    def setUp(self):
        super().setUp()
        for i in range(6):
            self.write("corpus/%d.wav" % i, wav_bytes(tone(0.8 + 0.1 * i, 110 + 20 * i)))
        self.write("corpus/2.wav", wav_bytes(tone(1.0, 333)))

    def train(self, *words, corpus="corpus", run="run", steps=4, more=TINY):
        return self.run_lull("train", corpus, "-o", run, "--max-steps", str(steps), *more, *words, model=False)

    def resume(self, *words, run="run", steps=8):
        return self.run_lull("train", "--resume", run, "--max-steps", str(steps), *words, model=False)

    def start(self, *words, run="run"):
        process = subprocess.Popen([PROGRAM, "train", "corpus", "-o", run, "--max-steps", "1000000", *TINY, *words],
                                   cwd=self.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   # Under nohup it would stay ignored.
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(600):
            log = self.path(run, "log.jsonl")
            if os.path.exists(log) and os.path.getsize(log) > 200:
                return process
            time.sleep(0.05)
        self.fail("the training does not begin")

    def end(self, process):
        _, err = process.communicate(timeout=60)
        return process.returncode, err.decode("utf-8", "replace")

    def steps(self, run="run"):
        lines = self.read(run + "/log.jsonl").decode().splitlines()
        return [json.loads(line)["step"] for line in lines if '"loss"' in line]


class Ends(Train):
    def test_a_hang_up_is_a_wish_to_stop(self):
        process = self.start()
        process.send_signal(signal.SIGHUP)
        code, err = self.end(process)
        self.assertEqual(code, 0, err)
        self.assertIn("checkpoint written", err)
        self.assertIn("--resume run", err)
        self.assertEqual(len(os.listdir(self.path("run", "checkpoints"))), 1)
        self.assertFalse(os.path.exists(self.path("run", "lock")))

    def test_nohup_is_kept(self):
        process = subprocess.Popen(["nohup", PROGRAM, "train", "corpus", "-o", "run", "--max-steps", "1000000", *TINY],
                                   cwd=self.folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        log = self.path("run", "log.jsonl")
        for _ in range(600):
            if os.path.exists(log) and os.path.getsize(log) > 200:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        size = os.path.getsize(log)
        for _ in range(600):
            if os.path.getsize(log) > size:
                break
            time.sleep(0.05)
        self.assertIsNone(process.poll())
        self.assertGreater(os.path.getsize(log), size)

    def test_a_second_training_is_told_of_the_first(self):
        process = self.start()
        for done in (self.train(), self.resume()):
            self.assertEqual(done.code, 1)
            self.assertIn("process %d on %s" % (process.pid, os.uname().nodename), done.err)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process)[0], 0)
        steps = self.steps()
        self.assertEqual(steps, list(range(1, len(steps) + 1)))
        process = self.start(run="other")
        process.kill()  # its lock goes with it
        process.wait()
        self.assertEqual(self.resume(run="other", steps=3).code, 0)

    def test_a_used_up_limit_is_said(self):
        self.assertEqual(self.train().code, 0)
        done = self.run_lull("train", "--resume", "run", model=False)
        self.assertEqual(done.code, 0)
        self.assertIn("nothing to do: the run has its 4 steps", done.err)
        self.assertIn("--max-steps", done.err)


class Pairs(Train):
    """Mels that are blurred and late, with their recordings."""

    def setUp(self):
        super().setUp()
        lines = []
        for i in range(6):
            done = self.run_lull("mel", "-c", "hifigan", "--rate", "16000", "corpus/%d.wav" % i, "-o", "m%d.npy" % i,
                                 model=False)
            self.assertEqual(done.code, 0, done.err)
            (bands, n), values = read_npy(self.path("m%d.npy" % i))
            late = [values[b * n + f] if f >= 3 else values[b * n + 3] for b in range(bands) for f in range(3, n)]
            n -= 3
            blurred = [sum(late[b * n + min(max(f + d, 0), n - 1)] for d in (-1, 0, 1)) / 3
                       for b in range(bands) for f in range(n)]
            self.write("m%d.npy" % i, npy_bytes([bands, n], blurred))
            lines.append("m%d.npy|corpus/%d.wav\n" % (i, i))
        self.write("list.txt", "".join(lines).encode())

    def test_a_postnet_of_pairs(self):
        more = ["--max-steps", "5", *TINY]
        self.assertEqual(self.run_lull("train", "corpus", "-o", "base", *more, model=False).code, 0)
        words = ["train", "--pairs", "list.txt", "--part", "postnet", "--init", "base/model.safetensors", "-o", "run",
                 "--set", "network.postnet.channels=4", "--crop-frames", "12", "--rate", "2e-2", "--warm-up", "5",
                 "--samples", "0", "-t", "2", "--ema", "0.9", "--valid", "corpus", "--eval-every", "20", "--degrade",
                 "1"]
        done = self.run_lull(*words, "--max-steps", "120", model=False, timeout=300)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("the mels 3 to 3 frames behind", done.err)
        losses = [json.loads(line)["loss"] for line in self.read("run/log.jsonl").decode().splitlines()
                  if '"loss"' in line]
        self.assertLess(sum(losses[-20:]), 0.9 * sum(losses[:20]))
        self.assertEqual(self.resume(steps=123).code, 0)
        self.assertEqual(self.steps()[-1], 123)
        self.assertIn("pairs", json.loads(self.read("run/config.json"))["training"])
        said = self.assert_fine(self.run_lull("info", "run/model.safetensors", model=False)).out.decode()
        for words in "denoiser: 5 steps of ", "postnet: 123 steps of ":
            self.assertIn(words, said)
        self.assertNotIn("{", said)

    def test_a_denoiser_of_pairs(self):
        done = self.run_lull("train", "--pairs", "list.txt", "-o", "run", "--max-steps", "3", *TINY, model=False)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.steps(), [1, 2, 3])

    def test_refusals(self):
        for words in (["corpus", "--pairs", "list.txt"], ["--resume", "run", "--pairs", "list.txt"]):
            self.assertEqual(self.run_lull("train", *words, "-o", "run", model=False).code, 2)
        self.write("list.txt", b"m0.npy|nowhere.wav\n")
        done = self.run_lull("train", "--pairs", "list.txt", "-o", "run", *TINY, model=False)
        self.assertEqual(done.code, 1)
        self.assertIn("nowhere.wav", done.err)


class Corpora(Train):
    def test_changes_are_said_and_accepted(self):
        self.assertEqual(self.train().code, 0)
        self.assertEqual(self.resume(steps=5).code, 0)
        os.utime(self.path("corpus", "0.wav"), (1, 1))  # the same recording
        self.assertEqual(self.resume(steps=6).code, 0)
        os.remove(self.path("corpus", "3.wav"))
        self.write("corpus/2.wav", wav_bytes(tone(1.1, 210)))
        self.write("corpus/new.wav", wav_bytes(tone(1.1, 310)))
        done = self.resume()
        self.assertEqual(done.code, 1)
        for words in ("1 removed (3.wav)", "1 changed (2.wav)", "1 added (new.wav)", "--accept-changes"):
            self.assertIn(words, done.err)
        self.assertEqual(self.steps()[-1], 6)
        self.assertEqual(self.resume("--accept-changes").code, 0)
        self.assertEqual(self.steps()[-1], 8)
        self.assertEqual(self.resume(steps=9).code, 0)

    def test_a_moved_corpus(self):
        self.assertEqual(self.train().code, 0)
        shutil.move(self.path("corpus"), self.path("elsewhere"))
        done = self.resume()
        self.assertEqual(done.code, 1)
        self.assertIn("--corpus", done.err)
        self.assertEqual(self.resume("--corpus", "elsewhere").code, 0)
        self.assertEqual(self.resume(steps=9).code, 0)  # it is the run's now
        self.assertEqual(self.run_lull("train", "corpus", "--corpus", "x", model=False).code, 2)

    def test_cut_off_or_deleted_midway(self):
        for what in ("cut", "deleted"):
            process = self.start("--cache", "0", run=what)
            for name in os.listdir(self.path("corpus")):
                if what == "cut":
                    os.truncate(self.path("corpus", name), 3000)
                else:
                    os.remove(self.path("corpus", name))
            code, err = self.end(process)
            self.assertEqual(code, 1)
            self.assertIn("checkpoint written", err)
            self.assertIn(".wav", err)
            self.assertEqual(len(os.listdir(self.path(what, "checkpoints"))), 1)
            self.setUp_again()

    def setUp_again(self):
        for i in range(6):
            self.write("corpus/%d.wav" % i, wav_bytes(tone(0.8 + 0.1 * i, 110 + 20 * i)))

    def test_a_short_log_goes_on_from_its_last_line(self):
        self.assertEqual(self.train().code, 0)
        log = self.path("run", "log.jsonl")
        os.truncate(log, os.path.getsize(log) - 20)
        done = self.resume()
        self.assertEqual(done.code, 0)
        self.assertIn("log.jsonl", done.err)
        data = self.read("run/log.jsonl")
        self.assertNotIn(b"\0", data)
        for line in data.splitlines():
            json.loads(line)
        self.assertEqual(self.steps()[-1], 8)

    def test_linked_folders_are_walked_once(self):
        for i in range(8):
            os.makedirs(self.path("web", str(i)))
            self.write("web/%d/a.wav" % i, wav_bytes(tone(0.8 + 0.05 * i)))
        for i in range(8):
            for k in range(8):
                os.symlink("../%d" % k, self.path("web", str(i), "to%d" % k))
        self.write("beside.wav", wav_bytes(tone(2)))
        os.symlink("..", self.path("web", "up"))
        os.mkdir(self.path("linked"))
        self.write("linked/b.wav", wav_bytes(tone(1)))
        os.symlink("../linked", self.path("web", "in"))
        os.symlink("../linked", self.path("web", "in-too"))
        done = self.train("--set", "name=x", corpus="web")
        self.assertEqual(done.code, 0)
        names = [line.split(b",")[0] for line in self.read("run/corpus.txt").splitlines()]
        self.assertTrue(set(names) <= {b"%d/a.wav" % i for i in range(8)} | {b"in/b.wav"})
        self.assertIn("of 9 files", done.err)

    def test_a_part_is_for_the_mels_of_its_model(self):
        done = self.train(steps=1)
        self.assertEqual(done.code, 0, done.err)
        for words in (["--sample-rate", "24000"], ["-c", "vocos-24k"]):
            done = self.run_lull("train", "corpus", "-o", "part", "--part", "postnet", "--init", "run/model.safetensors",
                                 "--max-steps", "1", *words, model=False)
            self.assertNotEqual(done.code, 0)
            self.assertIn("run/model.safetensors reads mels of 'hifigan' at", done.err)

    def test_wrong_settings_say_where_the_right_ones_are(self):
        done = self.train("--set", "network.chanels=9")
        self.assertEqual(done.code, 2)
        self.assertIn("--set network.chanels=9: there is no 'network.chanels'; 'lull train --set help' lists all", done.err)

    def test_odd_files_are_named_and_left_out(self):
        folder = os.fsencode(self.path("corpus"))
        with open(os.path.join(folder, b"caf\xe9.wav"), "wb") as file:
            file.write(wav_bytes([0] * 16000))
        self.write("corpus/loud.wav", float_wav([1e20 * math.sin(i / 20) for i in range(16000)]))
        self.write("corpus/nan.wav", float_wav([0.5 * math.sin(i / 20) for i in range(15000)] + [math.nan] * 1000))
        for done in (self.train(), self.resume()):
            self.assertEqual(done.code, 0)
            text = self.read("run/left-out.txt").decode("utf-8")
            self.assertIn("caf\\xe9.wav: silent", text)
            self.assertIn("loud.wav: its loudest sample is 1e+20", text)
            self.assertIn("nan.wav", text)
            self.assertEqual(text.count("silent"), 1)
        self.read("run/corpus-index.json").decode("utf-8", "surrogateescape")

    def test_the_only_recording_is_for_validation(self):
        self.write("one/r73.wav", wav_bytes(tone(1.0)))  # as its name decides
        done = self.train(corpus="one")
        self.assert_fails(done, "one: ", "validation side", "--valid")

    def test_samples_without_a_validation_folder(self):
        shutil.rmtree(self.path("corpus"))
        self.write("corpus/one.wav", wav_bytes(tone(1.5)))
        more = list(TINY)
        more[more.index("--samples") + 1] = "2"
        done = self.train(more=more)
        self.assertEqual(done.code, 0)
        self.assertIn("no validation", done.err)
        self.assertEqual(sorted(os.listdir(self.path("run", "samples"))), ["0000004-1.wav", "reference-1.wav"])


if __name__ == "__main__":
    unittest.main()
