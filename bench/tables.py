#!/usr/bin/env python3
"""The tables of bench/README.md and of the README's front page, from what `make bench` wrote: bench/tables.py FILE.json [front|growth]

Medians over the rounds of one run; a ratio is roomd's median divided by the other's of the same minutes.
"""

import json
import sys

PEERS = ("redis", "nats", "mosquitto")
WORDS = {
    "S1": "1 publisher, 1,000 members, 64 B, 512 in flight",
    "S2": "1 publisher, 100 members, 64 B, 512 in flight",
    "S3": "1 publisher, 1,000 members, 64 B, 1 in flight",
    "S4": "100 rooms of 10, 100 publishers, 64 B, 64 in flight each",
    "S5": "1 publisher, 100 members, 4 KiB, 64 in flight",
    "S6": "resident memory per idle connection, 10,000 of them",
    "S7": "1,000 messages/s to 100 members: p50 / p99",
}


def figure(row, metric, key="median"):
    found = [entry[key] for entry in row["figures"] if entry["metric"] == metric] if row else []
    return found[0] if found else None


def number(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 0.1 else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def cell(row, name):
    if row is None or not row["ok"]:
        return "-"
    if name == "S6":
        return number(figure(row, "bytes_per_connection")) + " B"
    if name == "S7":
        return f"{number(figure(row, 'latency_p50_us'))} / {number(figure(row, 'latency_p99_us'))}"
    return number(figure(row, "cost_us"))


def ratio(row, name):
    metrics = {"S6": ("bytes_per_connection",), "S7": ("latency_p50_us", "latency_p99_us")}.get(name, ("cost_us",))
    values = [figure(row, metric, "to_floor") for metric in metrics]
    return " / ".join("-" if value is None else f"{value:.2f}" for value in values)


def standard(rows):
    print("| case | what | floor | roomd | x floor | roomd, event | x its floor | Redis | NATS | Mosquitto |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, words in WORDS.items():
        of = [row for row in rows if row["scenario"]["name"] == name]
        if not of:
            continue
        pick = {(row["system"], row["scenario"]["dialect"]): row for row in of}
        plain, event = pick.get(("roomd", "plain")), pick.get(("roomd", "event"))
        others = [next((row for row in of if row["system"] == peer), None) for peer in PEERS]
        print(f"| {name} | {words} | {cell(pick.get(('floor', 'plain')), name)} | **{cell(plain, name)}** | {ratio(plain, name)} "
              f"| {cell(event, name)} | {ratio(event, name)} | " + " | ".join(cell(row, name) for row in others) + " |")


def front(rows):
    print("| µs of server CPU per delivery | floor | roomd | Redis 7.0 | NATS 2.9 | Mosquitto 2.0 |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in ("S1", "S2", "S3", "S4", "S5"):
        of = [row for row in rows if row["scenario"]["name"] == name and row["scenario"]["dialect"] in ("plain", "")]
        pick = {row["system"]: row for row in of}
        print(f"| {WORDS[name]} | {cell(pick.get('floor'), name)} | **{cell(pick.get('roomd'), name)}** | "
              + " | ".join(cell(pick.get(peer), name) for peer in PEERS) + " |")


def growth(rows):
    print("| grows | to | floor | roomd | x floor |")
    print("|---|---:|---:|---:|---:|")
    for row in rows:
        if row["series"] and row["system"] == "roomd":
            floor = next((other for other in rows if other["series"] == row["series"] and other["at"] == row["at"]
                          and other["system"] == "floor"), None)
            print(f"| {row['series']} | {row['at']:,.0f} | {cell(floor, '')} | {cell(row, '')} | {ratio(row, '')} |")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    {"standard": standard, "front": front, "growth": growth}[(sys.argv + ["standard"])[2]](rows)


main()
