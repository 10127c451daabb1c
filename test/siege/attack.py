"""What every attack is made of: its name, the rule it tries, what the canaries may expect beside it, and the register of all.

An attack runs in a process of its own, at a lower priority than roomd and the canaries. It returns a sentence for the table, or
raises Broken with the rule that did not hold. It never judges what the canaries noticed: that is done for all attacks alike.
"""

import dataclasses
import random
import time

MIB = 1024 * 1024


class Broken(Exception):
    """A rule did not hold. The text says which, and what was seen instead."""


class NotPossible(Exception):
    """This machine cannot try it; the text says what it would need. Never used for an ability that roomd lacks."""


@dataclasses.dataclass
class Field:
    """What an attack can see: where roomd listens, its process, its log, and how long to go on."""

    address: tuple          # TCP, framing by the first byte: where the canaries are
    unix: str               # the same on a Unix socket
    extra: list             # addresses of the attack's own listeners, in their order
    pid: int                # of roomd
    program: str            # the file that runs, a copy of the attack's own if it asked for one
    directory: str          # scratch, goes with the line
    log_path: str
    seconds: float
    long: bool
    random: random.Random
    canaries: tuple         # their nicks

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def deadline(self):
        return time.monotonic() + self.seconds


class Attack:
    """Base class. What a subclass does not name is as it is for most."""

    name = ""
    rule = ""               # what must hold, in one sentence
    short = 3.0             # seconds of attack
    long = 30.0
    grace = 20.0            # how much longer than that it may take before it counts as hung
    options = ()            # of roomd
    listen = ()             # listeners beside the two of the canaries
    config = ""             # TOML
    memory_max = 0          # passed as --memory-max; the ceiling that the peak is compared with
    cgroup = 0              # bytes of a memory cgroup around roomd
    descriptors = 0         # RLIMIT_NOFILE of roomd
    file_bytes = 0          # RLIMIT_FSIZE of roomd
    own_program = False     # roomd is a copy that the attack may replace
    log_pipe = False        # roomd's stderr is a pipe that nobody reads
    canaries_in = ("perch", "lobby")
    ping_ms = 50.0          # p99; None: roomd itself is stopped, so that a wait proves nothing
    newcomers = True        # who comes meanwhile has to be let in
    only_long = False
    shares = False          # leaves nothing behind: the next of its kind may have the same roomd
    settle = True           # its memory has to come back
    ends_daemon = False     # the attack is a stop

    def run(self, field):
        raise NotImplementedError


_register = {}


def register(*entries):
    """Adds attacks (instances) to the catalogue."""
    for entry in entries:
        if entry.name in _register:
            raise ValueError(f"two attacks are named {entry.name}")
        _register[entry.name] = entry


def catalogue():
    return dict(_register)


def must(condition, why):
    if not condition:
        raise Broken(why)
