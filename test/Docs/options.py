"""Compares docs/Options.md with what `qk-opt --help` (on stdin) says: the
names of each flag's options, neither more nor fewer.

  options.py OPTIONS.md < help
"""

import re
import sys

METHODS = ("--rtn", "--gptq", "--awq", "--smoothquant")


def printed(text):
    """Option names of each pipeline flag, by the indentation of the help."""
    flags, flag = {}, None
    for line in text.splitlines():
        entry = re.match(r"^( +)--([a-z0-9-]+)(?:=<[a-z]+>)?\s+-", line)
        if not entry:
            continue
        indent, name = len(entry[1]), entry[2]
        if indent <= 6:
            flag = flags.setdefault("--" + name, set())
        elif flag is not None:
            flag.add(name)
    return flags


def documented(text):
    """Option names of each flag, by section."""
    flags, names = {}, []
    for line in text.splitlines():
        if line.startswith("## "):
            names = re.findall(r"`(--[a-z-]+)`", line)
        row = re.match(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", line)
        for name in names if row else []:
            flags.setdefault(name, set()).update(re.findall(r"`([a-z-]+)`",
                                                            row[1]))
    return flags


def main():
    with open(sys.argv[1]) as file:
        page = documented(file.read())
    tool = printed(sys.stdin.read())
    wrong = 0
    for flag in sorted(page):
        for what, names in (("is not on the page", tool[flag] - page[flag]),
                            ("is not an option", page[flag] - tool[flag])):
            for name in sorted(names):
                print(f"{flag}: '{name}' {what}")
                wrong += 1
    print(f"{len(page)} flags, {wrong} wrong")
    sys.exit(wrong > 0)


main()
