"""A program's command line, as its own --help tells it (CLI11)."""

import re
import subprocess

# Where descriptions begin; a name that reaches further has its description on the next line.
COLUMN = 30


# The kind of a value, then what is checked of it, then its default: UINT:INT in [1 - 100]=1
VALUE = re.compile(r"(?P<kind>[A-Z][A-Za-z]*)(?::(?P<check>\{[^}]*\}|\w+ in \[[^]]*\]|\w+(?:\([^)]*\))?))?(?:=(?P<default>\S+))?(?= |$)")


class Option:
    """names: as typed, none of a positional argument
    value: what it takes, by the name that --help gives it; empty for a flag
    choices: all values that it takes, where they are few
    relations: `Needs: --content`
    unknown: what this does not understand of it"""

    def __init__(self, text, description, positional):
        name, _, rest = text.partition(" ")
        self.names = [] if positional else name.split(",")
        self.description = description
        self.value = name if positional else ""
        self.required, self.many, self.choices, self.default = False, False, [], ""
        self.relations, self.unknown = [], []
        rest = rest.strip()
        found = VALUE.match(rest)
        if found and found.group("kind") not in ("REQUIRED", "Needs", "Excludes"):
            rest = rest[found.end():]
            self.default = found.group("default") or ""
            check = found.group("check") or ""
            self.choices = check[1:-1].split(",") if check.startswith("{") else []
            self.value = self.value or found.group("kind")
        self.read_words(rest.split())

    def read_words(self, words):
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
            else:
                self.unknown.append(word)

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
        elif len(line) > COLUMN and line[COLUMN - 1] != " ":
            yield line.strip(), ""
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
