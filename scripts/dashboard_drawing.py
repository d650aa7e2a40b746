"""Draws a dashboard of Grafana's as one SVG, of what Prometheus answered to its queries."""

import math
from xml.sax.saxutils import escape

COLUMN, ROW, GAP, TITLE = 50, 30, 8, 26  # of the dashboard's grid, in pixels
COLOURS = ("#1f77b4", "#d95f02", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#c51b1b")
MOST_NAMES = 6


def digits(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def number(value, unit):
    """As it is written beside an axis, or in a panel of one number."""
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
            if abs(value) >= 2 * size:
                return f"{digits(value / size)} {name}"
        return f"{value:.3g} s" if abs(value) >= 1 or value == 0 else f"{value * 1000:.3g} ms"
    base, names = (1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB")) if unit == "bytes" else (1000, ("", "k", "M", "G", "T", "P"))
    step = 0
    while abs(value) >= base and step + 1 < len(names):
        value /= base
        step += 1
    tail = {"eps": "events/s", "reqps": "requests/s", "pps": "packets/s", "ops": "/s"}.get(unit, "")
    return " ".join(filter(None, (digits(value), names[step], tail)))


def shorter(text, most):
    return text if len(text) <= most else text[:most - 1] + "…"


class Drawing:
    def __init__(self, width):
        self.width = width
        self.parts = []

    def text(self, x, y, text, size=12, anchor="start", colour="#222", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
                          f'font-weight="{weight}">{escape(text)}</text>')

    def box(self, x, y, width, height, fill="#fff", stroke="#ccd"):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" fill="{fill}" '
                          f'stroke="{stroke}"/>')

    def line(self, points, colour, width=1.5):
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def document(self, height, title):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height:.0f}" font-family="sans-serif" '
            f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">', f"<title>{escape(title)}</title>",
            f'<rect width="{self.width}" height="{height:.0f}" fill="#f4f5f8"/>', *self.parts, "</svg>", ""])


def good(points):
    return [(at, value) for at, value in points if math.isfinite(value)]


def draw_number(drawing, panel, answer, x, y, width, height):
    points = good(answer[0][1]) if answer else []
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    shown = number(points[-1][1], unit) if points else "no data"
    drawing.text(x + width / 2, y + height / 2 + 22, shown, 24, "middle", weight="bold")


def scale_of(highest, unit):
    """The end of an axis and its steps: a round number, not below what is shown."""
    if unit == "bytes" and highest > 0:
        top = 2 ** math.ceil(math.log2(highest))
        return top, [top * part / 4 for part in range(5)]
    size = 10 ** math.floor(math.log10(highest)) if highest > 0 else 1
    top = next((size * step for step in (1, 2, 2.5, 5, 10) if size * step >= highest), highest) if highest > 0 else 1
    return top, [top * part / 4 for part in range(5)]


def draw_lines(drawing, panel, answer, times, x, y, width, height):
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    series = [(name, good(points)) for name, points in answer]
    # What has something to show is named first.
    series = sorted((each for each in series if each[1]), key=lambda each: -max(value for _, value in each[1]))
    names = series[:MOST_NAMES]
    left, right, top = x + 84, x + width - 10, y + TITLE + 12
    bottom = y + height - 24 - 15 * math.ceil(len(names) / 2)
    begin, end = times
    lowest = min([0.0] + [value for _, points in series for _, value in points])
    highest, steps = scale_of(max(value for _, points in series for _, value in points), unit)
    place = lambda at, value: (left + (at - begin) / (end - begin) * (right - left),
                               bottom - (value - lowest) / (highest - lowest) * (bottom - top))
    for step in steps:
        _, level = place(begin, step)
        drawing.line([(left, level), (right, level)], "#e3e5ec", 1)
        drawing.text(left - 6, level + 4, number(step, unit), 10, "end", "#555")
    for seconds, anchor in ((0, "start"), (end - begin, "end")):
        drawing.text(place(begin + seconds, lowest)[0], bottom + 13, f"{seconds:.0f} s", 10, anchor, "#555")
    for index, (name, points) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        drawing.line([place(at, value) for at, value in points] if len(points) > 1
                     else [place(points[0][0], points[0][1]), place(end, points[0][1])], colour)
        if index < len(names):
            column, row = x + 14 + (index % 2) * (width - 20) / 2, bottom + 28 + 15 * (index // 2)
            drawing.box(column, row - 9, 10, 10, colour, colour)
            drawing.text(column + 15, row, shorter(name, int(width / 2 / 7)), 11, colour="#333")


def draw(dashboard, answers, times, remark):
    """The picture. Panels without data are left out and named below; `answers` has by panel's id a list of (name, points)."""
    width = 24 * COLUMN + 2 * GAP
    drawing = Drawing(width)
    drawing.text(GAP + 4, 28, dashboard["title"], 20, weight="bold")
    drawing.text(width - GAP - 4, 28, remark, 12, "end", "#555")
    y, column, height, missing, heading = 44, 0, 0, [], None
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if panel["type"] == "row":
            heading = panel["title"]
            continue
        answer = answers.get(panel["id"], [])
        one_number = panel["type"] == "stat"
        if not one_number and not any(good(points) for _, points in answer):
            missing.append(panel["title"])
            continue
        if heading is not None or column + place["w"] > 24:
            y, column = y + height, 0
        if heading is not None:
            drawing.text(GAP + 4, y + 18, heading, 14, weight="bold")
            y, heading = y + TITLE, None
        x, height = GAP + column * COLUMN, place["h"] * ROW
        box = (x + GAP / 2, y + GAP / 2, place["w"] * COLUMN - GAP, height - GAP)
        drawing.box(*box)
        drawing.text(box[0] + 10, box[1] + 18, shorter(panel["title"], int(box[2] / 7)), 12, weight="bold")
        if one_number:
            draw_number(drawing, panel, answer, *box)
        else:
            draw_lines(drawing, panel, answer, times, *box)
        column += place["w"]
    y += height
    words, line = "Without data in this run: " + ", ".join(missing) if missing else "", ""
    for word in words.split():
        if len(line) + len(word) > width / 7:
            y += 18
            drawing.text(GAP + 4, y, line, 12, colour="#555")
            line = ""
        line += (" " if line else "") + word
    drawing.text(GAP + 4, y + 18, line, 12, colour="#555")
    return drawing.document(y + 30, f"{dashboard['title']}: {remark}")
