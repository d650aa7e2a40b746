#!/usr/bin/env python3
"""Makes the completion of bash, zsh and fish for a program, of what it says on --help.

    completion.py --program NAME=PATH… --output DIR"""

import argparse
import os

import command_line


def single_quoted(text):
    """For a shell. fish reads \\ within single quotes, the others do not; descriptions have none."""
    return "'" + text.replace("'", "'\\''") + "'"


def is_file(option):
    return option.long in ("FILE", "DIR", "--config", "--socket", "--key")


def function_name(program):
    return "_" + program.replace("-", "_")


# -- bash


def bash_case(command, program):
    """What may stand behind one command: its own options and the program's, its commands, its positionals' choices."""
    options = {name for option in [*command.options, *program.options] for name in option.names}
    words = sorted(name for name in options if name.startswith("--")) + [each.path[-1] for each in command.commands]
    files = "yes" if any(is_file(option) for option in command.positionals) else ""
    return f"        {single_quoted(' '.join(command.path))}) words={single_quoted(' '.join(words))} files={files} ;;"


def bash_values(program):
    """What an option takes, whichever the command."""
    values = {}
    for command in program.every():
        for option in command.options:
            for name in option.names if option.value else []:
                values[name] = option
    lines = []
    for name, option in sorted(values.items()):
        if option.choices:
            action = f"mapfile -t COMPREPLY < <(compgen -W {single_quoted(' '.join(option.choices))} -- \"$current\"); "
        else:
            action = BASH_FILES if is_file(option) else ""
        lines.append(f"        {name}) {action}return ;;")
    return lines


def bash_command(nested, with_value):
    return [
        "    # The command so far: the words that lead to one, but for those that an option takes.",
        '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        "        if [ -n \"$value\" ]; then",
        "            value=",
        "            continue",
        "        fi",
        "        case $word in",
        f"            {'|'.join(with_value)}) value=yes ;;",
        "        esac",
        '        case "${command:+$command }$word" in',
        f"            {'|'.join(single_quoted(each) for each in nested)}) command=${{command:+$command }}$word ;;",
        "        esac",
        "    done",
    ]


BASH_FILES = 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); '


def bash(name, program):
    nested = [" ".join(command.path) for command in program.every() if command.path]
    with_value = sorted({each for command in program.every() for option in command.options if option.value
                         for each in option.names})
    return "\n".join([
        f"# bash completion for {name}, made of what it says on --help",
        f"{function_name(name)}() {{",
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command='' words='' files='' word value=''",
        "    COMPREPLY=()",
        "    case $previous in",
        *bash_values(program),
        "    esac",
        *(bash_command(nested, with_value) if nested else []),
        "    case $command in",
        *[bash_case(command, program) for command in program.every()],
        "    esac",
        '    if [ -n "$files" ] && [[ $current != -* ]]; then',
        "        " + BASH_FILES.rstrip("; "),
        "    else",
        '        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")',
        "    fi",
        "}",
        f"complete -F {function_name(name)} {name}", ""])


# -- zsh


def zsh_text(text):
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def zsh_action(option):
    if option.choices:
        return "(" + " ".join(option.choices) + ")"
    return "_files" if is_file(option) else " "


def zsh_options(options):
    for option in options:
        value = f":{zsh_text(option.value)}:{zsh_action(option)}" if option.value else ""
        for name in option.names:
            others = "*" if option.many or option.value and "--key" in option.names else f"({' '.join(option.names)})"
            yield single_quoted(f"{others}{name}[{zsh_text(option.description)}]{value}")


def zsh_positionals(command):
    for number, option in enumerate(command.positionals, 1):
        place = "*" if option.many or is_file(option) else str(number)
        yield single_quoted(f"{place}:{zsh_text(option.value)}:{zsh_action(option)}")


def zsh_function(name, command, program):
    own = command.options if command is program else [*command.options, *(
        option for option in program.options if "--help" not in option.names)]
    function = "_".join([function_name(name), *command.path]).replace("-", "_")
    lines = [f"{function}() {{"]
    if not command.commands:
        lines += ["    _arguments -s \\", *[f"        {each} \\" for each in [*zsh_options(own), *zsh_positionals(command)]],
                  "        && return 0", "    return 1", "}", ""]
        return lines
    lines += ["    local curcontext=$curcontext state line ret=1", "    typeset -A opt_args", "    _arguments -C -s \\",
              *[f"        {each} \\" for each in zsh_options(own)], "        '1:command:->command' \\",
              "        '*::argument:->argument' && ret=0", "    case $state in", "        command)",
              "            local -a commands=("]
    lines += [f"                {single_quoted(each.path[-1] + ':' + zsh_text(each.description))}" for each in command.commands]
    lines += ["            )", "            _describe command commands && ret=0", "            ;;", "        argument)",
              "            case $words[1] in"]
    lines += [f"                {each.path[-1]}) {'_'.join([function_name(name), *each.path]).replace('-', '_')} && ret=0 ;;"
              for each in command.commands]
    lines += ["            esac", "            ;;", "    esac", "    return ret", "}", ""]
    return lines


def zsh(name, program):
    lines = [f"#compdef {name}", f"# zsh completion for {name}, made of what it says on --help", ""]
    for command in program.every():
        lines += zsh_function(name, command, program)
    return "\n".join([*lines, f'{function_name(name)} "$@"', ""])


# -- fish


def fish_condition(command, program):
    """True behind this very command, and not yet behind one below it."""
    if not command.path:
        return "__fish_use_subcommand" if program.commands else ""
    parts = [f"__fish_seen_subcommand_from {word}" for word in command.path]
    if command.commands:
        parts.append("not __fish_seen_subcommand_from " + " ".join(each.path[-1] for each in command.commands))
    return "; and ".join(parts)


def fish_option(option):
    words = []
    for name in option.names:
        words += ["-l", name[2:]] if name.startswith("--") else ["-s", name[1:]]
    if option.value:
        words.append("-r")
        if option.choices:
            words += ["-f", "-a", single_quoted(" ".join(option.choices))]
        elif is_file(option):
            words.append("-F")
        else:
            words.append("-f")
    return " ".join([*words, "-d", single_quoted(option.description)])


def fish(name, program):
    lines = [f"# fish completion for {name}, made of what it says on --help", f"complete -c {name} -f"]
    for command in program.every():
        condition = fish_condition(command, program)
        start = f"complete -c {name}" + (f" -n {single_quoted(condition)}" if condition else "")
        lines += [f"{start} -a {each.path[-1]} -d {single_quoted(each.description)}" for each in command.commands]
        if command is program:
            # They are taken behind any command, too.
            lines += [f"complete -c {name} {fish_option(option)}" for option in command.options]
        else:
            lines += [f"{start} {fish_option(option)}" for option in command.options if "--help" not in option.names]
        if any(is_file(option) for option in command.positionals):
            lines.append(f"{start} -F")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", action="append", required=True, help="NAME=PATH")
    parser.add_argument("--output", required=True)
    wanted = parser.parse_args()
    for each in wanted.program:
        name, _, path = each.partition("=")
        program = command_line.read(path)
        for folder, file, make in (("bash", name, bash), ("zsh", "_" + name, zsh), ("fish", name + ".fish", fish)):
            os.makedirs(os.path.join(wanted.output, folder), exist_ok=True)
            with open(os.path.join(wanted.output, folder, file), "w", encoding="utf-8") as out:
                out.write(make(name, program))


if __name__ == "__main__":
    main()
