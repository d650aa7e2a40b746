"""The commands that docs/operations.md shows, so that tests can run them."""

import os
import re

from programs.process import SOURCE

# The section whose commands need a store in PostgreSQL.
WARRANT_SETS = "One set of warrants for several daemons"


def sections():
    """Of each heading its commands, in the order of the document: whole lines of fenced examples, without remarks. Examples of
    files say what they are (```yaml)."""
    with open(os.path.join(SOURCE, "docs", "operations.md"), encoding="utf-8") as file:
        text = file.read()
    found = {}
    heading, inside = None, None
    for line in text.splitlines():
        if fence := re.fullmatch(r" *```(\w*)", line):
            inside = fence.group(1) or "sh" if inside is None else None
        elif inside == "sh":
            command = re.sub(r"\s{2,}#.*$", "", line.strip())
            if command:
                found.setdefault(heading, []).append(command)
        elif inside is None and (title := re.fullmatch(r"#+ (.*)", line)):
            heading = title.group(1)
        elif inside is None and line.startswith("    "):
            raise AssertionError(f"an example without a fence, which nobody would run: {line}")
    return found


def program_of(command):
    """What is run, as whichever user."""
    words = command.split()
    return words[words.index("--") + 1] if words[0] == "runuser" else words[0]
