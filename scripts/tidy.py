#!/usr/bin/env python3
"""Runs clang-tidy over the project's sources, several at a time.

  scripts/tidy.py BUILD_DIR [--all] [--changed] [--seconds N] [FILE…]

A file that was clean before is left out as long as nothing that the compiler sees of it has changed; --all looks at
every one. What was clean is remembered beside the compiler's cache (ccache), which is what a machine keeps between
clones, or where there is none in $XDG_CACHE_HOME/lihandoverd-tidy.

--changed: only sources that changed, and one that includes it for each header that did: since they left origin's main
branch, or, on that very branch, in its last 25 commits (TIDY_SINCE names another commit). The latest come first, headers
last. --seconds: begins no file after so long; what was left out for that is said, and is no failure.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIDY = os.environ.get("CLANG_TIDY", "clang-tidy-19")
COMMITS = 25


def memory():
    done = subprocess.run(["ccache", "--get-config", "cache_dir"], capture_output=True, text=True) \
        if shutil.which("ccache") else None
    if done is not None and done.returncode == 0 and os.path.isabs(done.stdout.strip()):
        return os.path.join(done.stdout.strip(), "lihandoverd-tidy")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "lihandoverd-tidy")


MEMORY = memory()


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.rstrip() if done.returncode == 0 else None


def since():
    """The commit that changes are counted from, or None if the history does not tell."""
    if os.environ.get("TIDY_SINCE"):
        return git("rev-parse", "--verify", os.environ["TIDY_SINCE"] + "^{commit}")
    head, main = git("rev-parse", "HEAD"), git("rev-parse", "--verify", "origin/main") or git("rev-parse", "main")
    fork = git("merge-base", head, main) if head and main else None
    if fork and fork != head:
        return fork
    commits = (git("rev-list", f"--max-count={COMMITS + 1}", "HEAD") or "").split()
    return commits[-1] if len(commits) > 1 else None


def changed_files():
    """Changed files with a number, the lowest for the latest; None if that cannot be determined."""
    base = since()
    if base is None:
        return None
    paths = (git("status", "--porcelain", "--no-renames", "--untracked-files=all") or "").splitlines()
    order = [path[3:] for path in paths]
    order += (git("log", "--format=", "--name-only", "--no-renames", f"{base}..HEAD") or "").split("\n")
    # What was changed and then changed back does not count.
    real = set((git("diff", "--name-only", "--no-renames", base) or "").split("\n")) | {path[3:] for path in paths}
    ranks = {}
    for path in order:
        if path in real:
            ranks.setdefault(os.path.join(ROOT, path), len(ranks))
    return ranks


def included(build):
    """What each object file was made from, as the build noted it."""
    done = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True)
    objects, files = {}, []
    for line in done.stdout.splitlines():
        if line and not line.startswith(" "):
            files = objects.setdefault(line.split(":")[0], [])
        elif line:
            files.append(os.path.normpath(os.path.join(build, line.strip())))
    return objects


def only_changed(entries, build):
    ranks = changed_files()
    if ranks is None:
        print("clang-tidy: no history to tell what changed; looking at everything")
        return entries
    chosen = {path: ranks[path] for path in entries if path in ranks}
    objects = included(build)
    made_from = {path: set(objects.get(entry.get("output") or object_of(entry), ())) for path, entry in entries.items()}
    for header, rank in ranks.items():
        includers = [path for path in entries if header in made_from[path]]
        if header not in entries and includers and not any(path in chosen for path in includers):
            # Its own source, if it has one.
            one = min(includers, key=lambda path: (stem(path) != stem(header), path))
            chosen[one] = rank + len(ranks)
    return {path: entries[path] for path in sorted(chosen, key=lambda path: (chosen[path], path))}


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def object_of(entry):
    words = shlex.split(entry["command"])
    return words[words.index("-o") + 1]


def without_precompiled_headers(command):
    """clang-tidy cannot read GCC's; and a file has to include what it uses."""
    words = shlex.split(command)
    for at in reversed(range(len(words))):
        if words[at] == "-include" and words[at + 1].endswith("/cmake_pch.hxx"):
            del words[at:at + 2]
    return shlex.join(word for word in words if word not in ("-Winvalid-pch", "-fpch-preprocess"))


def preprocessed(entry):
    words = shlex.split(entry["command"])
    at = words.index("-o")
    del words[at:at + 2]
    words = [w for w in words if w != "-c"] + ["-E", "-C", "-o", "-"]
    done = subprocess.run(words, cwd=entry["directory"], capture_output=True)
    if done.returncode:
        return None
    # The checkout's location is no reason to look again.
    return done.stdout.replace(ROOT.encode(), b"")


def only_misread_coroutines(output):
    """Clang's analyzer treats a coroutine as a function, and finds Boost's frame of it uninitialised. The place is in
    Boost's header, where no NOLINT of ours can stand."""
    places = re.findall(r"^(\S+?):\d+:\d+: (?:error|warning): .*\[(\S+?)[,\]]", output, flags=re.M)
    others = re.findall(r"^(?:fatal )?error: ", output, flags=re.M)
    return bool(places) and not others and all(
        path.endswith("/boost/asio/impl/awaitable.hpp") and check == "clang-analyzer-core.NullDereference"
        for path, check in places)


def look(entry, commands, salt, everything):
    text = preprocessed(entry)
    mark = os.path.join(MEMORY, hashlib.sha256(salt + text).hexdigest()) if text is not None else None
    if mark and not everything and os.path.exists(mark):
        return True, "", entry["file"]
    # The compile commands are GCC's, with warnings that Clang does not have.
    done = subprocess.run([TIDY, "-p", commands, "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                           entry["file"]], cwd=ROOT, capture_output=True, text=True)
    clean = done.returncode == 0 or only_misread_coroutines(done.stdout)
    if clean and mark:
        with open(mark, "w", encoding="ascii"):
            pass
    output = "" if clean else re.sub(r"^\d+ warnings? .*\n", "", done.stdout + done.stderr, flags=re.M)
    return clean, output, entry["file"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    until = time.monotonic() + options.seconds

    build, wanted = os.path.abspath(options.build), {os.path.abspath(a) for a in options.files}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    entries = [dict(e, command=without_precompiled_headers(e["command"])) for e in entries]
    own = re.compile(re.escape(ROOT) + r"/(src|tests|bench)/.*\.cpp$")
    entries = {e["file"]: e for e in entries
               if own.match(e["file"]) and "/src/boost/" not in e["file"] and (not wanted or e["file"] in wanted)}
    if options.changed:
        entries = only_changed(entries, build)
    os.makedirs(MEMORY, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    with open(os.path.join(ROOT, ".clang-tidy"), "rb") as file:
        salt = version + file.read()

    held = tempfile.TemporaryDirectory()
    with open(os.path.join(held.name, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(list(entries.values()), file)

    def look_in_time(entry):
        return look(entry, held.name, salt, options.all) if time.monotonic() < until else (None, "", entry["file"])

    bad = 0
    left_out = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = [pool.submit(look_in_time, entry) for entry in entries.values()]
        for one in concurrent.futures.as_completed(work):
            clean, output, path = one.result()
            if output.strip():
                print(output.rstrip(), flush=True)
            if clean is None:
                left_out.append(os.path.relpath(path, ROOT))
            elif not clean:
                bad += 1
                print(f"clang-tidy: {os.path.relpath(path, ROOT)}", flush=True)
    print(f"clang-tidy: {len(entries) - len(left_out)} files, {bad} with findings")
    if left_out:
        print(f"clang-tidy: left out for want of time: {len(left_out)} files, {', '.join(sorted(left_out)[:5])} …")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
