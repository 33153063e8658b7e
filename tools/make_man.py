#!/usr/bin/env python3
"""Writes the manual page: docs/lull.1.in with the commands as `lull help` describes them.

    make_man.py PROGRAM TEMPLATE VERSION DATA-FOLDER OUTPUT
"""

import re
import subprocess
import sys


def roff(text):
    text = text.replace("\\", "\\\\").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def ask(program, *words):
    return subprocess.run([program, "help", *words], check=True, capture_output=True, text=True).stdout


def options(lines):
    """(option, explanation) pairs from the table of a help text, and what follows it."""
    found = []
    rest = []
    for line in lines:
        match = re.match(r"^  (-\w, |    )(--[\w-]+)( \S+)?(?:  +(\S.*))?$", line)
        if match:
            name = (match.group(1).strip() + " " + match.group(2)).strip() + (match.group(3) or "")
            found.append([name, match.group(4) or ""])
        elif line.startswith(" " * 20) and found and not rest:
            found[-1][1] = (found[-1][1] + " " + line.strip()).strip()
        elif found:
            rest.append(line)
    return found, rest


def command(program, name, summary):
    lines = ask(program, name, "--all").splitlines()
    usage = [line[7:].strip() for line in lines if line.startswith(("usage: ", "       lull "))]
    about = [line for line in lines[len(usage):]]
    first_option = next(i for i, line in enumerate(about) if re.match(r"^  (-\w, |    )--", line))
    table, ending = options(about[first_option:])
    out = [".SS lull %s: %s" % (name, roff(summary))]
    for line in usage:
        out += [".nf", roff(line), ".fi"]
    if first_option:
        out += [".PP"] + [roff(line) for line in about[:first_option]]
    for option, explanation in table:
        out += [".TP", ".B %s" % roff(option), roff(explanation)]
    if any(ending):
        out += [".PP", ".nf"] + [roff(line) for line in ending] + [".fi"]
    return "\n".join(out)


def main():
    program, template, version, data, output = sys.argv[1:]
    commands = re.findall(r"^  (\w+) {2,}(\S.*)$", ask(program), re.M)
    with open(template) as file:
        text = file.read()
    text = text.replace("@VERSION@", version).replace("@DATA@", data)
    text = text.replace("@COMMANDS@", "\n".join(command(program, *words) for words in commands))
    with open(output, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
