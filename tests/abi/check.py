"""The binary interface stands in lull.abi: every function's declaration, every struct's and enum's layout.

    check.py              compares include/lull.h, and the built library's symbols ($LULL_LIBRARY), with lull.abi
    check.py --update     writes lull.abi anew, for changes that only add (what may be added: CONTRIBUTING.md)

Headers of earlier versions lie in folders beside this file: programs that were built with them must find everything
where it was.
"""

import functools
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "..", "..", "include", "lull.h")
STORED = os.path.join(HERE, "lull.abi")
# What the compiler would leave out of a caller's struct must be a field: every byte of these is accounted for.
WHOLE = ["lull_options"]


def declared(header):
    """(functions, structs: {name: [field]}, enums: [constant]) of a header."""
    with open(header) as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    text = re.sub(r"^\s*#.*?(?<!\\)\n", "\n", text, flags=re.M | re.S)
    functions = [" ".join(found.split()) for found in re.findall(r"LULL_API\s+([^;{]+);", text)]
    structs, enums = {}, []
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, re.S):
        structs[name] = []
        for declaration in filter(str.strip, body.split(";")):
            pointer = re.search(r"\(\*(\w+)\)\s*\(", declaration)  # to a function
            for field in [pointer.group(1)] if pointer else declaration.split(","):
                structs[name].append(re.findall(r"(\w+)\s*(?:\[\w+\])?\s*$", field.strip())[0])
    for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", text, re.S):
        enums += re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", body.strip())
    return functions, structs, enums


@functools.lru_cache(None)
def layout(header):
    """The lines of lull.abi that a header gives on this machine."""
    functions, structs, enums = declared(header)
    lines = ["function " + function for function in sorted(functions)]
    source = '#include "lull.h"\n#include <stdio.h>\nint main(void) {\n'
    for name in sorted(structs):
        source += '    printf("struct %s %%zu\\n", sizeof(%s));\n' % (name, name)
        for field in structs[name]:
            source += '    printf("field %s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));\n' % (
                name, field, name, field, name, field)
    for name in enums:
        source += '    printf("constant %s %%d\\n", (int)%s);\n' % (name, name)
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "layout")
        with open(program + ".c", "w") as file:
            file.write(source + "    return 0;\n}\n")
        subprocess.run(["cc", "-I", os.path.dirname(header), "-o", program, program + ".c"], check=True)
        lines += subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return lines


class Abi(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if sys.maxsize < 2**32:
            self.skipTest("lull.abi is of 64-bit machines")

    def test_is_what_is_written_down(self):
        with open(STORED) as file:
            stored = file.read().splitlines()
        if stored != layout(HEADER):
            self.assertEqual(stored, layout(HEADER), "include/lull.h has another interface than tests/abi/lull.abi. Where it only "
                             "grew: python3 tests/abi/check.py --update")

    def test_earlier_programs_find_everything_where_it_was(self):
        now = set(layout(HEADER))
        older = glob.glob(os.path.join(HERE, "*", "lull.h"))
        self.assertTrue(older)
        for header in older:
            kept = [line for line in layout(header) if not line.startswith("struct ")]
            self.assertEqual([line for line in kept if line not in now], [], header)

    def test_no_gap(self):
        for name in WHOLE:
            at = 0
            for line in layout(HEADER):
                words = line.split()
                if words[0] == "field" and words[1].startswith(name + "."):
                    self.assertEqual(int(words[2]), at, "a gap before %s: put a reserved field there" % words[1])
                    at += int(words[3])
                if words[:2] == ["struct", name]:
                    size = int(words[2])
            self.assertEqual(at, size, "the end of %s: put a reserved field there" % name)

    def test_symbols(self):
        library = os.environ.get("LULL_LIBRARY")
        if not library:
            self.skipTest("LULL_LIBRARY is not set")
        names = {re.search(r"(\w+)\(", function).group(1) for function in declared(HEADER)[0]}
        for arguments in (["-D", library], [os.environ["LULL_ARCHIVE"]]):
            out = subprocess.run(["nm", "--defined-only", "-g", *arguments], check=True, capture_output=True, text=True).stdout
            visible = set(re.findall(r"^[0-9a-f]+ [A-Z] (\w+)", out, re.M))
            self.assertEqual(visible, names, arguments)


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        with open(STORED, "w") as file:
            file.write("\n".join(layout(HEADER)) + "\n")
    else:
        unittest.main()
