#!/usr/bin/env python3
"""House rules that a compiler does not know. Prints each breach as FILE:LINE: what, and ends with 1 if there is one."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Which rooms' headers a room may include beside its own (docs/how-it-works.md). Nothing calls back up the line.
BASE = {"base", "model", "config", "metrics"}
ROOMS = {
    "base": set(),
    "model": {"base"},
    "config": {"base", "model"},
    "metrics": {"base", "model", "config"},
    "tls": BASE,
    "http": BASE | {"tls"},
    "warrants": BASE,
    "ims": BASE,
    "hi1": BASE,
    "handover": BASE | {"hi1"},
    "store": BASE,
    "intake": BASE | {"warrants", "store", "http", "ims"},
    "delivery": BASE | {"handover", "hi1", "store", "http"},
    "objectserver": BASE | {"store", "http"},
    "ctl": {"base"},  # knows the control API and nothing else
}
# tls's contexts and peer identities are part of http's interface: who may use the one sees the other.
for allowed in ROOMS.values():
    if "http" in allowed:
        allowed.add("tls")
ROOMS["admin"] = set(ROOMS) - {"ctl"}
ROOMS["app"] = set(ROOMS)

# Heavy headers: one costs 17 s to compile optimised, so they stay behind http's and tls's own interfaces. src/boost is
# where Boost itself is compiled.
HEAVY = re.compile(r"^(boost/beast|boost/asio/ssl|openssl/)")
HEAVY_HOMES = re.compile(r"^(src/(http|tls|boost)/[^/]*\.(cpp|hpp)|tests/.*\.(cpp|hpp)|bench/.*\.(cpp|hpp))$")
# Digests, which OpenSSL's own small headers give.
DIGESTS = {"openssl/evp.h", "openssl/sha.h", "openssl/hmac.h", "openssl/rand.h", "openssl/crypto.h"}

TEXT = (".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".yaml", ".yml", ".xsd", ".json", ".service",
        ".conf", "")

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
    # Split so that this file does not find itself.
    places = re.compile(r"(?<![\w.}$])/(home|root|mnt|media|wor" + r"k|far" + r"m)/|\.\./sh" + r"ared")
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|not (yet )?imple" + r"mented")
    for number, line in enumerate(lines, 1):
        if places.search(line):
            breach(path, number, "a path of one machine")
        if not path.startswith("docs/") and unfinished.search(line):
            breach(path, number, "unfinished")
        if path.startswith("tests/") and re.search(r"sleep_" + r"for|\bus" + r"leep\(", line):
            # Between two looks at a condition it may.
            before = " ".join(lines[max(0, number - 8):number])
            if not re.search(r"\b(while|for|eventually|wait_\w+) ?\(", before):
                breach(path, number, "a test waits for a condition, it does not sleep")


def check_headers(path, text):
    if path.endswith(".hpp") and "#pragma once" not in text:
        breach(path, 1, "#pragma once is missing")


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
    """Every test that docs/conformance.md names exists."""
    path = "docs/conformance.md"
    if path not in paths:
        return
    names = test_names(paths)
    for number, line in enumerate(read(path).splitlines(), 1):
        if not line.startswith("|"):
            continue
        for name in re.findall(r"`(\w+\.\w+)`", line.rsplit("|", 2)[1]):
            if name not in names:
                breach(path, number, f"there is no test {name}")


def main():
    paths = tracked()
    for path in paths:
        if os.path.splitext(path)[1] not in TEXT or path == "LICENSE":
            continue
        text = read(path)
        lines = text.splitlines()
        if path.endswith((".cpp", ".hpp", ".c", ".h")):
            check_includes(path, lines)
            check_headers(path, text)
        check_text(path, lines)
    check_rooms(paths)
    check_links(paths)
    check_conformance(paths)
    print("\n".join(breaches) if breaches else "house rules: kept")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
