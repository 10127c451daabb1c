#!/usr/bin/env python3
"""Attacks roomd with each entry of a catalogue while well-behaved members talk, and judges what those noticed.

    siege.py [--build DIR] [--list] [--only NAME[,NAME]] [--seed N] [--long] [--json FILE]

One line an attack: the canaries' pings (p99 and worst) beside those of the idle time before it, how long what was said took,
who was closed, gaps, memory before, at its peak and after, and the verdict. Exit status 1 if any line is not held.
LONG=1 in the environment is --long. What each attack is and which rule it tries: --list.

Needs Linux and nothing but Python 3.11. It shares no code with roomd and none with the other tests.
"""

import argparse
import json
import os
import pathlib
import random
import select
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import attack as attack_module  # noqa: E402
import attacks  # noqa: E402,F401  (registers the catalogue)
import peers  # noqa: E402
from attack import MIB, Broken, Field, NotPossible  # noqa: E402
from roomd_process import Roomd, StartFailed  # noqa: E402

IDLE_S = 0.5
PING_MS = 50.0
SETTLE_S = 10.0
# What may stay of an attack's memory: a tenth, what rooms keep as history (counted by roomd), and what roomd does not trouble to
# give back (daemon/memory_account.h, load_is_over): it does not grow with the attack.
FREE_LISTS = 16 * MIB
# Pings of the control that say the machine was too busy for a verdict about waits.
CONTROL_MS = 20.0
TRIES = 3
NICKS = tuple(f"canary{index}" for index in range(8))


