"""Attacks on memory: what is held for many clients together, and the tables that all share."""

import os
import re
import struct
import time

from attack import MIB, Attack, must, register
from peers import Client, Crowd, events, line, stats

HALF_FRAME = struct.pack(">I", 65536) + b"h" * 65500


class HalfFrames(Attack):
    name = "half_frames"
    rule = "thousands of half frames stay under the ceiling, and well-behaved members beside them lose nothing"
    memory_max = 96 * MIB
    count = 4000
    descriptors = 20_000
    newcomers = False       # who comes near the ceiling may have to wait
    short = 4.0
    long = 20.0

    def run(self, field):
        crowd = Crowd(field.address, self.count, blob=HALF_FRAME, repeat=False).open(field.seconds + 5)
        crowd.drive_quiet(field.seconds + 5)
        note = f"{self.count - crowd.refused} came, {crowd.ended} closed, {crowd.sent / MIB:.0f} MiB sent"
        crowd.close()
        return note


class HalfFramesInGroup(HalfFrames):
    name = "half_frames_cgroup"
    rule = "the same under a memory cgroup and no option: roomd knows its limit, and the kernel does not kill it"
    memory_max = 0
    cgroup = 200 * MIB
    count = 5000


class HalfFramesInService(HalfFrames):
    name = "half_frames_service"
    rule = "17,000 half frames under a cgroup with MemoryMax=1G, as in the packaged service"
    memory_max = 0
    cgroup = 1024 * MIB
    count = 17_000
    only_long = True
    long = 30.0

    def run(self, field):
        # One address has 28,000 ports of its own; several are surer.
        crowd = Crowd(field.address, self.count, blob=HALF_FRAME, repeat=False,
                      sources=[f"127.0.0.{last}" for last in range(2, 10)]).open(field.seconds)
        crowd.drive(field.seconds / 2)
        return f"{self.count - crowd.refused} came, {crowd.ended} closed, {crowd.sent / MIB:.0f} MiB sent"


class HalfLines(HalfFrames):
    name = "half_lines"
    rule = "lines without an end are counted as half frames are"
    memory_max = 64 * MIB
    count = 4000
    short = 4.0

    def run(self, field):
        crowd = Crowd(field.address, self.count, blob=b"/" + b"l" * 4089, repeat=False).open(field.seconds + 5)
        crowd.drive_quiet(field.seconds + 5)
        crowd.close()


class OwnAnswers(Attack):
    name = "own_answers"
    rule = "unread own answers of thousands, over the ceiling together, close nobody who reads (b05f)"
    memory_max = 64 * MIB
    descriptors = 20_000
    newcomers = False
    short = 4.0

    def run(self, field):
        crowd = Crowd(field.address, 3000, blob=b"/hello 1\n" + b"/stats\n" * 80, repeat=False, read="never",
                      receive_buffer=4096).open(field.seconds + 5)
        crowd.drive_quiet(field.seconds + 5)
        crowd.close()
        return f"{crowd.ended} of the attackers closed"


class Replays(Attack):
    name = "replays_at_once"
    rule = "500 who ask for the whole history at once make nobody wait, and cost no copy each (F44)"
    short = 4.0

    def run(self, field):
        with events(field.address, "teller", "archive") as teller:
            for index in range(10):
                teller.send(*[f"/say archive {index * 100 + number} {'a' * 900}" for number in range(100)])
                must(teller.ask(f"/ping a{index}", f"ok ping a{index}", 20), "the teller is not heard")
        crowd = Crowd(field.address, 500, blob=b"/history archive last=1000\n/ping x\n",
                      prelude=b"/hello 1\n/join archive last=1000\n").open()
        crowd.drive(field.seconds)
        must(crowd.ended == 0, f"{crowd.ended} who read all they could were closed")
        crowd.close()
        return f"{crowd.received / MIB / field.seconds:.0f} MiB/s"


