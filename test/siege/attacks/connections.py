"""Attacks with connections: many, short, silent, none left; and with the process: signals, system calls that fail, a blocked log."""

import array
import os
import resource
import shutil
import signal
import socket
import subprocess
import time

from attack import Attack, NotPossible, must, register
from peers import Client, Crowd, descriptors_of, events, frame, reset, stats


class Silent(Attack):
    name = "silent_connections"
    rule = "5,000 who say nothing cost nobody else anything (F1)"
    descriptors = 20_000
    short = 2.0

    def run(self, field):
        crowd = Crowd(field.address, 5000).open()
        crowd.drive(field.seconds)
        must(crowd.ended == 0, "a silent member of this machine was closed")
        crowd.close()


class Dribble(Attack):
    name = "dribblers"
    rule = "1,000 that send a byte a second cost nobody else anything (F2)"
    short = 4.0

    def run(self, field):
        crowd = Crowd(field.address, 1000, blob=b"", repeat=False).open()
        data, end = frame("/hello 1 nick=dribble"), field.deadline()
        at = 0
        while time.monotonic() < end:
            for state in crowd.peers.values():
                state[1] = memoryview(data[at % len(data):at % len(data) + 1])
                state[2] = 0
                crowd.epoll.modify(state[0].fileno(), Crowd.EVENTS)
            at += 1
            crowd.drive(1.0)
        crowd.close()


class ConnectClose(Attack):
    name = "connect_close"
    rule = "connections that come and go as fast as they can leak nothing and delay nobody (F25)"

    def run(self, field):
        end, count = field.deadline(), 0
        pick = field.random
        while time.monotonic() < end:
            try:
                peer = socket.socket()
                peer.bind((f"127.0.0.{2 + count % 100}", 0))
                peer.settimeout(2)
                peer.connect(field.address)
                if pick.random() < 0.5:
                    peer.send(pick.choice((b"\x00", b"/hello 1\n", b"hello\n", b"\x00\x00\x00\x05hello")))
                (reset if pick.random() < 0.7 else socket.socket.close)(peer)
                count += 1
            except OSError:
                peer.close()
        return f"{count / field.seconds:.0f}/s"


class ConnectBurst(Attack):
    name = "connect_burst"
    rule = "3,000 that come at once are all served within seconds (F26)"
    descriptors = 20_000
    short = 4.0

    def run(self, field):
        begin, welcomed, tails = time.monotonic(), set(), {}

        def hear(descriptor, data):
            tails[descriptor] = tails.get(descriptor, b"") + data
            if b"welcome" in tails[descriptor]:
                welcomed.add(descriptor)

        crowd = Crowd(field.address, 3000, blob=b"/hello 1\n", repeat=False)
        crowd.on_data = hear
        crowd.open()
        crowd.drive(field.seconds + 4, until=lambda: len(welcomed) == 3000)
        must(len(welcomed) == 3000, f"{len(welcomed)} of 3,000 were served")
        seconds = time.monotonic() - begin
        crowd.close()
        return f"all after {seconds:.1f} s"


