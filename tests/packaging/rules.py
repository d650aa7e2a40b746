"""packaging/prometheus/lihandoverd.rules.yaml as data."""

import functools

import yaml

import expressions

FILE = ("packaging", "prometheus", "lihandoverd.rules.yaml")


@functools.cache
def rules():
    return [rule for group in yaml.safe_load(expressions.source_text(*FILE))["groups"] for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def records():
    return {rule["record"]: rule for rule in rules() if "record" in rule}


def metrics_and_records():
    """What an expression may name: the declared metrics, and what rules record, with the labels of what it comes from."""
    metrics = expressions.declared()
    for name, rule in records().items():
        labels = {}
        for used in expressions.names_in(rule["expr"]) & set(metrics):
            labels.update(metrics[used].labels)
        metrics[name] = expressions.Metric("gauge", labels)
    return metrics
