"""What `ninja install` puts into a prefix finds itself there, wherever that was moved to, and nothing elsewhere."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import MEL, SOURCE, main

BUILD = os.environ["LULL_BUILD"]


class Installation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = os.path.realpath(tempfile.mkdtemp(prefix="lull-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        # Without rebuilding: a test must not start the build that runs it.
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", os.path.join(cls.folder, "first")],
                       check=True, stdout=subprocess.DEVNULL)
        programs = [os.path.join(folder, "lull") for folder, _, names in os.walk(cls.folder) if "lull" in names and
                    os.path.basename(folder) == "bin"]
        assert len(programs) == 1, programs
        cls.prefix = os.path.dirname(os.path.dirname(programs[0]))

    def run_in(self, prefix, *words):
        environment = {name: value for name, value in os.environ.items() if name != "LULL_MODEL"}
        return subprocess.run([os.path.join(prefix, "bin", "lull"), *words], cwd="/", env=environment,
                              capture_output=True, text=True, timeout=120)

    def model_of(self, prefix):
        done = self.run_in(prefix, "info")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return os.path.realpath(re.search(r"^  file +(.*)$", done.stdout, re.M).group(1))

    def pkg_config(self, prefix, *words):
        found = [folder for folder, _, names in os.walk(prefix) if "lull.pc" in names]
        self.assertEqual(len(found), 1)
        done = subprocess.run(["pkg-config", *words, "lull"], env=dict(os.environ, PKG_CONFIG_PATH=found[0]),
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_finds_its_model_from_anywhere(self):
        self.assertEqual(self.model_of(self.prefix), os.path.join(self.prefix, "share/lull/models/lull-speech-22k.safetensors"))
        self.assertEqual(os.listdir(os.path.join(self.prefix, "share/lull/models")), ["lull-speech-22k.safetensors"])

    def test_speaks(self):
        out = os.path.join(self.folder, "out.wav")
        done = self.run_in(self.prefix, "synth", "-q", MEL, "-c", "hifigan-16k", "-o", out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(os.path.getsize(out), 10000)

    def test_moved(self):
        moved = os.path.join(self.folder, "moved", "to here")
        shutil.copytree(self.prefix, moved, symlinks=True)
        self.assertEqual(self.model_of(moved), os.path.join(moved, "share/lull/models/lull-speech-22k.safetensors"))
        self.assertEqual(os.path.realpath(self.pkg_config(moved, "--variable=prefix").replace("\\ ", " ")), moved)

    def test_linked_to(self):
        folder = os.path.join(self.folder, "links", "bin")
        os.makedirs(folder)
        os.symlink(os.path.join(self.prefix, "bin", "lull"), os.path.join(folder, "lull"))
        self.assertTrue(self.model_of(os.path.dirname(folder)).startswith(self.prefix))

    def test_a_second_prefix_does_not_see_the_first(self):
        second = os.path.join(self.folder, "second")
        os.makedirs(os.path.join(second, "bin"))
        shutil.copy2(os.path.join(self.prefix, "bin", "lull"), os.path.join(second, "bin"))
        done = self.run_in(second, "info")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(second, done.stderr)
        self.assertIn("no model found", done.stderr)
        done = self.run_in(second, "--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_pkg_config(self):
        version = self.run_in(self.prefix, "--version").stdout.split()[1]
        self.assertEqual(self.pkg_config(self.prefix, "--modversion"), version)
        self.assertEqual(os.path.realpath(self.pkg_config(self.prefix, "--variable=includedir")),
                         os.path.join(self.prefix, "include"))
        library = os.path.realpath(self.pkg_config(self.prefix, "--libs-only-L").split()[0][2:])
        for name in ("liblull.so", "liblull.a"):
            self.assertTrue(os.path.exists(os.path.join(library, name)), name)

    def test_man(self):
        pages = os.path.join(self.prefix, "share", "man")
        if not shutil.which("man"):
            self.assertTrue(os.path.exists(os.path.join(pages, "man1", "lull.1")))
            self.skipTest("no man here; the page is there")
        done = subprocess.run(["man", "-M", pages, "lull"], env=dict(os.environ, MANPAGER="cat", MANWIDTH="100"),
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("lull synth", done.stdout)

    def test_completions(self):
        for name in ("share/bash-completion/completions/lull", "share/zsh/site-functions/_lull",
                     "share/fish/vendor_completions.d/lull.fish"):
            self.assertTrue(os.path.exists(os.path.join(self.prefix, name)), name)

    def test_build_folder(self):
        done = subprocess.run([os.path.join(BUILD, "lull"), "info"], cwd="/", capture_output=True, text=True,
                              env={name: value for name, value in os.environ.items() if name != "LULL_MODEL"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(os.path.realpath(os.path.join(SOURCE, "models")), done.stdout)


if __name__ == "__main__":
    main()
