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
            options = re.findall(r"^  (?:-\w, |    )(--[\w-]+)", self.run_lull("help", name, "--all").out.decode(), re.M)
            self.assertIn("--help", options)
            for option in options:
                self.assertIn(option.replace("-", "\\-"), section)
        self.assertNotIn("@", re.sub(r"\S+@\S+", "", page.replace("@INPUT@", "")))


class Version(Case):
    def test_header_says_what_the_program_says(self):
        with open(os.path.join(SOURCE, "include", "lull.h")) as file:
            numbers = re.findall(r"#define LULL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read())
        self.assertEqual("lull %s\n" % ".".join(numbers), self.run_lull("--version").out.decode())


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
        self.assertEqual(sorted(self.complete("synth", "--refine")), ["--refine", "--refine-low", "--refine-momentum", "--refine-window"])
        self.assertEqual(self.complete("mel", "--see"), [])
        for option in "--bandwidth", "--crossover", "--f0", "--pitch", "--source", "--transpose":
            self.assertEqual(self.complete("synth", option), [option])

    def test_values(self):
        self.assertEqual(self.complete("synth", "--format", "pcm"), ["pcm16", "pcm24"])
        self.assertEqual(self.complete("synth", "--sampler", "d"), ["ddpm", "ddim"])
        self.assertEqual(self.complete("synth", "--bandwidth", ""), ["auto", "mel", "full"])
        self.assertEqual(self.complete("play", "--source", "p"), ["pitch"])
        self.assertEqual(self.complete("serve", "--postnet", "o"), ["on", "off"])

    def test_files(self):
        self.write("speech.npy", b"")
        self.assertEqual(self.complete("synth", "sp"), ["speech.npy"])


class Readme(Case):
    """Every command that README.md shows in a shell block does what it says."""

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "README.md")) as file:
            cls.text = file.read()

    def test_shell_blocks(self):
        blocks = re.findall(r"^```sh\n(.*?)^```", self.text, re.M | re.S)
        self.assertGreaterEqual(len(blocks), 2)
        for name in ("audio_samples", "models"):
            os.symlink(os.path.join(SOURCE, name), self.path(name))
        os.mkdir(self.path("bin"))
        os.symlink(PROGRAM, self.path("bin", "lull"))
        os.symlink(self.path("bin"), self.path("build"))
        environment = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])
        environment.pop("LULL_MODEL", None)
        for name in re.findall(r"(?:audio_samples|docs|models)/[\w./-]+\w", self.text):
            self.assertTrue(os.path.exists(os.path.join(SOURCE, name)), name)
        for block in blocks:
            done = subprocess.run(["sh", "-eu", "-c", block], capture_output=True, cwd=self.folder,
                                  env=environment, text=True)
            self.assertEqual(done.returncode, 0, block + done.stderr)
        for name in re.findall(r"-o (\w[\w-]*\.\w+)", "".join(blocks)):
            self.assertGreater(os.path.getsize(self.path(name)), 1000, name)

    def test_every_command_is_listed(self):
        commands = commands_of(self.run_lull("help").out.decode())
        for name in re.findall(r"^\| `lull (\w+)` \|", self.text, re.M):
            self.assertIn(name, commands)

    def test_options_that_it_names_exist(self):
        helps = "".join(self.run_lull("help", name, "--all").out.decode()
                        for name in commands_of(self.run_lull("help").out.decode()))
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", self.text)) - {"--cflags", "--libs"}:
            self.assertRegex(helps, re.escape(option) + r"\b", option)

    def test_c_program(self):
        """The C program compiles without a warning and does what `lull synth - -o -` does."""
        program = re.search(r"^```c\n(.*?)^```", self.text, re.M | re.S).group(1)
        self.write("program.c", program.encode())
        library = os.environ["LULL_LIBRARY"]
        command = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                   "-I", os.path.join(SOURCE, "include"), "program.c", library,
                   "-Wl,-rpath," + os.path.dirname(library), "-o", "program"]
        if os.environ.get("LULL_SANITIZE", "none") != "none":
            command.append("-fsanitize=" + os.environ["LULL_SANITIZE"])
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        mel = self.run_lull("mel", harness.RECORDING, "-o", "-", "-q", model=False).out
        done = subprocess.run([self.path("program"), harness.SHIPPED], input=mel, capture_output=True, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assert_same(done.stdout, self.run_lull("synth", "-", "-o", "-", stdin=mel, model=False).out)


if __name__ == "__main__":
    harness.main()
