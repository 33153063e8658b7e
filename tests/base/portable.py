"""What differs between operating systems is behind src/base/os_*.h: nothing else calls it."""

import os
import re
import unittest

SOURCE = os.path.join(os.environ["LULL_SOURCE"], "src")
# Functions, fields and paths that one system has and another has not, or has with another meaning.
ELSEWHERE = ["qsort_r", "/proc/", "accept4", "prctl", "st_mtim", "sched_getaffinity", "CPU_COUNT", "sysconf", "dlopen",
             "dlsym", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "aligned_alloc", "posix_memalign", "mmap", "readlink",
             "pipe2", "memfd_create", "epoll_create", "eventfd", "sigaction", "sys/syscall.h", "_WIN32", "__APPLE__",
             "__linux__"]
# src/nn asks Linux for the tiles of AMX, which no other system gives.
ALLOWED = {("nn/amx_ready.c", "__linux__"), ("nn/amx_ready.c", "prctl"), ("nn/amx_ready.c", "sys/syscall.h")}


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
                found += [(path, word) for word in ELSEWHERE if re.search(r"(?<![a-z])" + re.escape(word), text)
                          and (path, word) not in ALLOWED]
        self.assertGreater(files, 100)
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
