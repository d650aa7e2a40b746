"""What scripts/bench does after it has built."""
from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import time
from typing import Any

import bench.figures  # noqa: F401  (declares them)
from bench import prepare, report
from bench.measure import DEFAULT, FULL, GROUPS, QUICK, judge
from bench.rig import ROOT, Rig
from bench.sweeps import SWEEPS
from bench.sweeps import run as run_sweep

ORDER = {"figures": [figure.name for group in GROUPS for figure in group.figures],
         "sweeps": [sweep.name for sweep in SWEEPS]}


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def list_all() -> None:
    print("Figures:")
    for group in GROUPS:
        for figure in group.figures:
            against = f" / {figure.baseline}" if figure.baseline else ""
            print(f"  {figure.name:24} {figure.measures}{against}  [{figure.unit}; {figure.target or 'no target'}]")
    print("Sweeps (--sweeps):")
    for sweep in SWEEPS:
        print(f"  {sweep.name:24} {sweep.title}: {', '.join(map(report.plain, sweep.points))}")


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Installs what is missing, builds release, "
                                     "measures figures beside their baselines, and says which targets are met.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures, with --sweeps also sweeps; none: all")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="tiny sizes: only shows that everything works")
    size.add_argument("--full", action="store_true", help="more and longer runs")
    parser.add_argument("--sweeps", action="store_true", help="also the sweeps; with names, only those named")
    parser.add_argument("--json", metavar="FILE", help="writes the results there as well")
    parser.add_argument("--plots", metavar="DIR", help="draws the results there")
    parser.add_argument("--docs", action="store_true", help="writes docs/performance.json, its plots and tables")
    parser.add_argument("--list", action="store_true", help="says what there is")
    parser.add_argument("--render", action="store_true", help="makes plots and tables from docs/performance.json again")
    parser.add_argument("--check", action="store_true", help="ends with 1 where docs/performance.md disagrees with it")
    parser.add_argument("--repeat", type=int, help="runs of each figure")
    parser.add_argument("--build-dir", default="build-bench", help="default: build-bench")
    parser.add_argument("--no-build", action="store_true", help="takes what is built there as it is")
    chosen = parser.parse_args(arguments)
    known = ORDER["figures"] + ORDER["sweeps"]
    for name in chosen.names:
        if name not in known:
            parser.error(f"there is no {name}: see --list")
        if name in ORDER["sweeps"] and not chosen.sweeps:
            parser.error(f"{name} is a sweep: add --sweeps")
    if chosen.docs and chosen.quick:
        parser.error("--quick measures nothing that belongs into a document")
    return chosen


class Run:
    """One run of scripts/bench: results are kept as they come, so that a failure costs only its own figure."""

    def __init__(self, chosen: argparse.Namespace, rig: Rig):
        self.chosen, self.rig = chosen, rig
        self.results: dict[str, Any] = {"figures": [], "sweeps": [], "soak": None}
        self.failures: list[str] = []
        self.run = report.circumstances(rig.sizes.mode)

    def keep(self) -> None:
        if self.chosen.json:
            report.save(self.results, pathlib.Path(self.chosen.json))
        if self.chosen.docs:
            report.publish(self.results, ORDER)

    def guarded(self, name: str, work: Any) -> None:
        begun = time.monotonic()
        try:
            work()
        except Exception as error:  # whatever it is, the others are still worth measuring
            self.failures.append(name)
            say(f"{name} FAILED: {type(error).__name__}: {error} {getattr(error, 'stderr', '') or ''}")
        for process in list(self.rig.processes):  # what a failure left
            self.rig.stop(process)
        say(f"{name}: {time.monotonic() - begun:.0f} s")
        self.keep()

    def figures(self) -> None:
        print(report.FIGURE_HEAD, flush=True)
        for group in GROUPS:
            names = [figure.name for figure in group.figures]
            if self.chosen.names and not set(names) & set(self.chosen.names):
                continue

            def measure(group: Any = group) -> None:
                samples = group.run(self.rig)
                for figure in group.figures:
                    if not samples[figure.name].values:
                        self.failures.append(figure.name)
                        continue
                    row = {**judge(figure, samples[figure.name]), "run": self.run}
                    self.results["figures"].append(row)
                    print(report.figure_row(row), flush=True)
                    say(json.dumps(report.rounded(row["notes"]), ensure_ascii=False))

            self.guarded(", ".join(names), measure)

    def sweeps(self) -> None:
        for sweep in SWEEPS:
            if self.chosen.names and sweep.name not in self.chosen.names:
                continue
            print(f"\n{sweep.title}", flush=True)

            def point(label: str, found: dict[str, Any], sweep: Any = sweep) -> None:
                print(f"  {report.plain(found['x']):>10} {sweep.x}: {report.number(found['rate']):>8} {sweep.item}s/s, "
                      f"{report.number(found['cost_us'])} µs of the daemon each ({label})", flush=True)

            def measure(sweep: Any = sweep) -> None:
                found = {**run_sweep(self.rig, sweep, point), "run": self.run}
                self.results["sweeps"].append(found)
                for curve in found["curves"]:
                    print("  " + report.curve_verdict(found, curve).replace("**", ""), flush=True)

            self.guarded(sweep.name, measure)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    if chosen.list:
        list_all()
        return 0
    if chosen.render:
        report.render()
    if chosen.render or chosen.check:
        found = report.disagreements()
        print("\n".join(found) if found else "docs/performance.md agrees with docs/performance.json")
        return 1 if found else 0
    if not chosen.no_build:
        prepare.build(chosen.build_dir)
    sizes = QUICK if chosen.quick else FULL if chosen.full else DEFAULT
    if chosen.repeat:
        sizes = dataclasses.replace(sizes, repeat=chosen.repeat)
    rig = Rig((ROOT / chosen.build_dir).resolve(), sizes, say)
    try:
        run = Run(chosen, rig)
        if not chosen.names or set(chosen.names) & set(ORDER["figures"]):
            run.figures()
        if chosen.sweeps:
            run.sweeps()
    finally:
        rig.close()
    if chosen.plots:
        report.draw(run.results, pathlib.Path(chosen.plots).resolve())
    missed = [row["figure"] for row in run.results["figures"] if row["met"] is False]
    worse = [sweep["sweep"] for sweep in run.results["sweeps"] if not all(curve["linear"] for curve in sweep["curves"])]
    for what, names in (("missed their targets", missed), ("grow worse than linearly", worse),
                        ("could not be measured", run.failures)):
        if names:
            print(f"\n{', '.join(names)} {what}.")
    return 2 if run.failures else 1 if (missed or worse) and not chosen.quick else 0
