"""Attacks by members who only talk: with commands that anybody may give, as fast as they go."""

import time

from attack import Attack, must, register
from peers import Client, Crowd, events, line, stats


class Nothing(Attack):
    name = "nothing"
    rule = "beside nobody a ping takes less than a millisecond at p99"
    ping_ms = 1.0
    long = 10.0

    def run(self, field):
        time.sleep(field.seconds)


class KickByEntries(Attack):
    name = "kick_by_entries"
    rule = "many small messages in one burst close nobody who reads, and cost nobody a gap"
    # So few that what one tick brings is more: a queue is not judged before it was offered to the kernel.
    options = ("--queue-entries-max", "128")

    def run(self, field):
        bursts = [b"/msg %s x\nx\n" % nick.encode() * 3000 for nick in field.canaries]
        with Client(field.address) as member:
            member.send("/nick burster", "/join lobby")
            must(member.until("* you are in lobby"), "the attacker does not get in")
            count, end = 0, field.deadline()
            while time.monotonic() < end:
                member.raw(bursts[count % len(bursts)])
                member.send(f"/ping b{count}")
                must(member.until(f"* pong b{count}", 20), "the attacker hears no more")
                count += 1
                time.sleep(0.2)
        return f"{count} bursts of 6,000 messages"


class Pipeline(Attack):
    """N connections that send the same commands for ever and read all the answers."""

    short = 2.0
    long = 20.0

    def __init__(self, name, count, unit, prelude="/format plain\n", rooms=0, only_long=False, options=()):
        self.name, self.count, self.unit, self.prelude = f"{name}_{count}", count, unit, prelude
        self.rooms, self.only_long, self.options = rooms, only_long, options
        self.rule = f"{count} connections that pipeline {(unit.split() or [repr(unit)])[0]} let nobody else wait"

    def run(self, field):
        holders = []
        for first in range(0, self.rooms, 50):
            holder = Client(field.address)
            holder.send(*[f"/join {'r' * 20}{index}" for index in range(first, first + 50)], "/ping in")
            must(holder.until("* pong in"), "the rooms are not made")
            holders.append(holder)
        data = self.unit if isinstance(self.unit, bytes) else self.unit.encode()
        crowd = Crowd(field.address, self.count, blob=data * max(1, 65536 // len(data)), prelude=self.prelude.encode())
        crowd.open().drive(field.seconds)
        note = f"{crowd.sent / 1e6:.0f} MB sent, {crowd.received / 1e6:.0f} MB of answers"
        must(crowd.ended <= self.count // 50, f"{crowd.ended} of {self.count} attackers were closed, who read all they are sent")
        crowd.close()
        return note


WIDE = "".join(chr(0x1D400 + index) for index in range(16)) + "".join(chr(0xFF21 + index) for index in range(8))
PIPELINES = (
    Pipeline("join_leave", 50, "/join qq\n/leave qq\n", only_long=True),
    Pipeline("join_leave", 200, "/join qq\n/leave qq\n"),
    Pipeline("join_leave_own_room", 200, "/join qq\n/leave qq\n/join rr\n/leave rr\n", only_long=True),
    Pipeline("ping", 50, "/ping\n", only_long=True),
    Pipeline("ping", 200, "/ping\n"),
    Pipeline("format", 200, "/format plain\n"),
    Pipeline("nick", 50, f"/nick {WIDE}\n", only_long=True),
    Pipeline("nick", 200, f"/nick {WIDE}\n"),
    Pipeline("nick_marks", 200, "/nick a" + "\u0315\u0300\u0327" * 20 + "\n"),
    Pipeline("who", 200, "/join lobby\n/who lobby\n"),
    Pipeline("rooms", 200, "/rooms\n", rooms=500),
    Pipeline("stats", 200, "/stats\n", only_long=True),
    Pipeline("help", 200, "/help\n", only_long=True),
    Pipeline("unknown", 200, "/x\n"),
    Pipeline("bad_utf8", 200, b"\xff\n", only_long=True),
    Pipeline("empty_lines", 200, "\r\n", only_long=True),
    Pipeline("topic", 50, "/topic tt " + "t" * 1500 + "\n", prelude="/format plain\n/join tt\n"),
    Pipeline("history", 50, "/history hh last=1000\n",
             prelude="/format plain\n/join hh\n" + "".join(f"said before {index} {'h' * 200}\n" for index in range(100))),
    Pipeline("say_own_room", 50, "x\n", prelude="/format human\n/join soloists\n"),
    Pipeline("hello", 200, "/hello 1\n"),
)


class Conns(Attack):
    name = "conns_200"
    rule = "200 debuggers that pipeline /conns let nobody else wait"
    listen = ("tcp://127.0.0.1:0?framing=line&debug=on",)

    def run(self, field):
        crowd = Crowd(field.extra[0], 200, blob=b"/conns\n" * 8000, prelude=b"/format plain\n")
        crowd.open().drive(field.seconds)
        crowd.close()


class JoinLeaveChurn(Attack):
    name = "churn_lobby"
    rule = "members that enter and leave the canaries' room in bursts delay nobody in it (F24)"

    def run(self, field):
        # As much as a reader in Python can take: what is measured is roomd, not the canaries.
        churners = [Client(field.address) for _ in range(3)]
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            for churner in churners:
                churner.raw(b"/join lobby\n/leave lobby\n" * 60 + b"/ping c%d\n" % count)
            for churner in churners:
                must(churner.until(f"* pong c{count}", 20), "a churner is not answered")
            count += 1
            time.sleep(0.15)
        return f"{count * 180} times in and out"


class RenameChurn(Attack):
    name = "rename_churn"
    rule = "renames in many shared rooms are one event each and delay nobody"

    def run(self, field):
        rooms = [f"shared{index}" for index in range(49)]
        crowd = Crowd(field.address, 20, blob=b"".join(b"/nick n%d\n" % index for index in range(400)),
                      prelude="".join(f"/join {room}\n" for room in ["lobby", *rooms]).encode())
        crowd.open().drive(field.seconds)
        crowd.close()


class RenameOnce(Attack):
    name = "rename_is_one_event"
    shares = True
    rule = "a rename is told once, however many rooms are shared"
    short = 1.0

    def run(self, field):
        witness = events(field.address, "witness", framing="frame")
        mover = events(field.address, "mover", framing="frame")
        for client in (witness, mover):
            for index in range(20):
                must(client.ask(f"/join shared{index}", "ok join"), "no way in")
        must(mover.ask("/nick moved", "ok nick"), "no rename")
        must(mover.ask("/say shared0 done", "ok say"), "no say")
        heard = []
        must(witness.until(lambda payload: heard.append(payload) or payload.endswith(" done")), "the witness heard nothing")
        told = [payload for payload in heard if payload.startswith("nick mover moved")]
        must(len(told) == 1, f"one rename was told {len(told)} times")


class FloodOfMessages(Attack):
    name = "flood_line_rate"
    rule = "who talks at line rate in a crowded room delays nobody in another (R4)"
    canaries_in = ("perch", "nest")

    def run(self, field):
        readers = Crowd(field.address, 100, blob=b"/join stadium\n", repeat=False).open()
        readers.drive(0.5)
        speaker = Crowd(field.address, 2, blob=b"x" * 60 + b"\n" + b"y" * 60 + b"\n", prelude=b"/join stadium\n").open()
        end = field.deadline()
        while time.monotonic() < end:
            speaker.drive(0.02)
            readers.drive(0.02)
        must(readers.ended == 0, f"{readers.ended} of 100 readers, who read all they could, were closed")
        speaker.close()
        readers.close()


class UnixFlood(Attack):
    name = "unix_flood"
    rule = "a local client that writes all a Unix socket takes starves nobody on TCP (F63)"

    def run(self, field):
        crowd = Crowd(field.unix, 2, blob=line("/say pipe " + "z" * 4000) * 16, prelude=b"/join pipe\n").open()
        crowd.drive(field.seconds)
        crowd.close()
        return f"{crowd.sent / field.seconds / 1e6:.0f} MB/s"


class ManyFramesInOnePiece(Attack):
    name = "thousand_commands_at_once"
    rule = "a thousand commands in one piece are all answered, in order (F4)"
    short = 1.5

    def run(self, field):
        end, rounds = field.deadline(), 0
        with events(field.address, framing="frame") as client:
            while time.monotonic() < end:
                client.send(*[f"/ping t{rounds}-{index}" for index in range(1000)])
                for index in range(1000):
                    answer = client.get()
                    must(answer == f"ok ping t{rounds}-{index}", f"answer {index} was {answer!r}")
                rounds += 1
        return f"{rounds} times"


class DirectMessages(Attack):
    name = "dm_mute"
    rule = "private messages to a slow reader do not make its own commands wait"
    short = 4.0

    def run(self, field):
        witness = events(field.address, "witness", "square")
        victim = events(field.address, "victim", "square", receive_buffer=4096)
        flood = Crowd(field.address, 3, blob=line("/msg victim " + "x" * 4000) * 8, prelude=b"/hello 1 ack=off\n").open()
        victim.socket.setblocking(False)
        asked, worst, number = 0.0, 0.0, 0
        end, begin = field.deadline(), time.monotonic() + 1.0
        next_read = 0.0
        waiting = False
        while time.monotonic() < end or waiting:
            flood.drive(0.01)
            now = time.monotonic()
            if now >= next_read:    # 100 kB/s
                next_read = now + 0.1
                try:
                    must(victim.socket.recv(10_000), "the victim was closed")
                except BlockingIOError:
                    pass
            if not waiting and now > begin and now < end:
                number += 1
                victim.socket.send(line(f"/say square word {number}"))
                asked, waiting, begin = now, True, now + 0.5
            elif waiting:
                if witness.until(lambda payload, wanted=f" word {number}": payload.endswith(wanted), 0.01):
                    worst, waiting = max(worst, now - asked), False
                must(now - asked < 3.0, f"the victim's word was not heard within 3 s ({number - 1} were, the worst after {worst:.2f} s)")
        must(worst < 0.5, f"the victim's word was heard after {worst:.2f} s")
        must(number >= 2, "the victim said nothing: the harness is at fault")
        return f"{number} words, worst {worst * 1000:.0f} ms"


class Ignore(Attack):
    name = "ignore"
    shares = True
    rule = "/ignore NICK ends what that one says to you; /ignores lists it"
    short = 1.0

    def run(self, field):
        quiet = events(field.address, "quiet", "square")
        loud = events(field.address, "loud", "square")
        must(quiet.ask("/ignore loud", lambda payload: payload.startswith(("ok ", "err "))).startswith("ok ignore"),
             "there is no /ignore")
        must("loud" in (quiet.ask("/ignores", lambda payload: payload.startswith(("ok ", "err "))) or ""), "/ignores does not list it")
        loud.send("/msg quiet do you hear me", "/ping over")
        must(loud.until("ok ping over"), "the loud one hears nothing")
        quiet.send("/ping end")
        heard = []
        must(quiet.until(lambda payload: heard.append(payload) or payload == "ok ping end"), "no answer")
        must(not any("do you hear me" in payload for payload in heard), "an ignored one was heard")


class EveryVerbFirst(Attack):
    name = "every_verb_first"
    shares = True
    rule = "every verb as the very first payload, and behind /quit, ends nothing but its own connection (F65)"
    short = 1.5

    VERBS = ("/hello 1", "/hello", "/hello 2", "/format event", "/nick first", "/join lobby", "/leave", "/leave lobby", "/say lobby x",
             "/say", "/me x", "/msg canary0 x", "/msg nobody x", "/topic", "/topic lobby", "/who", "/rooms", "/history", "/ping",
             "/stats", "/help", "/help say", "/quit", "/quit bye", "/trace on", "/conns", "/ignore x", "/ignores", "/", "//", "/ x", "x")

    def run(self, field):
        for framing in ("frame", "line"):
            for verb in self.VERBS:
                with Client(field.address, framing) as client:
                    client.send(verb, verb, "/quit", verb, "/quit")
                    heard = client.rest(5)
                    must(heard[-1:] != [None], f"{verb!r} over {framing}: the connection does not end after /quit")


class NameTakenByTwo(Attack):
    name = "one_name_for_two"
    shares = True
    rule = "a name has one owner, whoever asks for it how often (F66)"
    short = 1.5

    def run(self, field):
        crowd = [events(field.address) for _ in range(20)]
        end = field.deadline()
        while time.monotonic() < end:
            for client in crowd:
                client.send("/nick wanted")
            answers = [client.until(lambda payload: payload.startswith(("ok nick", "err nick"))) for client in crowd]
            must(None not in answers, "an answer is missing")
            owners = sum(answer.startswith("ok") for answer in answers)
            must(owners == 1, f"{owners} own the name")
            crowd[[answer.startswith("ok") for answer in answers].index(True)].close()
            crowd = [client for client, answer in zip(crowd, answers) if not answer.startswith("ok")] + [events(field.address)]
            deadline = time.monotonic() + 5
            while stats(field.address)["connections"] > len(crowd) + len(field.canaries) + 4 and time.monotonic() < deadline:
                time.sleep(0.01)


register(Nothing(), KickByEntries(), *PIPELINES, Conns(), JoinLeaveChurn(), RenameChurn(), FloodOfMessages(),
         UnixFlood(), ManyFramesInOnePiece(), DirectMessages(), RenameOnce(), Ignore(), EveryVerbFirst(), NameTakenByTwo())