class ReplaysUnread(Attack):
    name = "replays_unread"
    rule = "replays that nobody reads stay under the ceiling and close nobody else"
    memory_max = 64 * MIB
    newcomers = False
    short = 4.0

    def run(self, field):
        with events(field.address, "teller", "archive") as teller:
            for index in range(10):
                teller.send(*[f"/say archive {index * 100 + number} {'a' * 900}" for number in range(100)])
                must(teller.ask(f"/ping a{index}", f"ok ping a{index}", 20), "the teller is not heard")
        crowd = Crowd(field.address, 1000, blob=b"/hello 1\n/join archive last=1000\n", repeat=False, read="never",
                      receive_buffer=4096).open()
        crowd.drive(field.seconds)
        crowd.close()


class RoomsSquat(Attack):
    name = "rooms_squat"
    rule = "rooms that somebody made and left keep nobody out of any room, the lobby least of all"
    options = ("--rooms-max", "2000")
    canaries_in = ("perch",)    # the newcomers' room has to be made while all the places are taken
    short = 3.0

    def run(self, field):
        squatter = Client(field.address)
        number, end = 0, field.deadline()
        squatter.send("/format plain")
        while time.monotonic() < end:
            squatter.send(*[f"/join squat{index}\n/leave squat{index}" for index in range(number, number + 500)])
            squatter.send(f"/ping s{number}")
            must(squatter.until(f"ping s{number}", 20), "the squatter is not answered")
            number += 500
            with Client(field.address) as guest:
                guest.send("hello", "/ping in")
                heard = []
                guest.until(lambda payload: heard.append(payload) or "pong in" in payload, 5)
                must(any("you are in lobby" in payload for payload in heard), f"a guest does not get into the lobby: {heard[-3:]}")
            with events(field.address) as guest:
                answer = guest.ask(f"/join fresh{number}", lambda payload: payload.startswith(("ok join", "err join")), 5)
                must(answer and answer.startswith("ok"), f"nobody can make a room: {answer}")
        return f"{number} rooms made"


class RoomsHeld(Attack):
    name = "rooms_held"
    rule = "who holds all places for rooms is the one who may make no more; others still enter and make rooms (F48)"
    options = ("--rooms-max", "1000")
    canaries_in = ("perch",)
    short = 2.0

    def run(self, field):
        holders = []
        for index in range(24):
            holder = Client(field.address)
            holder.send(*[f"/join held{index}-{number}" for number in range(49)], "/ping in")
            must(holder.until("* pong in", 10), "a holder is not answered")
            holders.append(holder)
        with Client(field.address) as guest:
            guest.send("hello", "/ping in")
            heard = []
            guest.until(lambda payload: heard.append(payload) or "pong in" in payload, 5)
            must(any("you are in lobby" in payload for payload in heard), f"a guest does not get into the lobby: {heard[-3:]}")
        time.sleep(1.0)


class HistoryStarved(Attack):
    name = "history_starve"
    rule = "who fills the memory for histories loses his own, not those of other rooms"
    options = ("--history-total-bytes-max", str(8 * MIB))
    short = 4.0

    @staticmethod
    def kept(client, room):
        client.send(f"/history {room} last=1000")
        heard = []
        must(client.until(lambda payload: heard.append(payload) or payload.startswith("ok history"), 10), "no history")
        return sum(payload.startswith("old ") for payload in heard)

    def run(self, field):
        victim = events(field.address, "victim", "team")
        for index in range(200):
            victim.send(f"/say team important {index}")
        must(victim.ask("/ping said", "ok ping said"), "the victim is not answered")
        fillers = []
        for index in range(3):
            filler = Client(field.address)
            filler.send(*[f"/join fill{index}x{room}" for room in range(10)])
            fillers.append(filler)
        end, turns = field.deadline(), 0
        while time.monotonic() < end - 1:
            for index, filler in enumerate(fillers):
                for room in range(10):
                    filler.send(*[f"/say fill{index}x{room} " + "z" * 4000] * 20)
                filler.send("/ping t")
                must(filler.until("* pong t", 20), "the filler is not answered")
            victim.send(f"/say team later {turns}")
            turns += 1
        # Full to the last byte, by small messages: whoever speaks next needs room.
        for index, filler in enumerate(fillers):
            for room in range(10):
                filler.send(*[f"/say fill{index}x{room} x"] * 50)
            filler.send("/ping t")
            must(filler.until("* pong t", 20), "the filler is not answered")
        victim.send(*[f"/say team last {index}" for index in range(300)])
        kept = self.kept(victim, "team")
        said = min(1000, 500 + turns)
        must(kept >= said, f"the victim's room keeps {kept} of {said} messages")
        with events(field.address, "late", "fresh") as late:
            for index in range(20):
                late.send(f"/say fresh m{index}")
            kept = self.kept(late, "fresh")
            must(kept == 20, f"a new room keeps {kept} of 20 messages")
        return f"{turns} rounds of 2.4 MB"


