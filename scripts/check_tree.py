#!/usr/bin/env python3
"""House rules that a compiler does not know. Prints each breach as FILE:LINE: what, and ends with 1 if there is one."""

import os
import re
import subprocess
import sys

from functions import functions
from own_names import clashes

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Which rooms' headers a room may include besides its own (docs/how-it-works.md). No room includes one above it.
BASE = {"base", "model", "config", "metrics"}
ROOMS = {
    "base": set(),
    "model": {"base"},
    "config": {"base", "model"},
    "metrics": {"base", "model", "config"},
    "tls": BASE,
    "http": BASE | {"tls"},
    "hi1": BASE,
    "handover": BASE | {"hi1"},
    "warrants": BASE,
    "audit": BASE,
    "store": BASE | {"audit"},
    "objects": BASE | {"store"},
    "ims": BASE,
    "intake": BASE | {"warrants", "store", "objects", "http", "ims"},
    "delivery": BASE | {"handover", "hi1", "store", "objects", "http"},
    "objectserver": BASE | {"store", "objects", "http"},
    "ctl": {"base", "model", "audit"},  # knows the control API, checks exports by itself, and nothing else
}
# The contexts and peer identities of tls are part of http's interface: whoever may use http sees them too.
for allowed in ROOMS.values():
    if "http" in allowed:
        allowed.add("tls")
ROOMS["admin"] = set(ROOMS) - {"ctl"}
ROOMS["app"] = set(ROOMS)

# Parts of a room: the first of each pair must not include the second.
LOWER_PARTS = [("src/intake/pipeline/", "src/intake/http/"), ("src/intake/pipeline/", "src/intake/x2x3/")]

# Heavy headers: one costs 17 s to compile optimised, so only http and tls include them, behind their own interfaces.
# src/boost is where Boost itself is compiled.
HEAVY = re.compile(r"^(boost/beast|boost/asio/ssl|openssl/)")
# audit reads the keys of its signatures.
HEAVY_HOMES = re.compile(r"^(src/(http|tls|boost)/[^/]*\.(cpp|hpp)|src/audit/signature\.cpp|tests/.*\.(cpp|hpp)|bench/.*\.(cpp|hpp))$")
# Digests, which OpenSSL's small headers declare.
DIGESTS = {"openssl/evp.h", "openssl/sha.h", "openssl/hmac.h", "openssl/rand.h", "openssl/crypto.h"}

TEXT = (".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".yaml", ".yml", ".xsd", ".json", ".service",
        ".conf", "")

# Functions fit a screen. Those that do not, and why.
MOST_LINES = 70
LONG = {
    ("src/config/destination_options.cpp", "delivery_options"): "a table",
    ("src/config/options.cpp", "configuration_schema"): "a table",
    ("tests/handover/validator_test.cpp", "other_messages"): "a table",
    ("tests/handover/validator_test.cpp", "edge_value"): "a table",
    ("tests/faults/plan.py", "draw"): "draws in a fixed order, so that a number gives the same episode",
    ("tests/intake/event_parser_test.cpp", "TEST_F(EventParserTest, ReadsEveryMember)"): "one event and all its members",
}

breaches = []


def breach(path, line, text):
    breaches.append(f"{path}:{line}: {text}")


