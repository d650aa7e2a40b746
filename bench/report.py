"""Results: kept as JSON, shown as tables, and put into docs/performance.md.

docs/performance.json is where measured numbers are; the tables between the markers of docs/performance.md and the plots
are made from it. Results are merged by name, each with when and with what it was measured, so that one figure can be
measured anew."""
from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
from typing import Any

from bench import plot
from bench.measure import BenchError
from bench.rig import ROOT

DOCUMENT = ROOT / "docs/performance.md"
RESULTS = ROOT / "docs/performance.json"
PLOTS = ROOT / "docs/plots"
KINDS = {"figures": "figure", "sweeps": "sweep"}


def circumstances(mode: str) -> dict[str, Any]:
    """When and on what."""
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True).stdout.strip()
    # What a run writes into docs/ does not change what is measured.
    if subprocess.run([*git, "status", "--porcelain", "--", ":!docs"], capture_output=True, text=True).stdout.strip():
        commit += " with changes"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "mode": mode,
            "commit": commit, "processors": f"{len(os.sched_getaffinity(0))} × {model}", "memory_gib": round(memory),
            "kernel": ".".join(platform.release().split(".")[:2])}


def load(path: pathlib.Path = RESULTS) -> dict[str, Any]:
    if not path.exists():
        return {"figures": [], "sweeps": [], "soak": None}
    return json.loads(path.read_text())