class BigMessages(Attack):
    name = "big_messages_in_a_crowd"
    rule = "the longest messages in a room of 500 cost one copy, not 500 (F50)"
    canaries_in = ("perch", "nest")
    short = 4.0

    def run(self, field):
        readers = Crowd(field.address, 500, blob=b"\x00\x00\x00\x0d/join stadium", repeat=False).open()
        readers.drive(0.5)
        speaker = Client(field.address, "frame")
        speaker.send("/hello 1 ack=off", "/join stadium")
        text = "B" * 65000
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            speaker.send(f"/say stadium {text}")
            count += 1
            readers.drive(0.02)
        readers.drive(0.5)
        must(readers.ended == 0, f"{readers.ended} of 500 readers, who read all they could, were closed")
        readers.close()
        return f"{count} messages"


class DeafTracer(Attack):
    name = "deaf_tracer"
    rule = "a tracer that does not read costs what one that reads costs, and no memory"
    listen = ("tcp://127.0.0.1:0?framing=line&debug=on",)
    short = 4.0

    def run(self, field):
        tracers = Crowd(field.extra[0], 200, blob=b"/trace on\n", repeat=False, read="never", receive_buffer=4096).open()
        tracers.drive(0.5)
        burst = b"/ping x\n" * 7000
        talker = Crowd(field.address, 2, blob=burst).open()
        talker.drive(field.seconds - 1)
        before = talker.received
        must(before > 100_000, "roomd has hardly answered anybody")
        tracers.close()
        talker.close()


class AtMostFourTracers(Attack):
    name = "four_tracers"
    rule = "at most four trace at once; nobody sees the private messages of another listener"
    listen = ("tcp://127.0.0.1:0?framing=line&debug=on",)
    short = 1.0

    def run(self, field):
        tracers, yes = [], 0
        for _ in range(6):
            tracer = Client(field.extra[0])
            tracer.send("/hello 1")
            tracer.until("welcome")
            answer = tracer.ask("/trace on", lambda payload: payload.startswith(("ok trace", "err trace")))
            yes += bool(answer and answer.startswith("ok"))
            tracers.append(tracer)
        must(yes == 4, f"{yes} of 6 may trace, at most 4")
        with events(field.unix, "one") as one, events(field.unix, "two") as two:
            one.send("/msg two the-secret-word")
            must(two.until("dm "), "the message did not arrive")
        tracers[0].send("/trace off")
        seen = []
        tracers[0].until(lambda payload: seen.append(payload) or "ok trace off" in payload)
        must(not any("the-secret-word" in payload for payload in seen), "a tracer sees a private message of the Unix socket")


