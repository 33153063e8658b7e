"""The manual page and the completions say what the program says; the README's commands run."""

import os
import re
import subprocess
import sys

import harness
from harness import PROGRAM, SOURCE, Case


def commands_of(text):
    return re.findall(r"^  (\w+) {2,}\S", text, re.M)


class Manual(Case):
    def test_every_option_of_every_command(self):
        done = subprocess.run([sys.executable, os.path.join(SOURCE, "tools", "make_man.py"), PROGRAM,
                               os.path.join(SOURCE, "docs", "lull.1.in"), "1.2.3", "/data", self.path("lull.1")],
                              capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        page = self.read("lull.1").decode()
        self.assertIn('"lull 1.2.3"', page)
        for name in commands_of(self.run_lull("help").out.decode()):
            section = page.split(".SS lull %s: " % name)[1].split(".SS ")[0]
            options = re.findall(r"^  (?:-\w, |    )(--[\w-]+)", self.run_lull("help", name).out.decode(), re.M)
            self.assertIn("--help", options)
            for option in options:
                self.assertIn(option.replace("-", "\\-"), section)
        self.assertNotIn("@", re.sub(r"\S+@\S+", "", page.replace("@INPUT@", "")))


class Completion(Case):
    def complete(self, *words):
        """What bash would offer for the last word."""
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lull; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", os.path.join(SOURCE, "docs/completions/lull.bash"),
                               PROGRAM, *words], capture_output=True, cwd=self.folder, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_commands(self):
        commands = commands_of(self.run_lull("help").out.decode())
        self.assertEqual(sorted(self.complete("")), sorted(commands + ["help", "--help", "--version"]))
        self.assertEqual(self.complete("sy"), ["synth"])
        self.assertEqual(sorted(self.complete("help", "")), sorted(commands))

    def test_options(self):
        self.assertEqual(self.complete("synth", "--see"), ["--seed"])
        self.assertEqual(sorted(self.complete("synth", "--refine")), ["--refine", "--refine-window"])
        self.assertEqual(self.complete("mel", "--see"), [])

    def test_values(self):
        self.assertEqual(self.complete("synth", "--format", "pcm"), ["pcm16", "pcm24"])
        self.assertEqual(self.complete("synth", "--sampler", "d"), ["ddpm", "ddim"])

    def test_files(self):
        self.write("speech.npy", b"")
        self.assertEqual(self.complete("synth", "sp"), ["speech.npy"])


if __name__ == "__main__":
    harness.main()
