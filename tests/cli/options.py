"""Command lines: help, version, wrong usage, exit codes."""

import os
import re
import resource

import harness
from harness import MODEL, SOURCE, Case, mel_bytes, speech_frames

LINES_OF_A_SCREEN = 40
COLUMNS_OF_A_SCREEN = 80


def listed_commands(text):
    return re.findall(r"^  (\w+) {2,}\S", text, re.M)


class Help(Case):
    def test_overview_lists_the_commands_that_there_are(self):
        out = self.assert_fine(self.run_lull("help")).out.decode()
        commands = listed_commands(out)
        for name in ("synth", "mel", "info"):
            self.assertIn(name, commands)
        for name in commands:
            self.assertTrue(os.path.exists(os.path.join(SOURCE, "src", "cli", "command_%s.c" % name)), name)
        self.assertEqual(self.run_lull("--help").out.decode(), out)

    def test_every_command_has_help_that_fits_a_screen(self):
        overview = self.run_lull("help").out.decode()
        for name in listed_commands(overview):
            result = self.assert_fine(self.run_lull("help", name))
            self.assertEqual(result.err, "")
            text = result.out.decode()
            lines = text.splitlines()
            self.assertTrue(lines[0].startswith("usage: lull %s " % name), lines[0])
            self.assertLessEqual(len(lines), LINES_OF_A_SCREEN, text)
            for line in lines:
                self.assertLessEqual(len(line), COLUMNS_OF_A_SCREEN, line)
            self.assertEqual(self.run_lull(name, "--help").out.decode(), text)
            self.assertEqual(self.run_lull(name, "-h").out.decode(), text)

    def test_help_of_help(self):
        overview = self.run_lull("help").out
        self.assertIn(b"--help-all", overview)
        for words in (("help", "help"), ("help", "--help")):
            self.assertEqual(self.assert_fine(self.run_lull(*words)).out, overview)

    def test_every_option_is_a_word_away(self):
        few, all_of_them = (self.run_lull("synth", option).out.decode() for option in ("--help", "--help-all"))
        self.assertIn("--help-all", few)
        self.assertNotIn("--refine-low", few)
        for words in ("--refine-low", "--refine-window", "rounds of refinement below 2.5 kHz alone", "--help-all"):
            self.assertIn(words, " ".join(all_of_them.split()))

    def test_examples_have_a_heading(self):
        for name in "plot", "train":
            self.assertIn("\nexamples:\n  lull %s " % name, self.run_lull("help", name).out.decode())

    def test_a_reader_that_goes_is_told_nothing(self):
        """As in `lull train --set help | head -1`, where more is printed than a pipe's buffer of stdio holds."""
        for words in (("train", "--set", "help"), ("help", "synth"), ("info", "--json")):
            read, write = os.pipe()
            os.close(read)
            result = self.run_lull(*words, stdout=write)
            os.close(write)
            self.assertEqual((result.code, result.err), (1, ""), words)

    def test_version(self):
        out = self.assert_fine(self.run_lull("--version")).out.decode()
        self.assertRegex(out, r"^lull \d+\.\d+\.\d+\n$")
        with open(os.path.join(SOURCE, "meson.build")) as file:
            self.assertIn("version: '%s'" % out.split()[1], file.read())

    def test_version_wants_little_memory(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (120000 << 10, 120000 << 10))
        if os.environ.get("LULL_SANITIZE", "none") != "none":
            self.skipTest("a sanitizer's shadow is larger than any limit")
        out = self.assert_fine(self.run_lull("--version", timeout=20, preexec_fn=limit)).out
        self.assertTrue(out.startswith(b"lull "), out)


class Usage(Case):
    def wrong(self, *words, says=()):
        self.assert_fails(self.run_lull(*words), *says, code=2)
        self.assertEqual(self.files(), ["in.npy"])

    def setUp(self):
        super().setUp()
        self.write("in.npy", mel_bytes(speech_frames(4)))

    def test_no_command(self):
        self.wrong(says=["lull help"])

    def test_unknown_command(self):
        self.wrong("sing", says=["sing", "lull help"])
        self.wrong("help", "sing", says=["sing"])
        self.wrong("--sing", says=["--sing"])

    def test_unknown_option_names_the_nearest(self):
        self.wrong("synth", "in.npy", "--sede", "3", says=["--sede", "--seed", "lull help synth"])
        self.wrong("synth", "in.npy", "--griffin", "--lim", says=["--griffin"])
        self.wrong("synth", "in.npy", "--xyzzy", says=["--xyzzy"])
        self.wrong("synth", "in.npy", "-Z", says=["-Z"])

    def test_every_command_refuses_unknown_options(self):
        for name in listed_commands(self.run_lull("help").out.decode()):
            self.wrong(name, "--xyzzy", says=["--xyzzy", "lull help " + name])
            self.wrong(name, "--hlep", says=["--hlep"])
            self.wrong(name, "-Z", says=["-Z"])

    def test_value_missing(self):
        self.wrong("synth", "in.npy", "--seed", says=["--seed", "value"])
        self.wrong("synth", "in.npy", "-o", says=["-o", "value"])

    def test_value_not_wanted(self):
        self.wrong("synth", "in.npy", "--quiet=yes", says=["--quiet", "no value"])
        self.wrong("synth", "in.npy", "--help=yes", says=["--help"])

    def test_numbers_out_of_range(self):
        for option, value in (("--steps", "0"), ("--steps", "1001"), ("--steps", "six"), ("--steps", "6.5"),
                              ("--steps", ""), ("--steps", "99999999999999999999"), ("--eta", "1.5"),
                              ("--eta", "nan"), ("--eta", "-0.1"), ("--refine", "-1"), ("--threads", "0"),
                              ("--threads", "65"), ("--seed", "-1"), ("--seed", "18446744073709551616"),
                              ("--jobs", "0"), ("--refine-window", "257"), ("--griffin-lim", "0")):
            self.wrong("synth", "in.npy", option, value, says=[option])

    def test_choices(self):
        self.wrong("synth", "in.npy", "--format", "mp3", says=["pcm16", "mp3"])
        self.wrong("synth", "in.npy", "--sampler", "best", says=["ddim", "best"])
        self.wrong("synth", "in.npy", "--layout", "diagonal", says=["bands-first"])
        self.wrong("synth", "in.npy", "--from", "nepers", says=["log10"])

    def test_no_input(self):
        self.wrong("synth", says=["input"])
        self.wrong("mel", says=["input"])

    def test_too_many_operands(self):
        self.wrong("info", "a", "b", says=["b"])

    def test_options_that_do_not_go_together(self):
        self.wrong("synth", "in.npy", "-o", "out.wav", "--wav", says=["--wav"])
        self.wrong("synth", "in.npy", "--model", "none", "--noise", "n.npy", says=["--noise"])
        self.wrong("synth", "-", "in.npy", "-o", ".", says=["standard input"])
        self.wrong("synth", "-", says=["-o"])
        self.wrong("synth", "in.npy", "in.npy", "-o", "-", says=["standard output"])

    def test_options_may_follow_operands_and_be_shortened(self):
        result = self.run_lull("info", MODEL, "--js")
        self.assert_fine(result)
        self.assertTrue(result.out.startswith(b"{"))

    def test_operands_after_two_dashes(self):
        self.write("--odd.npy", b"")
        self.assert_fails(self.run_lull("synth", "-o", "out.wav", "--", "--odd.npy"), "--odd.npy", "empty")


if __name__ == "__main__":
    harness.main()