class ManyNames(Attack):
    name = "many_names"
    rule = "thousands of names made alike cost no more than others, at their making and in an upgrade (F49)"
    short = 4.0
    descriptors = 20_000

    def run(self, field):
        pattern = "".join(f"/nick n{'a' * 20}%d\n" for _ in range(1))
        crowd = Crowd(field.address, 0)
        for index in range(3000):
            peer = crowd.add(index)
            if peer is None:
                continue
            peer.send((pattern % (index * 65536)).encode() + b"/join names\n")
        crowd.drive(1.0)
        os.kill(field.pid, 12)      # SIGUSR2: an upgrade in place
        crowd.drive(field.seconds - 2)
        must(crowd.ended == 0, f"{crowd.ended} of 3,000 were closed by an upgrade")
        crowd.close()


class MarksInNames(Attack):
    name = "marks_in_names"
    rule = "names with more than four marks on a base, and names that cost more than their length, are refused (F16)"
    short = 1.0

    def run(self, field):
        with events(field.address, "frank") as client:
            for name in ("a" + "\u0315" * 6, "a" + "\u0315\u0300\u0327" * 20, "\u202eabc", "a\u200bb", "ab\u2066c", "a\u0000b",
                         "server", "roomd", "\uff53erver", "x" * 33, "a b", ""):
                answer = client.ask(f"/nick {name}", lambda payload: payload.startswith(("ok nick", "err ")), 5)
                must(answer and answer.startswith("err"), f"/nick {name!r}: {answer}")
            with events(field.address) as other:
                for name in ("FRANK", "\uff26rank"):
                    answer = other.ask(f"/nick {name}", lambda payload: payload.startswith(("ok nick", "err ")), 5)
                    must(answer and "name_taken" in answer, f"/nick {name!r} beside frank: {answer}")


def kernel_queues(port):
    """(bytes that the kernel holds for sending, connections) of the TCP sockets of a port, by proc_net_tcp."""
    total = count = 0
    with open("/proc/net/tcp", encoding="ascii") as file:
        for row in list(file)[1:]:
            words = row.split()
            if int(words[1].split(":")[1], 16) == port and words[3] == "01":
                total += int(words[4].split(":")[0], 16)
                count += 1
    return total, count


class KernelMemory(Attack):
    name = "never_readers_kernel"
    rule = "a reader that never reads holds at most 512 KiB of kernel memory (g02)"
    short = 5.0
    canaries_in = ("perch", "nest")

    def run(self, field):
        count = 200
        crowd = Crowd(field.address, count, blob=b"/hello 1\n/join big\n", repeat=False, read="never").open()
        crowd.drive(0.5)
        peak, end = 0, field.deadline()
        with events(field.address, "pub", "big", framing="frame") as speaker:
            while time.monotonic() < end:
                speaker.send(*["/say big " + "A" * 60000] * 4)
                must(speaker.until("ok say", 20), "the speaker is not answered")
                crowd.drive(0.05)
                peak = max(peak, kernel_queues(field.address[1])[0])
        crowd.close()
        must(peak / count <= 512 * 1024, f"the kernel holds {peak / count / 1024:.0f} KiB for each of {count}")
        return f"{peak / count / 1024:.0f} KiB each"


class OneLongLine(Attack):
    name = "endless_line"
    rule = "a line of megabytes is skipped as it comes and answered once (F9)"
    short = 2.0

    def run(self, field):
        with Client(field.address) as client:
            client.send("/hello 1")
            for _ in range(int(field.seconds) * 10):
                client.raw(b"e" * 1_000_000)
            client.raw(b"\n/ping after\n")
            heard = []
            must(client.until(lambda payload: heard.append(payload) or payload == "ok ping after", 10), "it is not answered")
            errors = [payload for payload in heard if payload.startswith("err")]
            must(len(errors) == 1 and "too_large" in errors[0], f"the answers are {errors[:3]}")


register(HalfFrames(), HalfFramesInGroup(), HalfFramesInService(), HalfLines(), OwnAnswers(), Replays(), ReplaysUnread(),
         RoomsSquat(), RoomsHeld(), HistoryStarved(), BigMessages(), DeafTracer(), AtMostFourTracers(), ManyNames(), MarksInNames(),
         KernelMemory(), OneLongLine())
