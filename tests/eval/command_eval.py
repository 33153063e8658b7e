"""lull eval: pairs, folders, copies of a corpus; tables, CSV, JSON; the page in a browser."""

import csv
import io
import json
import os
import re
import subprocess
import unittest

import browser
import harness
from harness import MODEL, RECORDING, SOURCE, Case, wav_bytes

SAMPLES = os.path.join(SOURCE, "audio_samples")


def chirp(count, rate, gain=8000):
    """A voice-like buzz whose pitch rises."""
    phase, out = 0.0, []
    for i in range(count):
        phase += (100 + 40 * i / count) / rate
        out.append(int(gain * (2 * (phase % 1) - 1)))
    return out


class Pairs(Case):
    def setUp(self):
        super().setUp()
        with open(RECORDING, "rb") as file:
            self.speech = file.read()
        for name in ("one", "sub/two", "sub/three"):
            self.write("ref/%s.wav" % name, self.speech)
        self.write("out/one.wav", self.speech)
        self.write("out/sub/two.wav", wav_bytes(self.quieter()))

    def quieter(self):
        return [s // 2 for s in memoryview(self.speech[44:]).cast("h")]

    def scores(self, *words):
        return json.loads(self.assert_fine(self.run_lull("eval", "--json", *words)).out)["output"]

    def test_what_is_not_there_is_said(self):
        for words in ((RECORDING, "nope"), ("nope", RECORDING), (os.path.dirname(RECORDING), "nope")):
            self.assert_fails(self.run_lull("eval", *words, model=False), "nope", "No such file")

    def test_identical_files(self):
        found = self.scores(RECORDING, RECORDING)
        for name, value in found["files"][0].items():
            if name not in ("folder", "name", "seconds", "estoi", "modulation", "modulation_reference"):
                self.assertEqual(value, 0, name)
        self.assertAlmostEqual(found["files"][0]["estoi"], 1, 4)

    def test_folders(self):
        result = self.assert_fine(self.run_lull("eval", "ref", "out", "--json"))
        self.assertIn("1 of the 3 recordings of ref", result.err)
        found = json.loads(result.out)["output"]
        self.assertEqual([(f["folder"], f["name"]) for f in found["files"]], [("", "one.wav"), ("sub", "two.wav")])
        self.assertEqual(sorted(found["folders"]), ["", "sub"])
        self.assertAlmostEqual(found["folders"]["sub"]["level_db"]["mean"], -6.02, 1)
        self.assertAlmostEqual(found["mean"]["level_db"]["mean"], -3.01, 1)
        for voice in found["folders"].values():
            self.assertAlmostEqual(voice["modulation_ratio"], 1, 2)
            for score in ("f0_cents", "voicing", "modulation", "modulation_reference"):
                self.assertEqual(voice[score]["files"], 1)
        self.assertEqual(found["mean"]["mcd"]["files"], 2)

    def test_what_cannot_be_read_is_left_out(self):
        self.write("out/sub/three.wav", b"this is not a recording")
        os.mkfifo(self.path("ref", "pipe.wav"))
        result = self.assert_fine(self.run_lull("eval", "ref", "out", "--json", timeout=60))
        self.assertIn("left out: cannot read 'out/sub/three.wav'", result.err)
        self.assertEqual(len(json.loads(result.out)["output"]["files"]), 2)
        self.write("none/one.wav", b"nor is this")
        self.assert_fails(self.run_lull("eval", "ref", "none", "-q"), "none", "could be scored")

    def test_csv(self):
        out = self.assert_fine(self.run_lull("eval", "ref", "out", "--csv", "-q")).out.decode()
        rows = list(csv.DictReader(io.StringIO(out)))
        self.assertEqual([row["name"] for row in rows], ["one.wav", "two.wav"])
        self.assertAlmostEqual(float(rows[1]["level_db"]), -6.02, 1)

    def test_table(self):
        result = self.assert_fine(self.run_lull("eval", "ref", "out", "--files"))
        text = result.out.decode()
        for word in ("one.wav", "two.wav", "2 files", "MCD dB", "ESTOI", "sub/", "±"):
            self.assertIn(word, text)
        self.assertNotIn("nan", text)

    def test_rates_and_lengths_are_reconciled_and_said(self):
        self.write("low.wav", wav_bytes(chirp(8000, 8000), 8000))
        self.write("high.wav", wav_bytes(chirp(48000, 24000), 24000))
        found = self.scores("high.wav", "low.wav")["files"][0]
        self.assertEqual(found["remark"], "24000 and 8000 Hz: compared at 8000 Hz; 2.00 and 1.00 s long: the shorter "
                         "is compared")
        self.assertAlmostEqual(found["seconds"], 1, 3)
        out = self.assert_fine(self.run_lull("eval", "high.wav", "low.wav", "--files")).out.decode()
        self.assertIn(found["remark"], out)

    def test_silence_and_noise_have_no_pitch(self):
        self.write("silence.wav", wav_bytes([0] * 16000))
        found = self.scores(RECORDING, "silence.wav")["files"][0]
        self.assertIsNone(found["f0_cents"])
        self.assertIsNone(found["level_db"])
        out = self.assert_fine(self.run_lull("eval", RECORDING, "silence.wav", "--html", "page.html")).out.decode()
        self.assertRegex(out, r"(?m)^F0 cents +-$")
        self.assertNotIn("nan", out)
        self.assertNotIn(b">nan", self.read("page.html"))

    def test_wrong_usage(self):
        for words in ((), ("ref",), ("ref", "out", "more"), ("--corpus", "ref", "a", "b")):
            self.assert_fails(self.run_lull("eval", *words), code=2)

    def test_failures(self):
        os.mkdir(self.path("empty"))
        self.write("short.wav", wav_bytes([1] * 100))
        self.write("other/name.wav", self.speech)
        for words, says in ((("ref", "ref/one.wav"), "two files or two folders"), (("none", "none"), "none"),
                            (("ref", "empty"), "no recordings"), (("short.wav", "short.wav"), "512"),
                            (("ref", "other"), "no file of other"),
                            (("ref/one.wav", "ref/one.wav", "--html", "no/page.html"), "no/page.html")):
            self.assert_fails(self.run_lull("eval", *words), says)


class Corpus(Case):
    def test_copies_are_scored_beside_baselines(self):
        self.write("corpus/a/one.wav", wav_bytes(chirp(8000, 16000)))
        self.write("corpus/b/two.wav", wav_bytes(chirp(8000, 16000, 3000)))
        self.write("corpus/b/zero.wav", b"no recording")
        result = self.assert_fine(self.run_lull("eval", MODEL, "--corpus", "corpus", "--noise", "--griffin-lim", "8",
                                                "--json", "-o", "kept", model=False))
        self.assertIn("zero.wav", result.err)
        found = json.loads(result.out)
        self.assertEqual(sorted(found), ["griffin-lim", "lull", "noise"])
        for system, scores in found.items():
            self.assertEqual(len(scores["files"]), 2)
            self.assertGreater(scores["mean"]["real_time_factor"], 0)
            self.assertLess(abs(scores["mean"]["level_db"]["mean"]), 3)
            for name in ("a/one.wav", "b/two.wav"):
                self.assertEqual(self.wav(os.path.join("kept", system, name))[0].framerate, 16000)
        # The kept files are what was scored (rounded to 16 bits).
        again = json.loads(self.run_lull("eval", "corpus/a", "kept/lull/a", "--json").out)["output"]["files"][0]
        self.assertAlmostEqual(again["mcd"], found["lull"]["files"][0]["mcd"], 2)
        limited = self.assert_fine(self.run_lull("eval", "--corpus", "corpus", "--limit", "1", "--csv", "--griffin-lim",
                                                 "0", "--mel", "smoothed", "-q"))
        self.assertEqual([line.split(",")[2] for line in limited.out.decode().splitlines()[1:]], ["one.wav", "two.wav"])


class Page(Case):
    def make(self, *words):
        self.assert_fine(self.run_lull("eval", *words, "--html", "page.html", "-q"))
        return self.read("page.html").decode()

    def pair(self):
        with open(RECORDING, "rb") as file:
            speech = file.read()
        for name in ("a & <b>", "two", "three"):
            self.write("ref/%s.wav" % name, speech)
            self.write("out/%s.wav" % name, wav_bytes([s // 2 for s in memoryview(speech[44:]).cast("h")]))
        return "ref", "out", "--html-files", "2"

    def test_nothing_beside_it(self):
        page = self.make(*self.pair())
        self.assertNotIn("http", re.sub(r"base64,[^\"]*", "", page))
        for address in re.findall(r"(?:src|href)=\"(.{0,16})", page):
            self.assertRegex(address, r"^data:")
        self.assertEqual(page.count("data:audio/wav"), 4)
        self.assertEqual(page.count("data:image/png"), 6)
        self.assertIn("a &amp; &lt;b&gt;.wav", page)
        self.assertNotIn("<b>", page)
        self.assertLess(len(page), 2000000)

    def test_pitch_and_pulses_of_every_pair_and_voice(self):
        with open(RECORDING, "rb") as file:
            speech = file.read()
        samples = memoryview(speech[44:]).cast("h")
        random = 1
        noisy = []
        for s in samples:
            random = (1664525 * random + 1013904223) % 2 ** 32
            noisy.append(max(-32768, min(32767, s + (random >> 16) // 50 - 655)))
        for voice, out in (("anna", speech), ("ben", wav_bytes(noisy))):
            self.write("ref/%s/one.wav" % voice, speech)
            self.write("out/%s/one.wav" % voice, out)
        page = self.make("ref", "out")
        found = json.loads(self.assert_fine(self.run_lull("eval", "ref", "out", "--json")).out)["output"]["files"]
        text = re.sub(r"<[^>]*>", " ", re.sub(r"base64,[^\"]*", "", page))
        for row in found:
            self.assertIn("F0 cents %.3g" % row["f0_cents"], text)
            self.assertIn("voicing %% %.3g" % row["voicing"], text)
            self.assertIn("HF mod. %.3g (reference %.3g)" % (row["modulation"], row["modulation_reference"]), text)
        self.assertLess(found[1]["modulation"], 0.8 * found[0]["modulation"])
        # A line a voice: its means, and the ratio.
        table = re.search(r'<table id="voices">(.*?)</table>', page, re.S).group(1)
        lines = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in re.findall(r"<tr>(.*?)</tr>", table, re.S)][1:]
        self.assertEqual([line[0] for line in lines], ["anna", "ben"])
        for line, row in zip(lines, found):
            for at, score in ((2, "f0_cents"), (4, "voicing"), (5, "modulation_reference"), (6, "modulation")):
                self.assertEqual(line[at], "%.3f" % row[score])
            self.assertAlmostEqual(float(line[7]), row["modulation"] / row["modulation_reference"], 2)
        self.assertNotIn('id="voices"', self.make("ref/anna", "out/anna", "--force"))

    def test_no_pictures_wanted(self):
        page = self.make(*self.pair()[:2], "--html-files", "0")
        self.assertNotIn("data:", page)
        self.assertIn("three.wav", page)

    @unittest.skipIf(browser.CHROMIUM is None, "no Chromium here")
    def test_in_a_browser(self):
        self.make(*self.pair())
        # Sorting by level, twice: highest first.
        seen = browser.look(self.path("page.html"), "for (const head of document.querySelectorAll('#files th'))"
                            "  if (head.textContent == 'file') { head.click(); head.click(); }")
        self.assertEqual(seen["errors"], [])
        self.assertEqual(seen["title"], "out against ref")
        self.assertEqual(len(seen["pictures"]), 6)
        for width, height in seen["pictures"]:
            self.assertEqual(width, 652)
            self.assertGreater(height, 230)
        self.assertEqual(len(seen["sounds"]), 4)
        for seconds in seen["sounds"]:
            self.assertAlmostEqual(seconds, 1.49, 1)
        self.assertLessEqual(seen["wide"], 0)
        self.assertIn("a & <b>.wav", seen["text"])
        self.assertIn("The first 2 of 3 files.", seen["text"])
        rows = re.findall(r"(?m)^(\S.*\.wav)\t", seen["text"])
        self.assertEqual(rows, ["two.wav", "three.wav", "a & <b>.wav"])


class Document(Case):
    def test_commands_of_the_document(self):
        with open(os.path.join(SOURCE, "docs", "evaluation.md")) as file:
            block = re.search(r"^```sh\n(.*?)^```", file.read(), re.M | re.S).group(1)
        os.symlink(SAMPLES, self.path("audio_samples"))
        os.mkdir(self.path("bin"))
        os.symlink(harness.PROGRAM, self.path("bin", "lull"))
        done = subprocess.run(["sh", "-eu", "-c", block], cwd=self.folder, capture_output=True, text=True,
                              env=dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"], LULL_MODEL=MODEL))
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("eval.html", "scores.json", "pair.png"):
            self.assertGreater(os.path.getsize(self.path(name)), 1000)


if __name__ == "__main__":
    harness.main()