class NoDescriptor(Attack):
    name = "no_descriptor_left"
    rule = "with no descriptor left those who come are told `full`; nobody spins, and the first after it is served at once (F27)"
    newcomers = False
    short = 4.0

    def run(self, field):
        soft, hard = resource.prlimit(field.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(field.pid, resource.RLIMIT_NOFILE, (descriptors_of(field.pid) + 3, hard))
        crowd = Crowd(field.address, 200, blob=b"/hello 1\n", repeat=False).open()
        before = self.cpu(field.pid)
        crowd.drive(1.0)
        begin = time.monotonic()
        time.sleep(field.seconds - 2)
        spent = (self.cpu(field.pid) - before) / (time.monotonic() - begin + 1.0)
        crowd.close()
        resource.prlimit(field.pid, resource.RLIMIT_NOFILE, (soft, hard))
        begin = time.monotonic()
        events(field.address).close()
        late = time.monotonic() - begin
        must(late < 1.0, f"the first client after it was served after {late:.2f} s")
        must(spent < 0.5, f"roomd took {spent * 100:.0f} % of a processor")
        return f"{crowd.ended} refused, {spent * 100:.0f} % of a processor, then served after {late * 1000:.0f} ms"

    @staticmethod
    def cpu(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Inject(Attack):
    """System calls that fail, by strace. Under it every call is slow, so the wait is not judged as strictly."""

    ping_ms = 250.0
    short = 3.0
    settle = False

    def __init__(self, name, call, inject, rule):
        self.name, self.call, self.inject, self.rule = name, call, inject, rule

    def run(self, field):
        strace = shutil.which("strace")
        if not strace:
            raise NotPossible("needs strace")
        tracer = subprocess.Popen([strace, "-q", "-p", str(field.pid), "-o", "/dev/null", "-e", f"trace={self.call}",
                                   *[word for rule in self.inject for word in ("-e", f"inject={rule}")]],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  preexec_fn=self.as_roomd)
        try:
            end = field.deadline()
            while time.monotonic() < end:
                if tracer.poll() is not None:
                    raise NotPossible("strace: " + tracer.stderr.read().decode(errors="replace").strip()[:120])
                clients = [Client(field.address) for _ in range(3)]
                for index, client in enumerate(clients):
                    client.send("/hello 1", f"/ping i{index}")
                for index, client in enumerate(clients):
                    must(client.until(f"ok ping i{index}", 10), "a client is not answered")
                    client.close()
                time.sleep(0.05)
        finally:
            tracer.terminate()
            tracer.wait(10)

    @staticmethod
    def as_roomd():
        """roomd waits for its tracer at each call, so the tracer must not be the one that is niced."""
        try:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        except PermissionError:
            pass


# Each injection is over before strace leaves: one that it leaves in the middle of a call makes the call fail as unknown.
INJECTIONS = (
    Inject("accept_fails", "accept4", ["accept4:error=ECONNABORTED:when=2..40+3"], "ECONNABORTED at accept is retried (F28)"),
    Inject("accept_no_memory", "accept4", ["accept4:error=ENOBUFS:when=2..40+4"], "ENOBUFS at accept pauses, and goes on by itself (F28)"),
    Inject("send_no_buffers", "sendto,sendmsg", [f"{call}:error=ENOBUFS:when=3..300+7" for call in ("sendto", "sendmsg")],
           "ENOBUFS at a send is tried again (F29)"),
)


class StopAndGo(Attack):
    name = "wait_interrupted"
    rule = "a wait that is interrupted again and again is not seen (F30)"
    settle = False

    def run(self, field):
        end, count = field.deadline(), 0
        while time.monotonic() < end:   # SIGCONT interrupts epoll_wait, signal(7)
            os.kill(field.pid, signal.SIGSTOP)
            os.kill(field.pid, signal.SIGCONT)
            count += 1
            time.sleep(0.0005)
        return f"{count} times"


class Stopped(Attack):
    name = "roomd_stopped"
    rule = "a roomd that stood still closes nobody when it goes on (F34)"
    # A pause counts as one second, however long it was.
    options = ("--stalled-ms-max", "2500", "--partial-ms-max", "2500")
    ping_ms = None
    newcomers = False
    short = 3.0

    def run(self, field):
        half = Client(field.address, "frame")
        half.raw(b"\x00\x00\x00\x08/hel")
        time.sleep(0.2)
        os.kill(field.pid, signal.SIGSTOP)
        time.sleep(field.seconds)
        os.kill(field.pid, signal.SIGCONT)
        half.raw(b"lo 1")
        must(half.until("welcome", 5), "half a frame was given up though roomd itself stood still")
        half.close()


class Signals(Attack):
    name = "signal_storm"
    rule = "signals that mean nothing lose nothing (R5)"

    def run(self, field):
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT, signal.SIGXFSZ):
                os.kill(field.pid, number)
                count += 1
            time.sleep(0.001)
        return f"{count} signals"


class Reloads(Attack):
    name = "reload_storm"
    rule = "good, bad and half-written files are read again all or nothing, and nobody waits for it (F41)"
    config = '[limits]\nrooms_max = 9000\n'

    def run(self, field):
        path = os.path.join(field.directory, "roomd.toml")
        texts = ('[limits]\nrooms_max = 8000\n', '[limits\nrooms_m', '[limits]\nrooms_max = "many"\n', '', 'log_level = "info"\n' * 2,
                 '[[room]]\nname = "x"\nslow = "gap"\n')
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            with open(path, "w", encoding="utf-8") as file:
                file.write(texts[count % len(texts)])
            os.kill(field.pid, signal.SIGHUP)
            count += 1
            time.sleep(0.02)
        return f"{count} reloads"


class ReloadFromPipe(Attack):
    name = "reload_from_pipe"
    rule = "a configuration file that has become a pipe nobody writes into is refused, and nobody waits for it"
    config = '[limits]\nrooms_max = 9000\n'
    short = 2.0

    def run(self, field):
        path = os.path.join(field.directory, "roomd.toml")
        os.unlink(path)
        os.mkfifo(path)
        os.kill(field.pid, signal.SIGHUP)
        time.sleep(field.seconds)
        os.unlink(path)


class ReloadSlowName(Attack):
    name = "reload_waits_for_dns"
    rule = "a name in the configuration that resolves slowly keeps nobody waiting"
    config = '[limits]\nrooms_max = 9000\n'
    short = 2.0

    def run(self, field):
        path = os.path.join(field.directory, "roomd.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write('metrics = "no-such-host.invalid:9999"\n')
        os.kill(field.pid, signal.SIGHUP)
        time.sleep(field.seconds)


class PassedDescriptors(Attack):
    name = "passed_descriptors"
    rule = "descriptors that a client passes over a Unix socket are not kept (F56)"
    short = 1.5

    def run(self, field):
        before = descriptors_of(field.pid)
        null = os.open("/dev/null", os.O_RDONLY)
        clients = []
        for _ in range(20):
            client = Client(field.unix)
            client.socket.sendmsg([b"/hello 1\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * 50))])
            must(client.until("welcome"), "no welcome")
            clients.append(client)
        kept = descriptors_of(field.pid) - before
        must(kept <= 24, f"roomd holds {kept} descriptors more with 20 connections more")


class Urgent(Attack):
    name = "urgent_data"
    rule = "urgent bytes are no trouble, and no edge is lost with them"
    short = 1.5

    def run(self, field):
        with events(field.address) as client:
            for index in range(100):
                client.socket.send(b"!", socket.MSG_OOB)
                must(client.ask(f"/ping u{index}", f"ok ping u{index}", 5), "a command beside urgent data is not answered")


class LogBlocked(Attack):
    name = "log_blocked"
    rule = "a log that nobody reads blocks nobody; its lines are dropped and counted (F62)"
    log_pipe = True
    options = ("--log-level", "debug", "--log-lines-per-second-max", "1000000")
    settle = False

    def run(self, field):
        with open(os.path.join(field.directory, "reader"), encoding="ascii") as file:
            reader = int(file.read())
        os.kill(reader, signal.SIGSTOP)
        end = field.deadline()
        while time.monotonic() < end:
            for _ in range(20):
                with Client(field.address) as client:
                    client.raw(b"\x01\x02\n")
                    client.rest(2)
        os.kill(reader, signal.SIGCONT)


class FullRoom(Attack):
    name = "crowded_room"
    rule = "a room of 3,000 in which somebody talks delays nobody in another room"
    canaries_in = ("perch", "nest")
    descriptors = 20_000
    short = 4.0

    def run(self, field):
        crowd = Crowd(field.address, 3000, blob=b"/join stadium\n", repeat=False).open()
        crowd.drive(0.5)
        with events(field.address, "speaker", "stadium") as speaker:
            end, count = field.deadline(), 0
            while time.monotonic() < end:
                speaker.send("/say stadium " + "x" * 64)
                must(speaker.until("ok say", 20), "the speaker is not answered")
                count += 1
                crowd.drive(0.05)
        must(crowd.ended == 0, f"{crowd.ended} of 3,000 were closed")
        crowd.close()
        return f"{count} messages"


register(Silent(), Dribble(), ConnectClose(), ConnectBurst(), NoDescriptor(), *INJECTIONS, StopAndGo(), Stopped(), Signals(), Reloads(), ReloadFromPipe(),
         ReloadSlowName(), PassedDescriptors(), Urgent(), LogBlocked(), FullRoom())
