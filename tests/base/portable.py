"""What differs between operating systems is behind src/base/os_*.h: nothing else calls it."""

import os
import re
import subprocess
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(os.environ["LULL_SOURCE"], "src")
# Functions, fields and paths that one system has and another has not, or has with another meaning.
ELSEWHERE = ["qsort_r", "/proc/", "accept4", "prctl", "st_mtim", "sched_getaffinity", "CPU_COUNT", "sysconf", "dlopen",
             "dlsym", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "aligned_alloc", "posix_memalign", "mmap", "readlink",
             "pipe2", "opendir", "readdir", "scandir", "memfd_create", "epoll_create", "eventfd", "sigaction", "sys/syscall.h", "_WIN32", "__APPLE__",
             "__linux__"]


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


class Portable(unittest.TestCase):
    def test_only_the_layer_knows_the_system(self):
        found, files = [], 0
        for folder, _, names in os.walk(SOURCE):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), SOURCE)
                if not name.endswith((".c", ".h")) or path.startswith("base/os_"):
                    continue
                files += 1
                with open(os.path.join(folder, name)) as file:
                    text = without_comments(file.read())
                found += [(path, word) for word in ELSEWHERE if re.search(r"(?<![a-z])" + re.escape(word), text)]
        self.assertGreater(files, 100)
        self.assertEqual(found, [])


class Flow(unittest.TestCase):
    def test_folders_use_only_folders_above_them(self):
        with open(os.path.join(SOURCE, "..", "CONTRIBUTING.md")) as file:
            order = re.findall(r"^\| `(\w+)` \|", file.read(), re.M)
        folders = [name for name in os.listdir(SOURCE) if os.path.isdir(os.path.join(SOURCE, name))]
        self.assertEqual(sorted(order), sorted(folders), "the table of CONTRIBUTING.md")
        found = []
        for at, folder in enumerate(order):
            for where, _, names in os.walk(os.path.join(SOURCE, folder)):
                for name in names:
                    with open(os.path.join(where, name)) as file:
                        used = re.findall(r'^#include "(\w+)/', file.read(), re.M)
                    found += [(folder + "/" + name, other) for other in used if other not in order[:at + 1]]
        self.assertEqual(found, [])


class Machines(unittest.TestCase):
    def refused(self, *words):
        path = os.path.join(SOURCE, "base", "memory.c")
        return subprocess.run(["cc", "-std=c11", "-fsyntax-only", "-D_GNU_SOURCE", "-I", SOURCE, "-I",
                               os.path.join(SOURCE, "..", "include"), *words, path], capture_output=True, text=True)

    def test_big_endian_and_32_bits_are_refused(self):
        self.assertEqual(self.refused().returncode, 0)
        big = self.refused("-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__")
        self.assertIn("little-endian", big.stderr)
        small = self.refused("-include", "stdint.h", "-include", os.path.join(HERE, "small.h"))
        self.assertIn("64 bits", small.stderr)


if __name__ == "__main__":
    unittest.main()
