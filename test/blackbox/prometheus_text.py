"""A strict reader of Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): what promtool
checks, for machines without it, and more. Nothing but the standard library."""

import math
import re

NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|\Z)')
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{([^\n]*)\})? (\S+)\Z")
UNITS = ("milliseconds", "microseconds", "nanoseconds", "ms", "us", "kilobytes", "megabytes", "kb", "mb", "percent", "minutes")


class Family:
    def __init__(self, name, help_text, kind):
        self.name, self.help, self.kind = name, help_text, kind
        self.samples = {}  # (suffix, ((label, value), ...)) -> number

    def value(self, suffix="", **labels):
        """The sum over all samples that have these labels."""
        wanted = set(labels.items())
        found = [number for (end, given), number in self.samples.items() if end == suffix and wanted <= set(given)]
        if not found:
            raise KeyError(f"{self.name}{suffix} {labels}")
        return sum(found)


def parse(text):
    """{name: Family}; raises ValueError with the first thing that is wrong."""
    families = {}
    family = None
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    lines = text[:-1].split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith("# HELP "):
            name, _, help_text = line[7:].partition(" ")
            kind_line = lines[index + 1] if index + 1 < len(lines) else ""
            found = re.match(rf"# TYPE {re.escape(name)} (counter|gauge|histogram)\Z", kind_line)
            if not found:
                raise ValueError(f"HELP without TYPE right behind it: {line!r}, {kind_line!r}")
            if name in families:
                raise ValueError(f"{name} is begun twice")
            family = families[name] = Family(name, help_text, found.group(1))
            check_name(family)
            index += 2
            continue
        if family is None:
            raise ValueError(f"no family has begun: {line!r}")
        take_sample(family, line)
        index += 1
    for family in families.values():
        if not family.samples:
            raise ValueError(f"{family.name} has no sample")
        if family.kind == "histogram":
            check_histogram(family)
    return families


def check_name(family):
    name = family.name
    if not NAME.match(name):
        raise ValueError(f"{name}: not a name in lower case")
    if (family.kind == "counter") != name.endswith("_total"):
        raise ValueError(f"{name} is a {family.kind}")
    if family.kind in name.split("_"):
        raise ValueError(f"{name} has its type in its name")
    for unit in UNITS:
        if unit in name.split("_"):
            raise ValueError(f"{name}: {unit} is no base unit")
    if not family.help.strip() or "\\" in family.help:
        raise ValueError(f"{name}: help {family.help!r}")


def take_sample(family, line):
    found = SAMPLE.match(line)
    if not found:
        raise ValueError(f"not a sample: {line!r}")
    name, labels, number = found.groups()
    suffix = name[len(family.name):]
    allowed = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
    if not name.startswith(family.name) or suffix not in allowed:
        raise ValueError(f"{name} is no sample of {family.name}")
    given = []
    while labels:
        pair = LABEL.match(labels)
        if not pair:
            raise ValueError(f"labels of {line!r}")
        given.append(pair.groups())
        labels = labels[pair.end():]
    if len({label for label, _ in given}) != len(given):
        raise ValueError(f"a label twice: {line!r}")
    key = (suffix, tuple(given))
    if key in family.samples:
        raise ValueError(f"a sample twice: {line!r}")
    if not re.match(r"-?\d+(\.\d+)?\Z", number):
        raise ValueError(f"not a number: {line!r}")
    family.samples[key] = float(number)
    if family.kind != "gauge" and family.samples[key] < 0:
        raise ValueError(f"below zero: {line!r}")


def check_histogram(family):
    bounds = [(float(dict(labels)["le"].replace("+Inf", "inf")), number)
              for (suffix, labels), number in family.samples.items() if suffix == "_bucket"]
    if bounds != sorted(bounds) or not bounds or not math.isinf(bounds[-1][0]):
        raise ValueError(f"{family.name}: buckets {bounds}")
    if any(below > above for (_, below), (_, above) in zip(bounds, bounds[1:])):
        raise ValueError(f"{family.name}: buckets shrink: {bounds}")
    if bounds[-1][1] != family.value("_count"):
        raise ValueError(f"{family.name}: the last bucket is not the count")
    if family.value("_count") == 0 and family.value("_sum") != 0:
        raise ValueError(f"{family.name}: a sum of nothing")
