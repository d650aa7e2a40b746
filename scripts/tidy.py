#!/usr/bin/env python3
"""Runs clang-tidy over the project's sources, several at a time.

  scripts/tidy.py BUILD_DIR [--all] [FILE…]

A file that was clean before is left out as long as nothing that the compiler sees of it has changed; --all looks at
every one. What was clean is remembered in $XDG_CACHE_HOME/lihandoverd-tidy.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIDY = os.environ.get("CLANG_TIDY", "clang-tidy-19")
MEMORY = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "lihandoverd-tidy")


def preprocessed(entry):
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    at = words.index("-o")
    del words[at:at + 2]
    words = [w for w in words if w != "-c"] + ["-E", "-C", "-o", "-"]
    done = subprocess.run(words, cwd=entry["directory"], capture_output=True)
    if done.returncode:
        return None
    # The checkout's place is no reason to look again.
    return done.stdout.replace(ROOT.encode(), b"")


def look(entry, salt, everything):
    text = preprocessed(entry)
    mark = os.path.join(MEMORY, hashlib.sha256(salt + text).hexdigest()) if text is not None else None
    if mark and not everything and os.path.exists(mark):
        return True, "", entry["file"]
    # The compile commands are GCC's, with warnings that clang has not.
    done = subprocess.run([TIDY, "-p", entry["build"], "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                           entry["file"]], cwd=ROOT, capture_output=True, text=True)
    clean = done.returncode == 0
    if clean and mark:
        with open(mark, "w", encoding="ascii"):
            pass
    output = re.sub(r"^\d+ warnings? .*\n", "", done.stdout + ("" if clean else done.stderr), flags=re.M)
    return clean, output, entry["file"]


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    everything = "--all" in sys.argv
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    build, wanted = os.path.abspath(arguments[0]), {os.path.abspath(a) for a in arguments[1:]}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    own = re.compile(re.escape(ROOT) + r"/(src|tests|bench)/.*\.cpp$")
    entries = {e["file"]: dict(e, build=build) for e in entries
               if own.match(e["file"]) and "/src/boost/" not in e["file"] and (not wanted or e["file"] in wanted)}
    os.makedirs(MEMORY, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    with open(os.path.join(ROOT, ".clang-tidy"), "rb") as file:
        salt = version + file.read()
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = [pool.submit(look, e, salt, everything) for e in entries.values()]
        for one in concurrent.futures.as_completed(work):
            clean, output, path = one.result()
            if output.strip():
                print(output.rstrip(), flush=True)
            if not clean:
                bad += 1
                print(f"clang-tidy: {os.path.relpath(path, ROOT)}", flush=True)
    print(f"clang-tidy: {len(entries)} files, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
