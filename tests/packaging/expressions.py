"""What Prometheus expressions speak of, checked against docs/metrics.md, which is made from the declarations."""

import os
import re

SOURCE = os.environ.get("LIHANDOVER_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# What Prometheus itself adds to each series, or makes.
TARGET_LABELS = {"instance", "job"}
UP = "up"
FUNCTIONS = {"absent", "avg_over_time", "changes", "histogram_quantile", "increase", "label_values", "max", "max_over_time",
             "min", "min_over_time", "rate", "resets", "sum", "time", "topk", "count"}
WORDS = {"and", "or", "unless", "on", "without", "by", "offset", "bool", "ignoring", "group_left"}
TOKEN = re.compile(r"""\s+ | (?P<range>\[[^\]]*\]) | (?P<duration>\d+[smhd]\b) | (?P<number>\d+(\.\d+)?)
                   | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*) | (?P<matchers>\{[^}]*\})
                   | (?P<sign>==|!=|>=|<=|[-+*/(),<>])""", re.VERBOSE)
MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')


class Metric:
    def __init__(self, kind, labels):
        self.kind = kind
        self.labels = labels  # name to the set of its values, or None: names from the configuration


def source_text(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def declared():
    """Every series name, with its labels."""
    text = source_text("docs", "metrics.md")
    values = {}
    for metric, label, words in re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", text.split("## Label values")[1], re.M):
        fixed = words.partition(": ")[2]
        values[metric, label] = set(re.findall(r"`([^`]*)`", fixed)) if fixed else None
    metrics = {UP: Metric("gauge", {})}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| ([^|]*) \|", text, re.M):
        of = {label: values[name, label] for label in re.findall(r"`(\w+)`", labels)}
        if kind == "histogram":
            metrics[name + "_bucket"] = Metric(kind, {**of, "le": None})
            metrics[name + "_sum"] = metrics[name + "_count"] = Metric(kind, of)
        else:
            metrics[name] = Metric(kind, of)
    return metrics


def tokens(expression):
    place = 0
    while place < len(expression):
        found = TOKEN.match(expression, place)
        if not found:
            raise ValueError(f"not understood from here: {expression[place:]}")
        place = found.end()
        if found.lastgroup:
            yield found.lastgroup, found.group(found.lastgroup)


def matchers(text):
    inside = text[1:-1]
    place, found = 0, []
    while place < len(inside):
        match = MATCHER.match(inside, place)
        if not match:
            raise ValueError(f"not understood: {text}")
        found.append(match.groups())
        place = match.end()
    return found


def check_matcher(name, metric, label, operator, value, variables, problems):
    if label in TARGET_LABELS:
        return
    if label not in metric.labels:
        problems.append(f"{name} has no label {label}")
        return
    allowed = metric.labels[label]
    if allowed is None or value in variables:
        return
    for one in value.split("|") if operator in ("=~", "!~") else [value]:
        if one not in allowed:
            problems.append(f"{name}: {label} is never {one}")


def problems_of(expression, metrics, variables=()):
    """What it names and nobody has declared.
    variables: a dashboard's, as they stand in a matcher"""
    problems, of_expression, grouping = [], set(TARGET_LABELS), []
    stream = list(tokens(expression))
    last, in_labels, previous = None, False, None
    for kind, text in stream:
        if kind == "sign" and text == "(" and previous in ("on", "without", "by", "ignoring", "group_left"):
            in_labels = True
        elif kind == "sign" and text == ")":
            in_labels = False
        elif kind == "name" and in_labels:
            grouping.append(text)
        elif kind == "name" and text in metrics:
            last = text
            of_expression |= set(metrics[text].labels)
        elif kind == "name" and text not in FUNCTIONS | WORDS:
            problems.append(f"{text} is no metric")
        elif kind == "matchers":
            for label, operator, value in matchers(text):
                check_matcher(last, metrics[last], label, operator, value, variables, problems)
        previous = text
    problems += [f"no metric here has the label {label}" for label in grouping if label not in of_expression]
    return problems


def names_in(expression):
    return {text for kind, text in tokens(expression) if kind == "name"}