def tracked():
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True).stdout
    return sorted(p for p in out.decode().split("\0") if p and os.path.isfile(os.path.join(ROOT, p)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def check_includes(path, lines):
    parts = path.split("/")
    room = None
    if parts[0] == "src" and len(parts) > 2:
        room = parts[1]
    elif parts[:2] == ["include", "lihandover"] and len(parts) > 3:
        room = parts[2]
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if not found:
            continue
        header = found.group(1)
        if HEAVY.match(header) and not HEAVY_HOMES.match(path):
            if not (header in DIGESTS and path.startswith("src/") and path.endswith(".cpp")):
                breach(path, number, f"<{header}> belongs to http and tls: use their interface")
        other = re.match(r"lihandover/([a-z0-9]+)/", header)
        if not other or room is None:
            continue
        other = other.group(1)
        if room in ROOMS and other != room and other not in ROOMS[room]:
            allowed = ", ".join(sorted(ROOMS[room])) or "no other room"
            breach(path, number, f"room {room} may use {allowed}; not {other}")
        if other == "app" and room != "app":
            breach(path, number, "nothing includes app")


def check_text(path, lines):
    # Split so that this file does not match itself.
    places = re.compile(r"(?<![\w.}$])/(home|root|mnt|media|wor" + r"k|far" + r"m)/|\.\./sh" + r"ared")
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|not (yet )?imple" + r"mented")
    for number, line in enumerate(lines, 1):
        if places.search(line):
            breach(path, number, "a path of one machine")
        if not path.startswith("docs/") and unfinished.search(line):
            breach(path, number, "unfinished")
        if path.startswith("tests/") and re.search(r"sleep_" + r"for|\bus" + r"leep\(", line):
            # Allowed between two checks of a condition.
            before = " ".join(lines[max(0, number - 8):number])
            if not re.search(r"\b(while|for|eventually|wait_\w+) ?\(", before):
                breach(path, number, "a test waits for a condition, it does not sleep")


def check_headers(path, text):
    if path.endswith(".hpp") and "#pragma once" not in text:
        breach(path, 1, "#pragma once is missing")


def check_own_headers(path, lines, known):
    """A private header is for its own room, and a part of a room for those above it."""
    parts = path.split("/")
    if parts[0] != "src" or len(parts) < 3:
        return
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not found or found.group(1).startswith("lihandover/"):
            continue
        header = found.group(1)
        own = os.path.normpath(f"src/{parts[1]}/{header}")
        beside = os.path.normpath(os.path.join(os.path.dirname(path), header))
        if own not in known and beside not in known and not header.endswith("_schema.hpp"):
            breach(path, number, f'"{header}" is not a header of the room {parts[1]}')
        for lower, upper in LOWER_PARTS:
            if path.startswith(lower) and (own.startswith(upper) or beside.startswith(upper)):
                breach(path, number, f"{lower} knows nothing of {upper}")


def check_table_of_rooms():
    """The table of rooms has no cycle, and docs/how-it-works.md lists the same rooms."""
    left = {room: allowed - {"admin", "app"} for room, allowed in ROOMS.items() if room not in ("admin", "app")}
    while left:
        free = [room for room, allowed in left.items() if not allowed & set(left)]
        if not free:
            breach("scripts/check_tree.py", 1, f"rooms in a circle: {', '.join(sorted(left))}")
            return
        for room in free:
            del left[room]
    for folder in sorted(os.listdir(os.path.join(ROOT, "src"))):
        path = f"src/{folder}/CMakeLists.txt"
        if folder not in ROOMS or not os.path.isfile(os.path.join(ROOT, path)):
            continue
        found = re.search(r"lihandover_room\(\w+[^)]*?\bROOMS\b([^)A-Z]*)", read(path))
        for other in (found.group(1).split() if found else []):
            if other in ROOMS and other not in ROOMS[folder]:
                breach(path, 1, f"room {folder} may not link {other}")
    text = read("docs/how-it-works.md")
    told = set(re.findall(r"^\| ([a-z0-9]+) \|", text[text.find("## Rooms"):text.find("## Threads")], re.M)) - {"room"}
    built = {folder for folder in os.listdir(os.path.join(ROOT, "src"))} - {"boost"}
    for room in sorted((told ^ built) & set(ROOMS)):
        breach("docs/how-it-works.md", 1, f"the table of rooms and src/ do not agree about {room}")


def check_threads(paths):
    """Whatever starts a thread is in the table of threads."""
    begins = re.compile(r"(std::j?thread|thread_pool)\s*(\w+_?)?\s*[({]|\w*thread\w* = std::j?thread\b")
    text = read("docs/how-it-works.md")
    told = text[text.find("## Threads"):]
    told = told[:told.find("\n## ", 3)]
    for path in paths:
        if path.startswith("src/") and path.endswith((".cpp", ".hpp")) and begins.search(read(path)):
            if f"`{path[len('src/'):]}`" not in told:
                breach(path, 1, "begins a thread that the table of threads in docs/how-it-works.md does not name")
    for path in re.findall(r"`([a-z0-9_/]+\.[ch]pp)`", told):
        if not os.path.isfile(os.path.join(ROOT, "src", path)):
            breach("docs/how-it-works.md", 1, f"the table of threads names {path}, which is not there")


def declared_options():
    """The full names of all options, as docs/configuration.md has them: intake.http.listen."""
    found, section = set(), ""
    for line in read("docs/configuration.md").splitlines():
        if heading := re.match(r"### `([^`]+)`", line):
            section = re.sub(r"\[\]|\.\*", "", heading.group(1)) + "."
        elif line.startswith("## "):
            section = ""
        elif row := re.match(r"\| `(\w+)` \|", line):
            found.add(section + row.group(1))
    return found


def check_names(paths):
    """Metrics and options that the documents name exist."""
    metrics = read("docs/metrics.md")
    known = set(re.findall(r"^\| `(lihandover_\w+)` \|", metrics, re.M))
    options = declared_options()
    sections = {part for option in options for part in option.split(".")[:-1]}
    for path in paths:
        if not path.endswith(".md") or path == "docs/metrics.md":
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            for name in re.findall(r"\blihandover_\w+", line):
                if path.startswith("docs/") and not {name, re.sub(r"_(bucket|count|sum)$", "", name)} & known:
                    breach(path, number, f"there is no metric {name}")
            if path != "docs/operations.md":
                continue
            for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`", line):
                if name.split(".")[0] in sections and not any(("." + each).endswith("." + name) for each in options):
                    breach(path, number, f"there is no option {name}")


def check_citations(path, lines, promises, known):
    """Promises are cited by a number that exists, documents by a path in the repository."""
    foreign = re.compile(r"\b(DES" + r"IGN|SP" + r"EC|LIM" + r"ITS|STY" + r"LE|[A-Z0-9-]+-FA" + r"CTS)\.md\b|\bDES" + r"IGN\b")
    if path.startswith("tests/fuzz/corpus/"):
        return
    for number, line in enumerate(lines, 1):
        if foreign.search(line):
            breach(path, number, "cites a document that is not in the repository")
        for cited in re.findall(r"\b[Pp]romises? (\d+(?:(?:, | and | to |–)\d+)*)", line):
            for one in map(int, re.findall(r"\d+", cited)):
                if one not in promises:
                    breach(path, number, f"there is no promise {one} in docs/promises.md")
        for cited in re.findall(r"(?<![\w/.])((?:docs|src|tests|bench|schemas)/[\w./-]+\.(?:md|xsd))\b", line):
            if cited not in known:
                breach(path, number, f"{cited} is not in the repository")


def check_length(path, text):
    long = {(path, name): (line, length) for line, name, length in functions(path, text) if length > MOST_LINES}
    for (_, name), (line, length) in long.items():
        if (path, name) not in LONG:
            breach(path, line, f"{name} has {length} lines: a function fits a screen, {MOST_LINES}")
    for _, name in {key for key in LONG if key[0] == path} - set(long):
        breach("scripts/check_tree.py", 1, f"{path}: {name} is no longer a long function")


def check_rooms(paths):
    for room in sorted({p.split("/")[1] for p in paths if p.startswith("src/") and p.count("/") > 1} - {"boost"}):
        readme = f"src/{room}/README.md"
        if readme not in paths:
            breach(readme, 1, "every room has a README: what it is for, whom it talks to, which header to open first")
        if room not in ROOMS:
            breach(readme, 1, "an unknown room: say in scripts/check_tree.py which others it may use")


def check_links(paths):
    known = set(paths) | {os.path.dirname(p) for p in paths}
    for path in paths:
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                place = os.path.normpath(os.path.join(os.path.dirname(path), target))
                if place not in known and place.rstrip("/") not in known:
                    breach(path, number, f"the link {target} leads nowhere")


def test_names(paths):
    names = set()
    for path in paths:
        if not path.startswith("tests/"):
            continue
        if path.endswith(".cpp"):
            for suite, case in re.findall(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(\s*(\w+)\s*,\s*(\w+)\s*\)", read(path),
                                          re.M):
                names.add(f"{suite}.{case}")
        elif path.endswith(".py"):
            group = None
            for line in read(path).splitlines():
                if found := re.match(r"class (\w+)", line):
                    group = found.group(1)
                elif (found := re.match(r"    def (test_\w+)", line)) and group:
                    names.add(f"{group}.{found.group(1)}")
    return names


def check_conformance(paths):
    """Every test that docs/conformance.md and docs/promises.md name exists."""
    names = test_names(paths)
    for number, line in enumerate(read("docs/conformance.md").splitlines(), 1):
        if line.startswith("|"):
            check_tests("docs/conformance.md", number, line.rsplit("|", 2)[1], names)
    for number, line in enumerate(read("docs/promises.md").splitlines(), 1):
        check_tests("docs/promises.md", number, line, names)


def check_tests(path, number, text, names):
    for name in re.findall(r"`([A-Z]\w+\.\w+)`", text):
        if name not in names:
            breach(path, number, f"there is no test {name}")


def check_built(paths, known):
    """Every source file is named by the CMakeLists.txt of its folder or of one above: a test that nothing builds passes
    for ever."""
    fuzzers = read("tests/fuzz/CMakeLists.txt")
    for path in paths:
        fuzzer = re.fullmatch(r"tests/fuzz/(\w+)_fuzz\.cpp", path)
        if fuzzer:
            if not re.search(rf"\({fuzzer[1]}\b", fuzzers):
                breach(path, 1, "is no fuzzer that tests/fuzz/CMakeLists.txt builds")
            continue
        if not path.endswith(".cpp") or path.startswith("cmake/"):
            continue
        folder = os.path.dirname(path)
        while True:
            lists = os.path.join(folder, "CMakeLists.txt") if folder else "CMakeLists.txt"
            name = os.path.relpath(path, folder or ".")
            if lists in known and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w.])", read(lists)):
                break
            if not folder:
                breach(path, 1, "is named in no CMakeLists.txt, so nothing builds it")
                break
            folder = os.path.dirname(folder)


def check_own_names(paths):
    """Files of a folder can be compiled together (cmake/Unity.cmake)."""
    for path, line, name, other in clashes((path, read(path)) for path in paths):
        breach(path, line, f"{name}: {other} has that for itself, too; share it, or say which it is")


def main():
    paths = tracked()
    known = set(paths)
    promises = set(map(int, re.findall(r"^## (\d+)\. ", read("docs/promises.md"), re.M)))
    for path in paths:
        if os.path.splitext(path)[1] not in TEXT or path == "LICENSE":
            continue
        text = read(path)
        lines = text.splitlines()
        if path.endswith((".cpp", ".hpp", ".c", ".h")):
            check_includes(path, lines)
            check_headers(path, text)
            check_own_headers(path, lines, known)
        check_text(path, lines)
        check_citations(path, lines, promises, known)
        check_length(path, text)
    check_built(paths, known)
    check_own_names(paths)
    check_rooms(paths)
    check_table_of_rooms()
    check_threads(paths)
    check_names(paths)
    check_links(paths)
    check_conformance(paths)
    print("\n".join(breaches) if breaches else "house rules: kept")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
