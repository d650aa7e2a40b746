"""SVG plots, drawn by gnuplot."""
from __future__ import annotations

import dataclasses
import pathlib
import subprocess

from bench.measure import BenchError

COLOURS = ("#1f5fa8", "#c0562a", "#2f8f5b", "#7a4fa3")


@dataclasses.dataclass(frozen=True)
class Curve:
    label: str
    points: list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Panel:
    """One diagram. With a logarithmic x, 0 stands a decade below the smallest value above it."""
    y: str
    curves: list[Curve]
    x: str = ""
    log_x: bool = False
    log_y: bool = False


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', "'").replace("@", "\\\\@").replace("_", "\\\\_") + '"'


def _places(most: float) -> str:
    """Numbers on an axis up to that."""
    return "%.0f" if most >= 5 else "%.1f" if most >= 0.5 else "%.2f"


def _gnuplot(script: str, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError("gnuplot: " + done.stderr.strip())


def _head(path: pathlib.Path, title: str, width: int, height: int) -> list[str]:
    return [f'set terminal svg size {width},{height} dynamic background "#ffffff" font "sans-serif,13"',
            f'set output "{path}"', f'set title {_text(title)}', 'set border 3 lc rgb "#555555"', "set tics nomirror",
            'set grid lc rgb "#cccccc"', "set key below left Left reverse maxcols 1 samplen 2"]


def draw(path: pathlib.Path, title: str, panels: list[Panel]) -> None:
    """Diagrams beside each other."""
    script = _head(path, "", 420 * len(panels), 350 + 18 * max(len(panel.curves) for panel in panels))
    script.append(f"set multiplot layout 1,{len(panels)} title {_text(title)}")
    for number, panel in enumerate(panels):
        script += ["unset title", f"set xlabel {_text(panel.x)}", f"set ylabel {_text(panel.y)}", "unset logscale",
                   "set xtics autofreq", "set xrange [*:*]", "set yrange [0:*]",
                   "set key" if len(panel.curves) > 1 else "unset key"]
        most = max((y for curve in panel.curves for _, y in curve.points), default=1)
        script.append(f"set format y '{'%.0s%c' if panel.log_y else _places(most)}'")
        script.append("set format x '%.0s%c'" if panel.log_x else "set format x '%h'")
        values = sorted({x for curve in panel.curves for x, _ in curve.points})
        above = [x for x in values if x > 0]
        zero = (above[0] / 10) if above else 1
        if panel.log_x and len(above) > 1:
            script.append("set logscale x")
            if values[0] <= 0:
                script.append(f'set xtics add ("0" {zero:g})')
        if panel.log_y:
            script += ["set logscale y", "set yrange [*:*]"]
        drawn = []
        for index, curve in enumerate(panel.curves):
            script.append(f"$curve_{number}_{index} << end")
            script += [f"{zero if panel.log_x and x <= 0 else x:g} {y:g}" for x, y in sorted(curve.points)]
            script.append("end")
            style = "points pt 7 ps 0.8" if len(curve.points) == 1 else "linespoints pt 7 ps 0.5 lw 1.6"
            if len(curve.points) > 60:
                style = "lines lw 1.2"
            drawn.append(f"$curve_{number}_{index} using 1:2 with {style} lc rgb '{COLOURS[index % len(COLOURS)]}' "
                         f"title {_text(curve.label)}")
        script.append("plot " + ", ".join(drawn))
    script.append("unset multiplot")
    _gnuplot("\n".join(script) + "\n", path)


def bars(path: pathlib.Path, title: str, rows: list[tuple[str, float]]) -> None:
    """One bar for each, and a line at 1."""
    script = _head(path, title, 760, 90 + 24 * len(rows))
    script += ["unset key", "set style fill solid 0.85", "set format x '%g'", f"set yrange [{len(rows) - 0.4}:-0.6]",
               "set xrange [0:*]", "set xlabel 'times the target (where at most is wanted: its inverse)'",
               "set ytics (" + ", ".join(f'{_text(name)} {i}' for i, (name, _) in enumerate(rows)) + ")",
               "set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '#222222' dt 2 lw 1.5", "$bars << end"]
    script += [f"{value:g} {i} {0 if value >= 1 else 1}" for i, (_, value) in enumerate(rows)]
    script += ["end", f"rgb(bad) = bad > 0 ? {int(COLOURS[1][1:], 16)} : {int(COLOURS[0][1:], 16)}",
               "plot $bars using ($1/2):2:($1/2):(0.32):(rgb($3)) with boxxyerror lc rgb variable"]
    _gnuplot("\n".join(script) + "\n", path)
