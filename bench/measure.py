"""What a figure is, and what is computed from the values measured for it."""
from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from typing import Any


class BenchError(Exception):
    """A figure could not be measured. The others still can."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What a figure should reach: its ratio to the baseline, or its value if it has none."""
    bound: float
    at_most: bool = False

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"

    def met_by(self, compared: float) -> bool:
        return compared <= self.bound if self.at_most else compared >= self.bound


@dataclasses.dataclass(frozen=True)
class Figure:
    """The one declaration of a figure; its command is `scripts/bench NAME`."""
    name: str
    measures: str
    unit: str
    baseline: str = ""  # none: the target is about the value itself
    target: Target | None = None


@dataclasses.dataclass
class Samples:
    """Values of one run in the order they were measured, with those of the baseline."""
    values: list[float] = dataclasses.field(default_factory=list)
    baseline: list[float] = dataclasses.field(default_factory=list)
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    target: Target | None = None  # set if only the run can tell, instead of the declared one


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured. It does not change what a figure means, only how far it can be trusted."""
    mode: str
    repeat: int
    seconds: float  # of one run of ab
    events: int  # under a warrant, in one run
    remembered: int  # events in the memory of repeats
    warrants: int
    waiting: int
    object_mib: int
    point_seconds: float  # of one point of a sweep
    point_repeat: int
    sweep_share: float  # how far towards its largest value a sweep goes


QUICK = Sizes("quick", repeat=1, seconds=0.3, events=4000, remembered=200_000, warrants=1000, waiting=20_000,
              object_mib=32, point_seconds=0.3, point_repeat=1, sweep_share=0.01)
DEFAULT = Sizes("default", repeat=3, seconds=3, events=100_000, remembered=50_000_000, warrants=100_000,
                waiting=2_000_000, object_mib=1024, point_seconds=2.5, point_repeat=1, sweep_share=1)
FULL = dataclasses.replace(DEFAULT, mode="full", repeat=7, events=300_000, point_seconds=5, point_repeat=3)


@dataclasses.dataclass(frozen=True)
class Group:
    """Figures that one run measures together, because they share a setup."""
    figures: tuple[Figure, ...]
    run: Callable[..., dict[str, Samples]]


GROUPS: list[Group] = []


def measures(*figures: Figure) -> Callable[[Callable[..., dict[str, Samples]]], Callable[..., dict[str, Samples]]]:
    """Declares figures and the function that measures them: (rig) -> samples by the figures' names."""
    def declare(run: Callable[..., dict[str, Samples]]) -> Callable[..., dict[str, Samples]]:
        GROUPS.append(Group(figures, run))
        return run

    return declare


def spread_percent(values: list[float]) -> float:
    """Half of the distance between largest and smallest, in percent of the median."""
    middle = statistics.median(values) if values else 0
    return 50 * (max(values) - min(values)) / middle if middle else 0.0


def judge(figure: Figure, samples: Samples) -> dict[str, Any]:
    """A row of the table."""
    value = statistics.median(samples.values)
    base = statistics.median(samples.baseline) if samples.baseline else None
    ratio = value / base if base else None
    target = samples.target or figure.target
    met = None if target is None else target.met_by(value if ratio is None else ratio)
    return {
        "figure": figure.name, "measures": figure.measures, "unit": figure.unit,
        "command": f"scripts/bench {figure.name}",
        "value": value, "values": samples.values, "spread_percent": spread_percent(samples.values),
        "baseline": figure.baseline, "baseline_value": base, "baseline_values": samples.baseline,
        "baseline_spread_percent": spread_percent(samples.baseline), "ratio": ratio,
        "target": None if target is None else str(target), "bound": None if target is None else target.bound,
        "at_most": None if target is None else target.at_most, "met": met, "notes": samples.notes,
    }


def exponent(x_one: float, y_one: float, x_two: float, y_two: float) -> float:
    """p in y ~ x^p between two points."""
    return math.log(y_two / y_one) / math.log(x_two / x_one)


def judge_growth(points: list[dict[str, Any]]) -> dict[str, Any]:
    """How the cost of one item grows along a sweep. No worse than linearly: no point costs more than 1.25 times what
    its distance from any earlier one allows; the quarter allows for the noise of short runs. Also the steepest stretch,
    and where the rate has fallen below 0.7 of its best at a smaller value."""
    known = [point for point in points if point["x"] > 0 and point["cost_us"] > 0]
    linear, steepest = True, None
    for i, later in enumerate(known):
        for earlier in known[:i]:
            if later["cost_us"] / earlier["cost_us"] > 1.25 * later["x"] / earlier["x"]:
                linear = False
        if i > 0:
            slope = exponent(known[i - 1]["x"], known[i - 1]["cost_us"], later["x"], later["cost_us"])
            if steepest is None or slope > steepest["exponent"]:
                steepest = {"from": known[i - 1]["x"], "to": later["x"], "exponent": slope}
    bend, best = None, 0.0
    for point in points:
        if bend is None and point["rate"] < 0.7 * best:
            bend = point["x"]
        best = max(best, point["rate"])
    return {"linear": linear, "steepest": steepest, "bend": bend}
