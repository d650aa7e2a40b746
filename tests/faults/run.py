#!/usr/bin/env python3
"""Faults at random around the real programs; see README.md.

  scripts/faults --minutes N [--seed S] [--keep-going] [--keep DIR]
  scripts/faults --replay EPISODE [--times N]     one episode again
  scripts/faults --plan EPISODE                   only shows what it would do
  scripts/faults --check EVIDENCE.json            judges a kept episode once more
"""

import argparse
import faulthandler
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time

import episode as episodes  # finds the harness of the system tests
import harness
import model
import plan as plans


def run_one(seed, directory, quick=False, keep=False, only=(), say=print):
    """Whether all promises were kept. The directory goes when they were."""
    plan = plans.draw(seed, quick, only)
    place = os.path.join(directory, f"episode-{seed}")
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    with open(os.path.join(place, "plan.json"), "w", encoding="utf-8") as file:
        json.dump(plan, file, indent=1)
    kinds = sorted({fault["kind"] for fault in plan["faults"]})
    say(f"episode {seed}: {plan['duration']} s, {len(plan['leas'])} LEAs, {len(plan['warrants'])} warrants, "
        f"{', '.join(kinds)}", flush=True)
    begun = time.monotonic()
    episode = episodes.Episode(plan, place, say)
    breaches = episode.run()
    if episode.left_out:
        say(f"  left out for want of the shim, libfaketime or a tmpfs: {dict(episode.left_out)}")
    say(f"  {episode.summary()}, {time.monotonic() - begun:.0f} s", flush=True)
    if breaches:
        more = (" --quick" if quick else "") + (f" --only {','.join(only)}" if only else "")
        say(f"  BROKEN: replay with scripts/faults --replay {seed}{more}; all of it is in {place}")
        for breach in breaches[:20]:
            say(f"  {breach}")
        if len(breaches) > 20:
            say(f"  and {len(breaches) - 20} more")
        with open(os.path.join(place, "breaches.txt"), "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{breach}\n" for breach in breaches)
    elif not keep:
        shutil.rmtree(place, ignore_errors=True)
    return not breaches


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--keep-going", action="store_true", help="do not end with the first broken promise")
    parser.add_argument("--keep", metavar="DIR", help="keep every episode there, not only bad ones")
    parser.add_argument("--replay", metavar="EPISODE", type=int)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="short episodes, as in the tests")
    parser.add_argument("--plan", metavar="EPISODE", type=int)
    parser.add_argument("--check", metavar="EVIDENCE")
    parser.add_argument("--only", metavar="KIND,…", default="", help="no other faults; part of what replays need")
    options = parser.parse_args()
    only = tuple(filter(None, options.only.split(",")))
    for kind in only:
        if kind not in plans.FAULTS:
            parser.error(f"no fault {kind}; there are {', '.join(plans.FAULTS)}")
    if options.plan is not None:
        print(json.dumps(plans.draw(options.plan, options.quick, only), indent=1))
        return 0
    if options.check:
        with open(options.check, encoding="utf-8", errors="surrogatepass") as file:
            breaches = model.check(json.load(file))
        print("\n".join(map(str, breaches)) or "all promises kept")
        return 1 if breaches else 0
    harness.raise_descriptor_limit(20000)
    faulthandler.register(signal.SIGUSR1)  # says where it hangs
    directory = options.keep or tempfile.mkdtemp(prefix="lihandover-faults-")
    os.makedirs(directory, exist_ok=True)
    good, bad = 0, []
    if options.replay is not None:
        numbers = [options.replay] * options.times
        end = float("inf")
    else:
        print(f"seed {options.seed}, {options.minutes:g} minutes")
        numbers = plans.seeds(options.seed)
        end = time.monotonic() + options.minutes * 60
    for number in numbers:
        if time.monotonic() > end:
            break
        if run_one(number, directory, options.quick, bool(options.keep), only):
            good += 1
        else:
            bad.append(number)
            if not options.keep_going:
                break
    print(f"{good} episodes kept all promises, {len(bad)} did not" + (f": {bad}" if bad else ""))
    if not bad and not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
