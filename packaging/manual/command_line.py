"""A program's command line, as its own --help tells it (CLI11)."""

import re
import subprocess

# Where descriptions begin; a name that reaches further has its description on the next line.
COLUMN = 30


class Option:
    """names: as typed, none of a positional argument
    value: what it takes, by the name that --help gives it; empty for a flag
    choices: all values that it takes, where they are few
    relations: `Needs: --content`"""

    def __init__(self, text, description, positional):
        words = text.split()
        self.names = [] if positional else words.pop(0).split(",")
        self.description = description
        self.value = words.pop(0) if positional else ""
        self.required, self.many, self.choices, self.default, self.relations = False, False, [], "", []
        while words:
            word = words.pop(0)
            if word == "REQUIRED":
                self.required = True
            elif word == "...":
                self.many = True
            elif word in ("Needs:", "Excludes:"):
                others = []
                while words and (words[0].startswith("-") or words[0].isupper()):
                    others.append(words.pop(0))
                self.relations.append((word.rstrip(":"), others))
            elif found := re.fullmatch(r"(TEXT|UINT|INT|FLOAT)(?:=([^:]+))?(?::(?:\{(.*)\}|[A-Z]+))?", word):
                self.kind, self.default = found.group(1), found.group(2) or ""
                self.choices = found.group(3).split(",") if found.group(3) else []
                if not positional:
                    self.value = self.kind
            else:
                raise ValueError(f"--help says something unknown: {word!r} in {text!r}")

    @property
    def long(self):
        return next((name for name in self.names if name.startswith("--")), self.names[0] if self.names else self.value)


class Command:
    def __init__(self, path):
        self.path = path  # the words behind the program's name
        self.description, self.usage, self.footer = "", "", ""
        self.positionals, self.options, self.commands = [], [], []

    def every(self):
        """Itself and what is below."""
        yield self
        for command in self.commands:
            yield from command.every()


def entries(lines):
    """Pairs of name and description."""
    number = 0
    while number < len(lines):
        line = lines[number].rstrip("\n")
        number += 1
        if number < len(lines) and lines[number].startswith(" " * COLUMN):
            yield line.strip(), lines[number].strip()
            number += 1
        else:
            yield line[:COLUMN].strip(), line[COLUMN:].strip()


def read(program, path=()):
    """Asks the program, and for what is below."""
    text = subprocess.run([program, *path, "--help"], capture_output=True, check=True, text=True, timeout=60).stdout
    command = Command(list(path))
    head, _, rest = text.partition("Usage: ")
    command.description = " ".join(head.split())
    command.usage, _, rest = rest.partition("\n")
    parts = re.split(r"^(Positionals|Options|Subcommands):\n", rest, flags=re.MULTILINE)
    for title, body in zip(parts[1::2], parts[2::2]):
        table, _, after = body.partition("\n\n")
        command.footer = " ".join(after.split()) or command.footer
        for name, description in entries(table.splitlines()):
            if title == "Subcommands":
                command.commands.append(read(program, [*path, name]))
                command.commands[-1].description = description
            else:
                option = Option(name, description, title == "Positionals")
                (command.positionals if title == "Positionals" else command.options).append(option)
    if not command.options:
        raise ValueError(f"{program} {' '.join(path)} --help: no options")
    return command
