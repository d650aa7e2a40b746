"""Finds the functions of a C++ or Python file, and how many lines their bodies have (scripts/check_tree.py)."""

import ast
import re

# Lines that end with a brace but begin no function, by how their statement begins.
NO_FUNCTION = re.compile(r"(namespace|class|struct|enum|union|extern|if|for|while|switch|do|else|try)\b|\}"
                         r"|template <[^(]*> *(class|struct)\b")
# A statement that ends like this begins a value: a table, or a lambda beside a function.
A_VALUE = re.compile(r"= *(\w+)?\{$")
# A line after which a new statement begins.
ENDS = re.compile(r"[;{}]\s*(//.*)?$|^\s*(public|private|protected):|^\s*//|^\s*#")


def _cpp(lines):
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.endswith("{") or line.lstrip().startswith(("//", "*", "#")):
            continue
        first = at - 1
        while first > 0 and lines[first - 1].strip() and not ENDS.search(lines[first - 1]):
            first -= 1
        statement = " ".join(part.strip() for part in lines[first:at])
        if "(" not in statement or NO_FUNCTION.match(statement) or A_VALUE.search(statement):
            continue
        # clang-format puts the closing brace under the first word.
        closing = " " * (len(lines[first]) - len(lines[first].lstrip())) + "}"
        end = next((n for n in range(at, len(lines)) if lines[n].startswith(closing)), None)
        if end is not None:
            name = re.search(r"(~?[\w:]+|operator\S*) *\(([^()]*)", statement)
            if name is None:
                words = statement
            elif name.group(1).startswith("TEST"):
                words = f"{name.group(1)}({name.group(2)})"
            else:
                words = name.group(1)
            yield first + 1, words, end - at
            at = end + 1


def _python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, node.end_lineno - node.lineno


def functions(path, text):
    """(line, name, lines of its body) of each; what is inside a C++ function counts as part of it."""
    if path.endswith((".cpp", ".hpp", ".c", ".h")):
        yield from _cpp(text.splitlines())
    elif path.endswith(".py"):
        yield from _python(text)
