#!/usr/bin/env python3
"""Counts what one `meson test` run really ran: tally.py BUILD_DIRECTORY -> "PASSED FAILED SKIPPED".

A doctest program counts its test cases, a unittest program its tests, anything else counts as one.

tally.py --skipped BUILD_DIRECTORY names what was skipped, and why, a line each; nothing if nothing was.
"""
import json
import pathlib
import re
import sys

DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed")
UNITTEST = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
UNITTEST_BAD = re.compile(r"^(?:FAILED|OK) \((.*)\)$", re.MULTILINE)
REASON = re.compile(r"^SKIPPED:? (.*)$", re.MULTILINE)


def output_of(test):
    return test.get("stdout", "") + "\n" + test.get("stderr", "")


def count(test):
    """(passed, failed, skipped) of one entry of the log."""
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        return 0, 0, 1
    output = output_of(test)
    passed, failed, skipped = (1, 0, 0) if good else (0, 1, 0)
    doctest = DOCTEST.search(output)
    unittest = UNITTEST.findall(output)
    if doctest:
        passed, failed = int(doctest.group(2)), int(doctest.group(3))
    elif unittest:
        words = dict(part.split("=") for bad in UNITTEST_BAD.findall(output) for part in bad.split(", "))
        skipped = int(words.get("skipped", 0))
        failed = int(words.get("failures", 0)) + int(words.get("errors", 0))
        passed = max(0, int(unittest[-1]) - failed - skipped)
    if not good and failed == 0:  # died after or beside its tests: a crash, a leak, a timeout
        failed = 1
    return passed, failed, skipped


def skipped(test):
    """A line for each test that was skipped; the reason names the package that would bring what is missing."""
    reasons = REASON.findall(output_of(test))
    if not reasons and count(test)[2]:
        reasons = ["it says no reason"]
    return [f"{test['name']}: {reason}" for reason in reasons]


def main():
    names = sys.argv[1:] == ["--skipped"] + sys.argv[2:]
    log = pathlib.Path(sys.argv[-1]) / "meson-logs" / "testlog.json"
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    if names:
        for test in entries:
            for line in skipped(test):
                print("skipped:", line)
    else:
        print(*map(sum, zip(*map(count, entries), (0, 0, 0))))


if __name__ == "__main__":
    main()