class Canaries:
    """The process of canaries.py."""

    def __init__(self, roomd, control_port, rooms):
        host, port = roomd.address
        self.process = subprocess.Popen(
            [sys.executable, "-S", str(HERE / "canaries.py"), "--address", f"{host}:{port}", "--unix", roomd.unix,
             "--control", str(control_port), "--rooms", ",".join(rooms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self._buffer = b""
        self.closed = False

    def hear(self, patience):
        deadline = time.monotonic() + patience
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Broken("the canaries do not answer: the harness is at fault")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Broken("the canaries' process has ended: the harness is at fault")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def ask(self, word, patience=20):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        return self.hear(patience)

    def close(self):
        if not self.closed:
            self.closed = True
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
            self.process.stdout.close()


def start_control():
    """A process that sends back what it gets; returns (process id, port)."""
    import socket
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    port = listener.getsockname()[1]
    pid = os.fork()
    if pid:
        listener.close()
        return pid, port
    watched = {}
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    parent = os.getppid()
    while os.getppid() == parent:
        for descriptor, _ in poll.poll(1.0):
            if descriptor == listener.fileno():
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                watched[peer.fileno()] = peer
                poll.register(peer.fileno(), select.EPOLLIN)
                continue
            try:
                data = watched[descriptor].recv(4096)
            except OSError:
                data = b""
            if data:
                watched[descriptor].send(data)
            else:
                poll.unregister(descriptor)
                watched.pop(descriptor).close()
    os._exit(0)


class Attacker:
    """The process group that an attack runs in."""

    def __init__(self, attack, field, niceness):
        self.reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:    # whatever happens, this process never goes on as the one it was made from
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.setpgid(0, 0)
                os.close(self.reading)
                os.setpriority(os.PRIO_PROCESS, 0, niceness)
                os.write(writing, json.dumps(self._run(attack, field)).encode())
            finally:
                os._exit(0)
        os.close(writing)
        self._answer = b""
        self.ended = False

    @staticmethod
    def _run(attack, field):
        try:
            return {"held": True, "note": attack.run(field) or ""}
        except Broken as broken:
            return {"held": False, "note": str(broken)}
        except NotPossible as why:
            return {"held": None, "note": str(why)}
        except Exception as failure:  # whatever stops an attacker is a finding until it is understood
            import traceback
            where = traceback.extract_tb(failure.__traceback__)[-1]
            return {"held": False, "note": f"the attacker failed: {failure!r} at {pathlib.Path(where.filename).name}:{where.lineno}"}

    def poll(self, wait):
        """Its answer, or None while it runs."""
        if not select.select([self.reading], [], [], wait)[0]:
            return None
        data = os.read(self.reading, 65536)
        self._answer += data
        if data:
            return None
        self.end()
        return json.loads(self._answer) if self._answer else {"held": False, "note": "the attacker's process has died"}

    def end(self):
        if self.ended:
            return
        self.ended = True
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        os.waitpid(self.pid, 0)
        os.close(self.reading)


def machine_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024


def ceiling_of(attack):
    """What roomd may have at the most. Not named: the smaller of the cgroup's limit x 0.6 and the machine's x 0.5."""
    if attack.memory_max:
        return attack.memory_max
    return min(machine_memory() * 0.5, attack.cgroup * 0.6 if attack.cgroup else float("inf"))


class Stage:
    """A roomd and the canaries in it. Kept from one line to the next where both leave nothing behind."""

    def __init__(self, attack, options, control_port):
        self.attack = attack
        self.folder = tempfile.TemporaryDirectory(prefix="siege-", dir="/tmp")
        self.roomd = self.canaries = None
        try:
            self.roomd = Roomd(options.program, self.folder.name, attack)
            self.canaries = Canaries(self.roomd, control_port, attack.canaries_in)
            ready = self.canaries.hear(20)
            if "error" in ready:
                raise StartFailed(self.roomd.death() or ready["error"])
        except BaseException:
            self.close()
            raise

    def close(self):
        """"" if roomd left in order, else what was wrong."""
        problem = ""
        if self.canaries:
            self.canaries.close()
        if self.roomd:
            problem = self.roomd.death() or self.roomd.stop() or self.roomd.trouble()[:200]
            self.roomd.close()
        self.folder.cleanup()
        return problem


class Line:
    """One attack, tried once."""

    def __init__(self, attack, options, control_port):
        self.attack, self.options, self.control_port = attack, options, control_port
        self.why = []
        self.note = ""
        self.possible = True
        self.idle = self.during = {}
        self.before = self.peak = self.after = self.settled_s = 0

    def run(self, stage=None):
        """Returns the stage if it may serve the next line, too."""
        try:
            if stage is None:
                stage = Stage(self.attack, self.options, self.control_port)
            else:
                stage.canaries.ask("resume")
        except (StartFailed, Broken) as failure:
            self.why.append(str(failure))
            return None
        except OSError as error:
            self.possible, self.note = False, f"needs a memory cgroup: {error}"
            return None
        try:
            self._beside(stage.roomd, stage.canaries, stage.folder.name)
        except Broken as broken:
            self.why.append(stage.roomd.death() or str(broken))
        except BaseException:
            stage.close()
            raise
        if self.attack.shares and self.held and self.possible and stage.roomd.alive():
            return stage
        problem = stage.close()
        if problem and not self.attack.ends_daemon and not any("roomd ended" in why for why in self.why):
            self.why.append(problem)
        return None

    def _beside(self, roomd, canaries, directory):
        time.sleep(IDLE_S)
        self.idle = canaries.ask("mark")
        self.before = roomd.resident()
        descriptors = roomd.descriptors()
        history = self._history(roomd)
        roomd.forget_peak()
        long = self.options.long
        field = Field(roomd.address, roomd.unix, roomd.addresses[2:], roomd.pid, roomd.program, directory, roomd.log_path,
                      self.attack.long if long else self.attack.short, long,
                      random.Random(f"{self.options.seed} {self.attack.name}"), NICKS)
        answer = self._attack(roomd, field)
        self.during = canaries.ask("mark")
        last = canaries.ask("finish", 30)
        for key in ("lost", "gaps", "closed", "disorder", "refused"):
            self.during[key] = last[key]
        self.during["notes"] = last["notes"]
        self.note = answer["note"]
        if answer["held"] is None:
            self.possible = False
            return
        if answer["held"] is False:
            self.why.append(answer["note"])
        self._judge_canaries(last)
        if roomd.alive():
            self._judge_memory(roomd, descriptors, history)

    def _attack(self, roomd, field):
        attacker = Attacker(self.attack, field, self.options.attackers_nice)
        deadline = time.monotonic() + field.seconds + self.attack.grace
        try:
            while True:
                answer = attacker.poll(0.05)
                self.peak = max(self.peak, roomd.resident(), roomd.peak())
                if answer is not None:
                    return answer
                if not roomd.alive() and not self.attack.ends_daemon:
                    raise Broken(roomd.death())
                if time.monotonic() > deadline:
                    return {"held": False, "note": f"the attack did not end within {field.seconds + self.attack.grace:g} s"}
        finally:
            attacker.end()

    @staticmethod
    def _history(roomd):
        try:
            return peers.stats(roomd.address, 5).get("history_bytes", 0)
        except OSError:
            return 0

    def _judge_canaries(self, last):
        during = self.during
        if during["closed"]:
            self.why.append(f"{during['closed']} canaries closed")
        if during["gaps"] or during["lost"]:
            self.why.append(f"{during['gaps']} gaps, {during['lost']} messages lost")
        if during["disorder"]:
            self.why.append(f"{during['disorder']} messages out of order")
        if during["refused"]:
            self.why.append(f"{during['refused']} commands of canaries refused")
        if last.get("unanswered"):
            self.why.append(f"{last['unanswered']} pings never answered")
        limit = self.attack.ping_ms
        if limit is not None:
            # What a process that does nothing else waits as well is the machine's, not roomd's.
            machine = during["control_p99"] or 0
            if (during["ping_p99"] or 0) - machine > limit:
                self.why.append(f"ping p99 {during['ping_p99']:.1f} ms, at most {limit:g}")
            if (during["hear_p99"] or 0) - machine > max(limit, PING_MS):
                self.why.append(f"p99 until a message is heard {during['hear_p99']:.1f} ms, at most {max(limit, PING_MS):g}")
        if self.attack.newcomers and during["kept_out"]:
            self.why.append(f"{during['kept_out']} newcomers kept out: {during['kept_out_why']}")
        if self.why and during["notes"]:
            self.why.append(during["notes"][0])

    def _judge_memory(self, roomd, descriptors, history):
        ceiling = ceiling_of(self.attack)
        if self.peak > ceiling * 1.1:
            self.why.append(f"memory peak {self.peak / MIB:.0f} MiB over the ceiling of {ceiling / MIB:.0f} MiB + 10 %")
        began = time.monotonic()
        while True:
            self.after = roomd.resident()
            kept = max(0, self._history(roomd) - history) * 1.5
            allowed = self.before * 1.1 + kept + FREE_LISTS
            leaked = roomd.descriptors() - descriptors
            self.settled_s = time.monotonic() - began
            # Newcomers come and go: a few descriptors more are none that leak.
            if not self.attack.settle or (self.after <= allowed and leaked <= 4):
                return
            if self.settled_s > SETTLE_S or not roomd.alive():
                break
            time.sleep(0.1)
        if self.after > allowed:
            self.why.append(f"memory is {self.after / MIB:.0f} MiB {SETTLE_S:.0f} s later, {self.before / MIB:.0f} before")
        if leaked > 4:
            self.why.append(f"{leaked} descriptors more than before")

    @property
    def held(self):
        return not self.why

    def only_waits(self):
        """Nothing is wrong but waits, and the control waited too: the machine's doing, perhaps."""
        words = ("ping p99", "p99 until", "newcomers kept out")
        return bool(self.why) and all(any(word in why for word in words) for why in self.why) and \
            (self.during.get("control_p99") or 0) > min(CONTROL_MS, (self.attack.ping_ms or PING_MS) * 0.4)

    def as_json(self):
        return {"attack": self.attack.name, "rule": self.attack.rule, "held": self.held, "possible": self.possible,
                "why": self.why, "note": self.note, "idle": self.idle, "during": self.during, "bytes_before": self.before,
                "bytes_peak": self.peak, "bytes_after": self.after, "settled_s": round(self.settled_s, 2)}

    HEAD = (f"{'attack':26} {'idle p99':>8} {'ping p99':>8} {'worst':>8} {'heard p99':>9} {'control':>8} {'closed':>6} {'gaps':>4} "
            f"{'lost':>5} {'MiB before/peak/after':>22}  verdict")

    def row(self):
        def ms(figures, key):
            value = figures.get(key)
            return "-" if value is None else f"{value:.1f}"

        during = self.during
        memory = "/".join(f"{value / MIB:.0f}" for value in (self.before, self.peak, self.after))
        verdict = "not tried: " + self.note if not self.possible else "held" if self.held else "BROKEN: " + "; ".join(self.why)
        if self.held and self.possible and self.note:
            verdict += f" ({self.note})"
        return (f"{self.attack.name:26} {ms(self.idle, 'ping_p99'):>8} {ms(during, 'ping_p99'):>8} {ms(during, 'ping_max'):>8} "
                f"{ms(during, 'hear_p99'):>9} {ms(during, 'control_p99'):>8} {during.get('closed', '-'):>6} "
                f"{during.get('gaps', '-'):>4} {during.get('lost', '-'):>5} {memory:>22}  {verdict}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(HERE.parents[1] / "build"), help="the folder with roomd")
    parser.add_argument("--list", action="store_true", help="name every attack and its rule")
    parser.add_argument("--only", action="append", default=[], help="these attacks, by name or by its beginning with *")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", default=os.environ.get("LONG", "") not in ("", "0"))
    parser.add_argument("--json", default="", help="default: siege.json in the build folder")
    parser.add_argument("--nice", type=int, default=0,
                        help="niceness of roomd, canaries and control, where others use the machine, too (below 0: root)")
    parser.add_argument("--attackers-nice", type=int, default=10)
    parser.add_argument("--tries", type=int, default=TRIES, help="how often a line is tried when the control waited, too")
    return parser.parse_args()


def chosen(options):
    every = [entry for entry in attack_module.catalogue().values() if options.long or not entry.only_long]
    names = [name for given in options.only for name in given.split(",") if name]
    if not names:
        return every
    every = list(attack_module.catalogue().values())
    found = [entry for entry in every
             if any(entry.name == name or (name.endswith("*") and entry.name.startswith(name[:-1])) for name in names)]
    for name in names:
        if not any(entry.name == name or (name.endswith("*") and entry.name.startswith(name[:-1])) for entry in found):
            sys.exit(f"no attack is named {name}; --list has them")
    return found


def raise_descriptor_limit():
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    options = parse()
    options.program = pathlib.Path(options.build) / "roomd"
    entries = chosen(options)
    if options.list:
        for entry in entries:
            print(f"{entry.name:26} {entry.rule}")
        return 0
    if not os.access(options.program, os.X_OK):
        sys.exit(f"{options.program} is missing: `make` builds it")
    raise_descriptor_limit()
    os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    control, control_port = start_control()
    # Ended from outside (a gate's time is over): roomd and the canaries of the line end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, lines, untried = time.monotonic(), [], []
    print(f"{len(entries)} attacks on {options.program}, seed {options.seed}, {'long' if options.long else 'short'} form; "
          f"waits in milliseconds")
    print(Line.HEAD, flush=True)
    stage = None
    try:
        for entry in entries:
            if stage and not entry.shares:
                stage.close()
                stage = None
            for attempt in range(max(1, options.tries)):
                line = Line(entry, options, control_port)
                stage = line.run(stage)
                if not line.only_waits():
                    break
                if attempt + 1 < options.tries:
                    print(f"{entry.name:26} again: the control waited {line.during['control_p99']:.0f} ms, too", flush=True)
            lines.append(line)
            print(line.row(), flush=True)
    finally:
        if stage:
            stage.close()
        os.kill(control, signal.SIGKILL)
        os.waitpid(control, 0)
    broken = [line for line in lines if not line.held]
    untried = [line for line in lines if line.held and not line.possible]
    report = pathlib.Path(options.json or pathlib.Path(options.build) / "siege.json")
    report.write_text(json.dumps({"seed": options.seed, "long": options.long, "seconds": round(time.monotonic() - began, 1),
                                  "lines": [line.as_json() for line in lines]}, indent=1) + "\n", encoding="utf-8")
    for line in untried:
        print(f"not tried: {line.attack.name}: {line.note}")
    print(f"{len(lines) - len(broken) - len(untried)} held, {len(broken)} broken, {len(untried)} not tried, "
          f"{time.monotonic() - began:.0f} s; {report}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
