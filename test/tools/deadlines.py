"""No test waits for ever: importing this gives every wait of a Python test a deadline, whatever it waits in.

- Sockets that nobody has given a timeout have one (PATIENCE_S).
- Each unittest test has DEADLINE_S. When they are over, the main thread gets a Late wherever it is (a read from a pipe, a join,
  a select): the test fails with the place it stood at, its cleanups run, and the next one begins.
- If even that does not help, or a process does not end after its tests, the traces of all threads are printed and it ends with
  status 1 (faulthandler).

It also says which tests were skipped and why, one line each, for test/tools/tally.py and for whoever reads the output; `needs`
names the package that would bring what is missing.
"""

import faulthandler
import os
import shutil
import signal
import socket
import sys
import threading
import unittest

PATIENCE_S = float(os.environ.get("ROOMD_TEST_PATIENCE_S", "20"))
DEADLINE_S = float(os.environ.get("ROOMD_TEST_DEADLINE_S", "75"))
# For scripts that are no unittest, and from one test to the next.
LAST_RESORT_S = float(os.environ.get("ROOMD_TEST_LAST_RESORT_S", "1800"))


class Late(BaseException):
    """A test's deadline has passed. No Exception, so that no `except Exception` on its way swallows it."""


def late(*_):
    raise Late(f"the test is not over after {DEADLINE_S:g} s; ROOMD_TEST_DEADLINE_S gives it more")


def needs(tool, package=None):
    """Skips a test where a program is not installed. In .ci/run a skipped test counts as failed."""
    return unittest.skipUnless(shutil.which(tool), f"{tool} is not installed: apt-get install {package or tool}")


def not_here(condition):
    """Takes a test out of a build for which it means nothing (a sanitizer's). It is not skipped: it is not there."""
    return lambda test: None if condition else test


def end_children():
    """What a late test has started and not ended; nobody else would."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:  # not Linux
        return
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass


def guarded(run):
    def guarded_run(self, result=None):
        if threading.current_thread() is not threading.main_thread():
            return run(self, result)
        before = len(result.skipped) if result is not None else 0
        faulthandler.dump_traceback_later(DEADLINE_S + 2 * PATIENCE_S, exit=True)
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
        try:
            return run(self, result)
        except Late:
            end_children()
            if result is None:
                raise
            result.addError(self, sys.exc_info())
            return result
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.dump_traceback_later(LAST_RESORT_S, exit=True)
            for test, reason in (result.skipped if result is not None else [])[before:]:
                print(f"\nSKIPPED {test}: {reason}", file=sys.stderr, flush=True)
    return guarded_run


socket.setdefaulttimeout(PATIENCE_S)
faulthandler.enable()
faulthandler.dump_traceback_later(LAST_RESORT_S, exit=True)
unittest.TestCase.run = guarded(unittest.TestCase.run)
