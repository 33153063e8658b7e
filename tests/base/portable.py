"""What can be seen of the architecture in the text of the sources: what differs between operating systems is behind
src/base/os_*.h; folders and files need each other in one direction; names of files are those of files; functions fit a screen."""

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


def circles(graph):
    """Sets of nodes that reach each other: Tarjan's strongly connected components of more than one."""
    number, lowest, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in number:
            visit(node)
    return found


class Circles(unittest.TestCase):
    def test_the_test_finds_them(self):
        self.assertEqual(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}), [["b", "c"]])
        self.assertEqual(circles({"a": {"b", "c"}, "b": {"c"}}), [])

    def test_no_file_needs_itself(self):
        """NAME.c and NAME.h are one: what either includes of its folder, the two need."""
        found = []
        for folder in sorted(os.listdir(SOURCE)):
            graph = {}
            for name in os.listdir(os.path.join(SOURCE, folder)):
                if not name.endswith((".c", ".h")):
                    continue
                with open(os.path.join(SOURCE, folder, name)) as file:
                    used = re.findall(r'^#include "%s/(\w+)\.h"' % folder, file.read(), re.M)
                graph.setdefault(name[:-2], set()).update(set(used) - {name[:-2]})
            found += [(folder, circle) for circle in circles(graph)]
        self.assertEqual(found, [])


# Folders of things that stand for themselves: the names of each file begin with the file's (its first word, where several
# files share it). So do those of the networks in model.
BY_FILE = re.compile(r"(base|io|cli)/|model/(denoiser\w*|postnet|pitch_network|pitch_outputs|bandwidth\w*|spectrum\w*)\.h")


def declared(text):
    """Functions, types and constants of a header."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", "")
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    names = re.findall(r"^\}\s*(\w+);|^typedef (?:enum|struct|union)[^;{]*\{[^}]*\} (\w+);", text, re.M)
    names = [one or other for one, other in names]
    names += re.findall(r"^typedef [^;{]*?(?:\(\*)?(\w+)(?:\)\([^;]*)?;", text, re.M)
    names += re.findall(r"^(?!typedef|return)[a-z][\w \*]*?[ \*](\w+)\(", text, re.M)
    names += re.findall(r"^extern [^;]*?(\w+)(?:\[\w*\])*(?:,|;)", text, re.M)
    for body in re.findall(r"\benum\b[^{;]*\{([^}]*)\}", text):
        names += [part.split("=")[0].strip() for part in body.split(",") if part.strip()]
    return names


class Names(unittest.TestCase):
    def foreign(self, path, text):
        folder, name = path.split("/")
        begins = [folder, "lull"]
        if BY_FILE.match(path):
            begins.append(name[:-2].split("_")[0])
        pattern = re.compile(r"(?:%s)s?(?:_|$)" % "|".join(begins), re.I)
        return [(path, found) for found in declared(text) if not pattern.match(found)]

    def test_the_test_finds_them(self):
        text = """typedef struct line {
    int at;
} line;
enum { MOST = 3, MEL_LEAST };
typedef enum { MEL_ONE } six;
typedef struct mel_ours mel_ours;
typedef double (*call)(int a);
int mel_one(int a);
static inline void two(int a) { three(a); }
extern const char *const four[];
typedef struct five {
    int count;
} five;
"""
        found = [name for _, name in self.foreign("mel/line.h", text)]
        self.assertEqual(sorted(set(found)), ["MOST", "call", "five", "four", "line", "six", "two"])
        self.assertEqual(self.foreign("base/line.h", "int line_at(int);\n"), [])

    def test_names_begin_with_their_folders(self):
        found, headers = [], 0
        for folder in sorted(os.listdir(SOURCE)):
            for name in sorted(os.listdir(os.path.join(SOURCE, folder))):
                if not name.endswith(".h"):
                    continue
                with open(os.path.join(SOURCE, folder, name)) as file:
                    text = file.read()
                # Bodies of kernels are included within other files: their names are seen nowhere else.
                if (folder, name) == ("nn", "amx_tiles.h") or not re.search(r"^#ifndef \w+_H$", text, re.M):
                    continue
                headers += 1
                found += self.foreign(folder + "/" + name, text)
        self.assertGreater(headers, 100)
        self.assertEqual(found, [])


MOST_LINES = 60


def long_functions(text):
    """Those of more lines than a screen has, in text that clang-format formatted: (name, lines)."""
    pattern = re.compile(r"^(?!struct|typedef|enum|union|extern \"C\")[a-z_][^;={}#]*?(\w+)\([^;{}]*?\{\n.*?^\}$", re.M | re.S)
    found = [(match.group(1), match.group(0).count("\n") + 1) for match in pattern.finditer(text)]
    return [(name, lines) for name, lines in found if lines > MOST_LINES]


class Length(unittest.TestCase):
    def test_the_test_finds_them(self):
        body = "    one();\n" * (MOST_LINES - 2)
        text = "static int a = 3;\n\nstatic lull_status fine(int a) {\n%s}\n\nint\nlong_one(int a,\n    int b) {\n%s}\n" % (body, body)
        self.assertEqual(long_functions(text), [("long_one", MOST_LINES + 2)])

    def test_a_function_fits_a_screen(self):
        found, functions = [], 0
        for top in (SOURCE, os.path.join(SOURCE, "..", "tests"), os.path.join(SOURCE, "..", "examples")):
            for where, _, names in os.walk(top):
                for name in names:
                    if not name.endswith((".c", ".h")):
                        continue
                    with open(os.path.join(where, name)) as file:
                        text = file.read()
                    functions += len(re.findall(r"^\}$", text, re.M))
                    found += [(name, *one) for one in long_functions(text)]
        self.assertGreater(functions, 2000)
        self.assertEqual(found, [])


class Named(unittest.TestCase):
    def test_files_that_text_names_are_there(self):
        root = os.path.join(SOURCE, "..")
        folders = [name for name in os.listdir(SOURCE) if os.path.isdir(os.path.join(SOURCE, name))]
        texts = [os.path.join(root, name) for name in os.listdir(root) if name.endswith(".md")]
        for top in (SOURCE, os.path.join(root, "docs")):
            for where, _, names in os.walk(top):
                texts += [os.path.join(where, name) for name in names if name.endswith((".c", ".h", ".md"))]
        pattern = re.compile(r"(?<![\w/.-])(?:src/)?((?:%s)/[a-z]\w*\.[ch])\b" % "|".join(folders))
        found = []
        for path in texts:
            if os.path.basename(path) == "CHANGELOG.md":
                continue
            with open(path) as file:
                for name in pattern.findall(file.read()):
                    if "NAME" not in name and not os.path.exists(os.path.join(SOURCE, name)):
                        found.append((os.path.relpath(path, root), name))
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
