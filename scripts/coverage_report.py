#!/usr/bin/env python3
"""Prints what gcovr counted: lines run, by room, and the files with the most lines that nothing runs.

  scripts/coverage_report.py COVERAGE_JSON [--least PERCENT] [--all]
"""

import argparse
import json
import sys
from collections import defaultdict


def ranges(numbers: list[int], known: list[int]) -> str:
    """Line numbers with consecutive ones joined; lines without code in between do not split a range."""
    place = {line: at for at, line in enumerate(known)}
    parts: list[list[int]] = []
    for number in numbers:
        if parts and place[number] == place[parts[-1][1]] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counted")
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()

    with open(options.counted, encoding="utf-8") as file:
        counted = json.load(file)
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    files = []
    for entry in counted["files"]:
        hits: dict[int, int] = defaultdict(int)
        for line in entry["lines"]:
            if not line.get("gcovr/noncode"):
                hits[line["line_number"]] += line["count"]
        if not hits:
            continue
        known = sorted(hits)
        missed = [line for line in known if hits[line] == 0]
        room = rooms[entry["file"].split("/")[1]]
        room[0] += len(known) - len(missed)
        room[1] += len(known)
        files.append((entry["file"], known, missed))
    run, total = (sum(room[n] for room in rooms.values()) for n in (0, 1))
    if total == 0:
        print("coverage: nothing was counted", file=sys.stderr)
        return 1

    print("Lines of src/ that the tests run, by room:")
    for name, (of_room, all_of_room) in sorted(rooms.items(), key=lambda item: item[1][0] / item[1][1]):
        print(f"  {name:14} {100 * of_room / all_of_room:5.1f} %  {of_room:6} of {all_of_room}")
    missing = sorted((file for file in files if file[2]), key=lambda file: -len(file[2]))
    shown = missing if options.all else missing[:15]
    print("Not run, the most first:")
    for path, known, missed in shown:
        text = ranges(missed, known)
        if not options.all and len(text) > 150:
            text = text[:150].rsplit(",", 1)[0] + ", …"
        print(f"  {path} ({len(missed)} of {len(known)}): {text}")
    if len(shown) < len(missing):
        print(f"  and {sum(len(file[2]) for file in missing[len(shown):])} lines of {len(missing) - len(shown)} "
              "other files (--all)")
    percent = 100 * run / total
    print(f"Coverage of src/: {percent:.1f} % of {total} lines")
    if percent < options.least:
        print(f"coverage: less than {options.least:g} %")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
