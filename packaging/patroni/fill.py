#!/usr/bin/env python3
"""Fills in a template: fill.py VALUES MACHINE TEMPLATE > FILE. Each @NAME@ is replaced by what the section of the machine
in VALUES (values.ini) says of it, else its [DEFAULT]. One that is missing or empty is a mistake."""

import configparser
import re
import sys


def values_of(path, machine):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # names are as they are written
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    if machine not in parser:
        raise ValueError(f"{path}: no section [{machine}]")
    return dict(parser[machine])


def fill(template, values):
    """The text of the template file with the values in it."""
    with open(template, encoding="utf-8") as file:
        text = file.read()
    missing = sorted(name for name in names_in(text) if not values.get(name))
    if missing:
        raise ValueError(f"{template}: no value for {', '.join(missing)}")
    return re.sub(r"@([A-Z0-9_]+)@", lambda found: values[found.group(1)], text)


def names_in(text):
    return set(re.findall(r"@([A-Z0-9_]+)@", text))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        sys.stdout.write(fill(sys.argv[3], values_of(sys.argv[1], sys.argv[2])))
    except (OSError, ValueError, configparser.Error) as error:
        sys.exit(f"fill.py: {error}")
