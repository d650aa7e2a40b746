"""The commands that docs/operations.md shows, so that tests can run them."""

import os
import re

from programs.process import SOURCE


def sections():
    """Of each heading its commands, in the order of the document: whole lines of fenced examples, without remarks."""
    with open(os.path.join(SOURCE, "docs", "operations.md"), encoding="utf-8") as file:
        text = file.read()
    found = {}
    heading, inside = None, False
    for line in text.splitlines():
        if re.fullmatch(r" *```(sh)?", line):
            inside = not inside
        elif inside:
            command = re.sub(r"\s{2,}#.*$", "", line.strip())
            if command:
                found.setdefault(heading, []).append(command)
        elif title := re.fullmatch(r"#+ (.*)", line):
            heading = title.group(1)
    return found


def program_of(command):
    return command.split()[0]
