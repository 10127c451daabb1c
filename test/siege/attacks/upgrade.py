"""Upgrades that go wrong. Whatever fails, the roomd that runs goes on serving, and no connection is lost."""

import os
import resource
import shutil
import signal
import time

from attack import Attack, must, register
from peers import Client, events


def put(path, content=None, source=None):
    """Replaces the file at once, as package managers do: writing into a program that runs is refused."""
    new = path + ".new"
    if source:
        shutil.copy(source, new)
    else:
        with open(new, "wb") as file:
            file.write(content)
    os.chmod(new, 0o755)
    os.rename(new, path)


class Successor(Attack):
    """At roomd's path there is another file, and it is asked to upgrade."""

    own_program = True
    short = 3.0
    settle = False

    def __init__(self, name, rule, content):
        self.name, self.rule, self.content = name, rule, content

    def run(self, field):
        if callable(self.content):
            put(field.program, self.content(field))
        elif os.path.isfile(self.content):
            put(field.program, source=self.content)
        with events(field.address, "witness") as witness:
            os.kill(field.pid, signal.SIGUSR2)
            end, count = field.deadline(), 0
            while time.monotonic() < end:
                must(witness.ask(f"/ping w{count}", f"ok ping w{count}", 5), "roomd does not answer any more")
                count += 1
                time.sleep(0.02)
        return (field.log() or [""])[-1][:120]


def script(text):
    return lambda field: text.encode()


def cut(field):
    with open(field.program, "rb") as file:
        data = file.read()
    return data[:len(data) // 3]


class Replaced(Attack):
    name = "upgrade_replaced"
    rule = "a file replaced between the question and the change is not what takes over"
    own_program = True
    short = 4.0
    settle = False

    def run(self, field):
        good = field.program + ".good"
        shutil.copy(field.program, good)
        end, rounds = field.deadline(), 0
        with events(field.address, "witness") as witness:
            while time.monotonic() < end:
                put(field.program, source=good)
                os.kill(field.pid, signal.SIGUSR2)
                until = time.monotonic() + 0.6
                while time.monotonic() < until:
                    put(field.program, source="/bin/true")
                    time.sleep(field.random.random() * 0.01)
                    if field.random.random() < 0.5:
                        put(field.program, source=good)
                        time.sleep(field.random.random() * 0.01)
                rounds += 1
                must(witness.ask(f"/ping w{rounds}", f"ok ping w{rounds}", 8), "roomd does not answer any more")
            put(field.program, source=good)
        return f"{rounds} upgrades"


class FileSize(Attack):
    name = "upgrade_file_size"
    rule = "a log and a state above RLIMIT_FSIZE end nothing"
    file_bytes = 65536
    options = ("--log-level", "debug", "--log-lines-per-second-max", "1000000")
    short = 3.0
    settle = False

    def run(self, field):
        with events(field.address, "witness", "archive") as witness:
            for index in range(60):
                must(witness.ask("/say archive " + "y" * 3000, "ok say"), "no say")
            os.kill(field.pid, signal.SIGUSR2)
            end, count = field.deadline(), 0
            while time.monotonic() < end:
                must(witness.ask(f"/ping w{count}", f"ok ping w{count}", 5), "roomd does not answer any more")
                count += 1
                for _ in range(10):
                    with Client(field.address) as client:
                        client.raw(b"\x01\x02\n")
                        client.rest(2)


class NoMemory(Attack):
    name = "upgrade_no_memory"
    rule = "an upgrade for which there is no memory is refused, or done"
    short = 3.0
    settle = False

    def run(self, field):
        with events(field.address, "witness", "archive") as witness:
            for index in range(200):
                must(witness.ask("/say archive " + "y" * 4000, "ok say"), "no say")
            with open(f"/proc/{field.pid}/statm", encoding="ascii") as file:
                size = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            old = resource.prlimit(field.pid, resource.RLIMIT_AS, (size + (1 << 20), resource.RLIM_INFINITY))
            os.kill(field.pid, signal.SIGUSR2)
            end, count = field.deadline(), 0
            while time.monotonic() < end - 1:
                must(witness.ask(f"/ping w{count}", f"ok ping w{count}", 5), "roomd does not answer any more")
                count += 1
                time.sleep(0.02)
            resource.prlimit(field.pid, resource.RLIMIT_AS, old)
            must(witness.ask("/ping after", "ok ping after", 5), "roomd does not answer any more")


class LogBlockedUpgrade(Attack):
    name = "upgrade_log_blocked"
    rule = "an upgrade while nobody reads the log is refused, or done"
    log_pipe = True
    options = ("--log-level", "debug", "--log-lines-per-second-max", "1000000")
    short = 4.0
    settle = False

    def run(self, field):
        with open(os.path.join(field.directory, "reader"), encoding="ascii") as file:
            reader = int(file.read())
        os.kill(reader, signal.SIGSTOP)
        try:
            with events(field.address, "witness") as witness:
                for _ in range(400):
                    with Client(field.address) as client:
                        client.raw(b"\x01\x02\n")
                        client.rest(2)
                os.kill(field.pid, signal.SIGUSR2)
                end, count = field.deadline(), 0
                while time.monotonic() < end:
                    must(witness.ask(f"/ping w{count}", f"ok ping w{count}", 5), "roomd does not answer any more")
                    count += 1
                    time.sleep(0.02)
        finally:
            os.kill(reader, signal.SIGCONT)


class Storm(Attack):
    name = "upgrade_storm"
    rule = "upgrades one behind the other, under load, lose nothing (F38, F40)"
    ping_ms = 150.0         # three pauses a second: the p99 is that of the pauses
    short = 4.0
    settle = False

    def run(self, field):
        end, count = field.deadline(), 0
        with events(field.address, "witness") as witness:
            while time.monotonic() < end:
                os.kill(field.pid, signal.SIGUSR2)
                for _ in range(10):
                    count += 1
                    must(witness.ask(f"/ping w{count}", f"ok ping w{count}", 8), "roomd does not answer any more")
                    time.sleep(0.03)
        return f"{sum('upgrade' in line or 'hand' in line for line in field.log())} lines about it in the log"


register(
    Successor("upgrade_true", "a successor that ends at once and says nothing is refused", "/bin/true"),
    Successor("upgrade_silent", "a successor that says nothing and does not end is refused", script("#!/bin/sh\nexec sleep 1000\n")),
    Successor("upgrade_liar", "a successor that says yes to everything is refused", script("#!/bin/sh\necho roomd 0.1.0 ok\nexit 0\n")),
    Successor("upgrade_cut", "a program that is written to a third is refused", cut),
    Successor("upgrade_same", "an upgrade to the same program loses nothing and is hardly noticed", "nothing to replace"),
    Replaced(), FileSize(), NoMemory(), LogBlockedUpgrade(), Storm())
