"""tools/corpus.sh without a network: packages and ffmpeg are stand-ins; sides, names, one process for many files."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.environ["LULL_SOURCE"], "tools", "corpus.sh")
COUNT = 250
APT = """#!/bin/sh
for package; do :; done
: >"${package}_1_all.deb"
"""
DPKG = """#!/usr/bin/env python3
import os, sys
sounds = os.path.join(sys.argv[3], "usr/share/asterisk/sounds/it")
os.makedirs(sounds + "/digits")
for i in range(%d):
    with open(sounds + ("/digits" if i %% 3 == 0 else "") + "/file %%d.g722" %% i, "w") as file:
        file.write("recording %%d" %% i)
""" % COUNT
FFMPEG = """#!/usr/bin/env python3
import os, sys
words = sys.argv[1:]
inputs = [words[i + 1] for i in range(len(words)) if words[i] == "-i"]
outputs = [word for word in words if word.endswith(".part")]
maps = [words[i + 1] for i in range(len(words)) if words[i] == "-map"]
assert len(inputs) == len(outputs) and maps == ["%d:a" % i for i in range(len(inputs))], words
open(os.environ["CALLS"], "a").write("call\\n")
for i, o in zip(inputs, outputs):
    if os.environ.get("BREAK") and "file 7." in i:
        sys.exit(1)
    with open(o, "w") as file:
        file.write(open(i).read())
"""


class Corpus(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lull-corpus-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        for name, text in ("apt-get", APT), ("dpkg", DPKG), ("ffmpeg", FFMPEG):
            path = os.path.join(self.folder, "bin", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o755)

    def run_tool(self, **more):
        environment = dict(os.environ, CALLS=os.path.join(self.folder, "calls"), **more)
        environment["PATH"] = os.path.join(self.folder, "bin") + os.pathsep + environment["PATH"]
        return subprocess.run(["sh", TOOL, os.path.join(self.folder, "out put"), "it"], env=environment,
                              stderr=subprocess.PIPE, timeout=120, check=False)

    def made(self):
        out = os.path.join(self.folder, "out put")
        return {(side, name) for side in ("train", "valid") for name in os.listdir(os.path.join(out, side, "it"))}

    def test_sides_names_and_few_processes(self):
        wanted = {}
        for i in range(COUNT):
            name = "it_%sfile %d.wav" % ("digits_" if i % 3 == 0 else "", i)
            place = int(hashlib.md5(name.encode()).hexdigest()[:15], 16) % 20
            if place > 0:
                wanted["valid" if place == 1 else "train", name] = "recording %d" % i
        done = self.run_tool()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.made(), set(wanted))
        for (side, name), text in wanted.items():
            with open(os.path.join(self.folder, "out put", side, "it", name)) as file:
                self.assertEqual(file.read(), text)
        with open(os.path.join(self.folder, "calls")) as file:
            self.assertLess(len(file.readlines()), 10)
        self.assertIn(b"%d of %d recordings" % (len(wanted), len(wanted)), done.stderr)

    def test_a_second_run_completes_the_first(self):
        done = self.run_tool(BREAK="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"could not be converted", done.stderr)
        first = self.made()
        done = self.run_tool()
        self.assertEqual(done.returncode, 0)
        self.assertGreater(len(self.made()), len(first))
        self.assertFalse([name for _, name in self.made() if not name.endswith(".wav")])


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit(77)
    unittest.main()