def rounded(value: Any) -> Any:
    """Numbers with no more digits than are significant."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return value


def save(results: dict[str, Any], path: pathlib.Path) -> None:
    path.write_text(json.dumps(rounded(results), indent=1, ensure_ascii=False) + "\n")


def merge(into: dict[str, Any], results: dict[str, Any], order: dict[str, list[str]]) -> None:
    """New results replace those of the same name. All are in the declared order; unknown names are dropped."""
    for kind, key in KINDS.items():
        found = {row[key]: row for row in into.get(kind, [])}
        found.update({row[key]: row for row in results.get(kind, [])})
        into[kind] = [found[name] for name in order[kind] if name in found]
    if results.get("soak"):
        into["soak"] = results["soak"]
    into.setdefault("soak", None)


# -- tables ---------------------------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """For people: three digits are enough."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        step = 10 ** max(0, len(str(int(abs(value)))) - 4)
        return f"{round(value / step) * step:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def plain(value: float) -> str:
    """A sweep's value as it is."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


def figure_row(row: dict[str, Any]) -> str:
    judged = "" if row["met"] is None else " met" if row["met"] else " **missed**"
    ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}"
    base = "–"
    if row["baseline_value"] is not None:
        base = f"{number(row['baseline_value'])} ±{row['baseline_spread_percent']:.0f} %"
    return (f"| {row['figure']} | {number(row['value'])} {row['unit']} | {base} | {ratio} | "
            f"{row['target'] or '–'}{judged} | ±{row['spread_percent']:.0f} % |")


FIGURE_HEAD = "| figure | value | baseline | ratio | target | spread |\n|---|---|---|---|---|---|"


def when(row: dict[str, Any]) -> str:
    run = row["run"]
    return (f"{run['when']}, {run['mode']}, commit {run['commit']}, {run['processors']}, {run['memory_gib']} GiB, "
            f"Linux {run['kernel']}")


def runs(rows: list[dict[str, Any]], key: str) -> str:
    """Under which circumstances the rows were measured."""
    by_run: dict[str, list[str]] = {}
    for row in rows:
        run = dict(row["run"], when=row["run"]["when"][:10])
        by_run.setdefault(when({"run": run}), []).append(row[key])
    if len(by_run) == 1:
        return f"Measured {next(iter(by_run))}."
    return "\n".join(f"- {', '.join(names)}: {text}" for text, names in by_run.items())


def note(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {note(one)}" for key, one in value.items())
    return number(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def figures_block(results: dict[str, Any]) -> str:
    rows = results["figures"]
    if not rows:
        return "Not measured: `scripts/bench --docs` fills this in."
    out = [FIGURE_HEAD, *map(figure_row, rows), "", "![Figures beside their targets](plots/figures.svg)", "",
           "| figure | what is measured | baseline | beside | command |", "|---|---|---|---|---|"]
    for row in rows:
        notes = ", ".join(f"{name.replace('_', ' ')} {note(value)}" for name, value in row["notes"].items())
        out.append(f"| {row['figure']} | {row['measures']} | {row['baseline'] or '–'} | {notes or '–'} | "
                   f"`{row['command']}` |")
    return "\n".join([*out, "", runs(rows, "figure")])


def curve_verdict(sweep: dict[str, Any], curve: dict[str, Any]) -> str:
    """One line: how the cost grows, and where the curve bends."""
    points = curve["points"]
    first, last = points[0], points[-1]
    text = f"{curve['label']}: {number(first['cost_us'])} µs per {sweep['item']} at {plain(first['x'])}"
    if len(points) > 1:
        text += f", {number(last['cost_us'])} µs at {plain(last['x'])}"
        steep = curve["steepest"]
        if steep and steep["exponent"] > 0.1:
            text += f"; steepest from {plain(steep['from'])} to {plain(steep['to'])}, as x^{steep['exponent']:.2f}"
        text += "; grows no worse than linearly" if curve["linear"] else "; **grows worse than linearly**"
        best = max(points, key=lambda point: point["rate"])
        text += f". Best rate {number(best['rate'])}/s at {plain(best['x'])}"
        if curve["bend"] is not None:
            text += f"; at {plain(curve['bend'])} it is less than 0.7 of the best before"
    return text + "."


def sweeps_block(results: dict[str, Any]) -> str:
    sweeps = results["sweeps"]
    if not sweeps:
        return "Not measured: `scripts/bench --sweeps --docs` fills this in."
    out = []
    for sweep in sweeps:
        extra = [key for key in ("bound", "start_seconds", "filled_per_second", "resident_mib")
                 if any(point.get(key) for curve in sweep["curves"] for point in curve["points"])]
        names = {"bound": "bound /s", "start_seconds": "start s", "filled_per_second": "filled /s",
                 "resident_mib": "MiB"}
        out += [f"### {sweep['title'][0].upper()}{sweep['title'][1:]}", "",
                f"![{sweep['title']}](plots/sweep-{sweep['sweep']}.svg)", ""]
        out += [f"- {curve_verdict(sweep, curve)}" for curve in sweep["curves"]]
        out += ["", f"| {sweep['x']} | {sweep['item']}s/s | µs per {sweep['item']} | "
                + " | ".join([names[key] for key in extra] + ["curve"]) + " |", "|---" * (4 + len(extra)) + "|"]
        for curve in sweep["curves"]:
            for point in curve["points"]:
                cells = [f"{plain(point['x'])}", number(point["rate"]), number(point["cost_us"])]
                cells += [number(point[key]) if point.get(key) else "–" for key in extra] + [curve["label"]]
                out.append("| " + " | ".join(cells) + " |")
        out += ["", f"`{sweep['command']}`", ""]
    return "\n".join([*out, runs(sweeps, "sweep")])


def soak_block(results: dict[str, Any]) -> str:
    soak = results["soak"]
    if not soak:
        return "Not measured: `scripts/soak --docs` fills this in."
    out = ["![Memory, descriptors and files](plots/soak.svg)",
           "![Latency, waiting items, time, database](plots/soak-2.svg)", "", soak["summary"], "",
           "| what | after warm-up | at the end | growth | bound | |", "|---|---|---|---|---|---|"]
    for check in soak["checks"]:
        bound = "–" if check["bound"] is None else f"≤ {number(check['bound'])} {check['growth_unit']}"
        judged = {None: "grows by design", True: "flat", False: "**not as it should be**"}[check["flat"]]
        unit = check["unit"]
        out.append(f"| {check['name']} | {number(check['begin'])} {unit} | {number(check['end'])} {unit} | "
                   f"{number(check['growth'])} {check['growth_unit']} | {bound} | {judged} |")
    return "\n".join([*out, "", f"`{soak['command']}`. Measured {when(soak)}."])


BLOCKS = {"figures": figures_block, "sweeps": sweeps_block, "soak": soak_block}


def with_blocks(document: str, results: dict[str, Any]) -> str:
    """Returns the document with everything between `<!-- NAME -->` and `<!-- end of NAME -->` replaced."""
    for name, block in BLOCKS.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if document.count(begin) != 1 or document.count(end) != 1:
            raise BenchError(f"{DOCUMENT.name} has no place for {name}")
        before, rest = document.split(begin)
        document = f"{before}{begin}\n{block(results)}\n{end}{rest.split(end)[1]}"
    return document


def disagreements() -> list[str]:
    """What in docs/performance.md does not follow from docs/performance.json."""
    results, text = load(), DOCUMENT.read_text()
    found = [] if with_blocks(text, results) == text else [
        "docs/performance.md does not agree with docs/performance.json: scripts/bench --render"]
    found += [f"docs/performance.md shows {name}, which is not there"
              for name in re.findall(r"\]\((plots/[^)]+)\)", text) if not (DOCUMENT.parent / name).exists()]
    found += [f"{row[key]}: {row['run']['mode']} sizes are no measurement for a document"
              for kind, key in KINDS.items() for row in results[kind] if row["run"]["mode"] == "quick"]
    return found


# -- plots ----------------------------------------------------------------------------------------------------------


def draw_figures(results: dict[str, Any], folder: pathlib.Path) -> None:
    rows = []
    for row in results["figures"]:
        if row["bound"]:
            value = (row["value"] if row["ratio"] is None else row["ratio"]) / row["bound"]
            rows.append((row["figure"], 1 / value if row["at_most"] else value))
    if rows:
        plot.bars(folder / "figures.svg", "Figures beside their targets", rows)


def draw_sweep(sweep: dict[str, Any], folder: pathlib.Path) -> None:
    def curves(key: str) -> list[plot.Curve]:
        return [plot.Curve(curve["label"], [(point["x"], point[key]) for point in curve["points"] if point.get(key)])
                for curve in sweep["curves"] if any(point.get(key) for point in curve["points"])]

    largest = max(point["x"] for curve in sweep["curves"] for point in curve["points"])
    smallest = min((point["x"] for curve in sweep["curves"] for point in curve["points"] if point["x"] > 0), default=1)
    log = largest / smallest >= 20
    rates = curves("rate")
    rates += [plot.Curve(f"bound, {curve.label}", curve.points) for curve in curves("bound")]
    panels = [plot.Panel(f"{sweep['item']}s per second", rates, sweep["x"], log, bool(curves("bound"))),
              plot.Panel(f"µs of the daemon per {sweep['item']}", curves("cost_us"), sweep["x"], log)]
    if curves("start_seconds"):
        panels.append(plot.Panel("seconds to start", curves("start_seconds"), sweep["x"], log))
    plot.draw(folder / f"sweep-{sweep['sweep']}.svg", sweep["title"], panels)


def draw_soak(soak: dict[str, Any], folder: pathlib.Path) -> None:
    samples = soak["samples"]

    def panel(y: str, *curves: tuple[str, str]) -> plot.Panel:
        def points(key: str) -> list[tuple[float, float]]:
            return [(one["minute"], one[key]) for one in samples if one.get(key) is not None]

        return plot.Panel(y, [plot.Curve(label, points(key)) for label, key in curves], "minutes")

    rows = [[panel("MiB resident", ("daemon", "resident_mib"), ("test LEA", "receiver_resident_mib")),
             panel("descriptors", ("open", "descriptors")),
             panel("MB", ("log", "wal_mb"), ("sealed objects", "objects_mb"))],
            [panel("ms from sending to arrival", ("median", "latency_50_ms"), ("99 %", "latency_99_ms")),
             panel("items waiting", ("waiting", "waiting")),
             panel("µs of the daemon per event", ("time", "cpu_us")), panel("MB of store.db", ("store.db", "db_mb"))]]
    plot.draw(folder / "soak.svg", soak["title"], rows[0])
    plot.draw(folder / "soak-2.svg", "", rows[1])


def draw(results: dict[str, Any], folder: pathlib.Path) -> None:
    draw_figures(results, folder)
    for sweep in results["sweeps"]:
        draw_sweep(sweep, folder)
    if results["soak"]:
        draw_soak(results["soak"], folder)


def publish(results: dict[str, Any], order: dict[str, list[str]]) -> None:
    """Writes docs/performance.json, the plots and docs/performance.md: this is what --docs does."""
    kept = load()
    merge(kept, rounded(results), order)
    save(kept, RESULTS)
    render()


def render() -> None:
    results = load()
    draw(results, PLOTS)
    DOCUMENT.write_text(with_blocks(DOCUMENT.read_text(), results))
