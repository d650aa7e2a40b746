#!/usr/bin/env python3
"""Makes the man pages: the options of the programs are what they say on --help, those of the files docs/configuration.md,
which is made from their declarations. The rest is in the templates beside this.

    manual.py --lihandoverd PROGRAM --lihandoverctl PROGRAM --version VERSION --output DIR
    manual.py --test-program NAME=PROGRAM … --version VERSION --output DIR

They are of SOURCE_DATE_EPOCH's day, if that is set (https://reproducible-builds.org/specs/source-date-epoch/), else of today."""

import argparse
import os
import time

import command_line
import roff

HERE = os.path.dirname(os.path.abspath(__file__))
PAGES = ("lihandoverd.8", "lihandoverctl.1", "lihandoverd.yaml.5", "lihandoverd-warrant.5")


def option_text(option):
    names = ", ".join("\\fB" + roff.escape(name) + "\\fR" for name in option.names)
    if option.names and not option.value:
        return names
    value = "\\fI" + roff.escape(option.value) + "\\fR" + (" ..." if option.many else "")
    return names + " " + value if names else value


def facts_of(option):
    facts = []
    if option.required:
        facts.append("Required.")
    if option.choices:
        facts.append("One of " + ", ".join("\\fB" + roff.escape(choice) + "\\fR" for choice in option.choices) + ".")
    if option.default:
        facts.append("Default: \\fB" + roff.escape(option.default) + "\\fR.")
    words = {"Needs": "Only together with", "Excludes": "Not together with"}
    for relation, others in option.relations:
        facts.append(words[relation] + " " + ", ".join("\\fB" + roff.escape(other) + "\\fR" for other in others) + ".")
    return " ".join(facts)


def sentence(text):
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!")) else ".")


def options_of(command, skip=()):
    out = []
    for option in [*command.positionals, *command.options]:
        if set(option.names) & set(skip):
            continue
        out += [".TP", option_text(option)]
        if option.description:
            out.append(roff.line(roff.inline(sentence(option.description))))
        if facts := facts_of(option):
            out.append(roff.line(facts))
    return out


def commands_of(program):
    """Each with its own options; those of the program are told once."""
    out = []
    for command in program.every():
        does_something = not command.commands or any("--help" not in option.names for option in command.options)
        if not command.path or not does_something:
            continue
        usage = command.usage.removeprefix("lihandoverctl ").replace(" [OPTIONS]", "").replace(" [SUBCOMMAND]", "")
        name = " ".join(command.path)
        rest = usage.removeprefix(name)
        out += [".SS " + roff.argument("\\fB" + roff.escape(name) + "\\fR" + roff.escape(rest)),
                roff.line(roff.inline(sentence(command.description)))]
        out += options_of(command, ("--help",))
        if command.footer:
            out += [".PP", roff.line(roff.inline(command.footer))]
    return out


def source(*path):
    with open(os.path.join(os.path.dirname(os.path.dirname(HERE)), *path), encoding="utf-8") as file:
        return file.read()


def fill(page, replacements):
    text = source("packaging", "manual", page + ".in")
    for name, value in replacements.items():
        text = text.replace("@" + name + "@", value.rstrip("\n"))
    return text


def pages_of_the_daemon(wanted):
    daemon = command_line.read(wanted.lihandoverd)
    control = command_line.read(wanted.lihandoverctl)
    configuration, _, warrants = source("docs", "configuration.md").partition("## Warrant files\n")
    replacements = {
        "DAEMON_OPTIONS": "\n".join(options_of(daemon)),
        "OPTIONS": "\n".join(options_of(control)),
        "COMMANDS": "\n".join(commands_of(control)),
        "CONFIGURATION": roff.markdown(configuration),
        "WARRANT": roff.markdown(warrants),
    }
    return {page: (page, replacements) for page in PAGES}


def page_of(name, path):
    """Of a program with one template for all."""
    program = command_line.read(path)
    return {name + ".1": ("test-program.1", {
        "NAME": roff.escape(name),
        "TITLE": roff.escape(name.upper()),
        "WORDS": roff.escape(program.description.rstrip(".")),
        "USAGE": roff.escape(program.usage.removeprefix(name + " ")),
        "OPTIONS": "\n".join(options_of(program)),
    })}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lihandoverd")
    parser.add_argument("--lihandoverctl")
    parser.add_argument("--test-program", action="append", default=[])
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", required=True)
    wanted = parser.parse_args()
    pages = pages_of_the_daemon(wanted) if wanted.lihandoverd else {}
    for each in wanted.test_program:
        name, _, path = each.partition("=")
        pages |= page_of(name, path)
    common = {"DATE": time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))),
              "VERSION": wanted.version}
    os.makedirs(wanted.output, exist_ok=True)
    for page, (template, replacements) in pages.items():
        with open(os.path.join(wanted.output, page), "w", encoding="utf-8") as file:
            file.write(fill(template, {**replacements, **common}))


if __name__ == "__main__":
    main()
