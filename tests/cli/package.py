"""tools/package.sh makes Debian packages that lintian has no errors for, that install, work and leave nothing behind.

Skipped where packages cannot be made (debhelper, lintian) or installed into a folder (that wants root).
LULL_PACKAGES names a folder that has them already.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import MEL, SOURCE

NEEDED = ("dh", "lintian", "dpkg-buildpackage", "mpicc")
ESSENTIAL = ("status", "available", "diversions", "statoverride")


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lull-package-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.packages = os.environ.get("LULL_PACKAGES")
        if not cls.packages:
            cls.packages = os.path.join(cls.folder, "debs")
            done = subprocess.run(["sh", os.path.join(SOURCE, "tools", "package.sh"), cls.packages], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        cls.root = os.path.join(cls.folder, "root")
        os.makedirs(os.path.join(cls.root, "var/lib/dpkg/info"))
        os.makedirs(os.path.join(cls.root, "var/lib/dpkg/updates"))
        for name in ESSENTIAL:
            open(os.path.join(cls.root, "var/lib/dpkg", name), "w").close()

    def dpkg(self, *words):
        """dpkg on the folder. What the packages depend on is on this machine and not in the folder."""
        done = subprocess.run(["dpkg", "--root=" + self.root, "--log=/dev/null", "--force-depends", *words],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def files(self):
        found = []
        for folder, _, names in os.walk(self.root):
            if not os.path.relpath(folder, self.root).startswith("var/lib/dpkg"):
                found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return sorted(found)

    def test_install_use_remove(self):
        packages = sorted(name for name in os.listdir(self.packages) if name.endswith(".deb"))
        names = sorted(name.split("_")[0] for name in packages)
        self.assertEqual(names, ["liblull-dev", "liblull0", "lull", "lull-mpi"])
        before = self.files()
        self.dpkg("-i", *(os.path.join(self.packages, name) for name in packages))
        for name in names:
            self.assertIn("install ok installed", self.dpkg("-s", name))
        installed = self.files()
        for name in ("usr/bin/lull", "usr/include/lull.h", "usr/share/man/man1/lull.1.gz", "usr/share/doc/lull/copyright"):
            self.assertIn(name, installed)

        environment = {name: value for name, value in os.environ.items() if name not in ("LULL_MODEL", "LD_LIBRARY_PATH")}
        out = os.path.join(self.folder, "out.wav")
        program = os.path.join(self.root, "usr/bin/lull")
        done = subprocess.run([program, "info"], env=environment, cwd="/", capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("root/usr/bin/../share/lull/models", done.stdout)
        done = subprocess.run([program, "synth", "-q", MEL, "-c", "hifigan-16k", "-o", out], env=environment, cwd="/",
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(os.path.getsize(out), 10000)

        self.dpkg("--purge", *names)
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    missing = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print("skipped: not root" if os.geteuid() != 0 else "skipped: no " + ", ".join(missing))
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
