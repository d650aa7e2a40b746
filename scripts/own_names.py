"""Finds names that a file has for itself, in an anonymous namespace, and another file of its folder too, or a header of
its room (scripts/check_tree.py). A unity build (cmake/Unity.cmake) compiles such files together: the name is an error
there, or hides the header's from the files behind it."""

import collections
import os
import re

# The folders that are built so (lihandover_unity).
FOLDERS = re.compile(r"(src/(?!boost/).*|tests/(lea-sim|x2x3-send))/[^/]*\.cpp$")
# Programs' main files are compiled by themselves.
ALONE = {"src/app/main.cpp", "src/app/wiping_memory.cpp", "tests/lea-sim/main.cpp", "tests/x2x3-send/main.cpp"}

OPENED, CLOSED = "namespace {", "}  // namespace"
NO_STATEMENT = ("//", "}", "#", "namespace lihandover")
A_TYPE = re.compile(r"(?:template <.*> *)?(?:struct|class|enum class|enum|union|concept) (?:\[\[.*?\]\] )?(\w+)")
AN_ALIAS = re.compile(r"(?:template <.*> *)?(?:using (\w+) =|namespace (\w+) =)")
A_FUNCTION = re.compile(r"[^=]*?\b(\w+)\((.*)")
A_VALUE = re.compile(r"[^=({]*?\b(\w+)(?:\[[^\]]*\])*(?: =|\{|\(|;)")


def _parameters(text):
    """The types, as far as spelling tells: each parameter without its name and default."""
    depth, parts, part = 0, [], ""
    for character in text:
        if character in "(<[{":
            depth += 1
        elif character in ")>]}":
            if depth == 0:
                break
            depth -= 1
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    parts.append(part)
    without_default = (each.split(" = ")[0].strip() for each in parts)
    return tuple(re.sub(r"(?<=[\w>&*] )\w+$|(?<=[>&*])\w+$|/\*.*?\*/", "", each).strip() for each in without_default)


def _statements(text, own):
    """What stands at the margin, in anonymous namespaces or outside them: each as one line, with the number of its
    first."""
    inside, statement, first = False, "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line in (OPENED, CLOSED):
            inside, statement = line == OPENED, ""
        elif inside == own and (statement or (line[:1].strip() and not line.startswith(NO_STATEMENT))):
            first = first if statement else number
            statement += (" " if statement else "") + line.strip()
            if line.rstrip().endswith(("{", ";", "}")) or re.search(r"[;{}] +//", line):
                yield first, statement
                statement = ""


def names(text, own=True):
    """(line, name, what tells it from others of that name) of each; an alias may stand in several files alike."""
    for number, statement in _statements(text, own):
        statement = re.sub(r"^template <[^<>]*(<[^<>]*>[^<>]*)*> *(requires \S+ )?|\[\[\w+\]\] |inline ", "", statement)
        if statement.startswith("using ") and not AN_ALIAS.match(statement):
            continue  # of a name from elsewhere
        if alias := AN_ALIAS.match(statement):
            yield number, alias.group(1) or alias.group(2), statement
        elif a_type := A_TYPE.match(statement):
            yield number, a_type.group(1), None
        elif statement.startswith("constexpr") and (value := A_VALUE.match(statement)) and not (
                statement.endswith("{") and ")" in statement):
            yield number, value.group(1), None
        elif function := A_FUNCTION.match(statement):
            if not re.search(r"::~?\w+\($", statement[:function.start(2)]):  # of a class that is told already
                yield number, function.group(1), _parameters(function.group(2))
        elif value := A_VALUE.match(statement):
            yield number, value.group(1), None


def _clash(one, other):
    """Whether one file may not have both: functions may share a name, and an alias may be repeated."""
    if isinstance(one, str) and isinstance(other, str):
        return one != other
    return one == other or not (isinstance(one, tuple) and isinstance(other, tuple))


def _headers_of(folder, headers):
    """Those that files of the folder may include in whose namespace they are."""
    parts = folder.split("/")
    places = {folder}
    if parts[0] == "src":
        places |= {f"include/lihandover/{parts[1]}", f"src/{parts[1]}", f"src/{parts[1]}/common"}
    return [path for path in headers if os.path.dirname(path) in places]


def clashes(files):
    """(path, line, name, the other path) of each, from pairs of path and text."""
    texts = dict(files)
    headers = {path: {name for _, name, _ in names(text, False)} for path, text in texts.items()
               if path.endswith(".hpp")}
    seen = collections.defaultdict(list)
    for path, text in texts.items():
        folder = os.path.dirname(path)
        if not FOLDERS.match(path) or path in ALONE or path.endswith("_test.cpp"):
            continue
        for number, name, what in names(text):
            # Even a function of another kind: from files behind it, it hides the header's.
            other = next((each for each in _headers_of(folder, headers) if name in headers[each]), None)
            other = other or next((each for each, its in seen[folder, name] if each != path and _clash(what, its)),
                                  None)
            if other:
                yield path, number, name, other
            seen[folder, name].append((path, what))
