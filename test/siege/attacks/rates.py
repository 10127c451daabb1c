"""Ways round the rates of a listener for remotes. Budgets are of a source as well as of a connection, whatever the way in."""

import re
import socket
import time

from attack import Attack, must, register
from peers import Client, Crowd, events, line, stats

LIMITED = ("tcp://127.0.0.1:0?limits=on",)
OPEN_DOOR = ("--source-connections-max", "1000", "--source-connects-per-minute-max", "10000")
# Rates that roomd comes with: burst, and so many a second.
MESSAGES = (20, 10)
COMMANDS = (40, 20)
# A source may have more than one connection's budget, for the many behind one address.
SOURCE = 4


def budget(rate, seconds, share=SOURCE):
    return share * (rate[0] + rate[1] * (seconds + 1))


class Limited(Attack):
    listen = LIMITED
    options = OPEN_DOOR
    short = 2.0


class NamesByHello(Limited):
    name = "rate_hello_nick"
    rule = "renames by /hello count as renames by /nick do"

    def run(self, field):
        with events(field.extra[0]) as client:
            client.send(*[f"/hello 1 nick=h{index}" for index in range(30)], *[f"/nick k{index}" for index in range(30)], "/ping end")
            heard = []
            client.until(lambda payload: heard.append(payload) or "ping end" in payload or "err ping" in payload, 10)
            renamed = sum(bool(re.match(r"welcome 1 \S+ h\d+$|ok nick", payload)) for payload in heard)
            must(renamed <= 6, f"{renamed} renames in one instant, 3 a minute are allowed")


class Topics(Limited):
    name = "rate_topics"
    rule = "topics count as what is said does"

    def run(self, field):
        with events(field.extra[0], "setter", "lobby") as client:
            begin, done = time.monotonic(), 0
            while time.monotonic() - begin < field.seconds:
                client.send(*["/topic lobby " + "T" * 1500] * 20)
                for _ in range(20):
                    answer = client.until(lambda payload: payload.startswith(("ok topic", "err topic")), 3)
                    done += bool(answer and answer.startswith("ok"))
                    if answer is None:
                        break
            allowed = budget(COMMANDS, field.seconds, 1)
            must(done <= allowed, f"{done} topics in {field.seconds:g} s, at most {allowed:.0f}")
            return f"{done} topics"


class Refused(Limited):
    """Payloads that are refused cost as much as those that are not."""

    def __init__(self, name, payload, answer):
        self.name, self.payload, self.answer = name, payload, answer
        self.rule = f"refused payloads ({answer}) are metered as accepted ones are"

    def run(self, field):
        with events(field.extra[0]) as client:
            client.socket.settimeout(5)
            count, begin = 0, time.monotonic()
            crowd = Crowd(field.extra[0], 1, blob=self.payload * 2000, prelude=b"/hello 1\n")
            crowd.on_data = lambda _, data: seen.extend(data)
            seen = bytearray()
            crowd.open().drive(field.seconds)
            count = bytes(seen).count(self.answer.encode())
            crowd.close()
            allowed = budget(COMMANDS, time.monotonic() - begin, 1)
            must(count <= allowed, f"{count} were answered with {self.answer} in {field.seconds:g} s, at most {allowed:.0f}")
            return f"{count} answered"


class ManyConnections(Limited):
    name = "rate_many_connections"
    rule = "twenty connections of one source have not twenty budgets"

    def run(self, field):
        with events(field.address, "witness", "plaza", framing="frame") as witness:
            crowd = Crowd(field.extra[0], 20, blob=b"/say plaza x\n" * 100, prelude=b"/hello 1\n/join plaza\n").open()
            begin = time.monotonic()
            crowd.drive(field.seconds)
            seconds = time.monotonic() - begin
            crowd.close()
            said = int(witness.ask("/say plaza end", "ok say").split(" ")[3]) - 1
            allowed = budget(MESSAGES, seconds)
            must(said <= allowed, f"one source said {said} messages in {seconds:.1f} s over 20 connections, at most {allowed:.0f}")
            return f"{said} messages"


class NewConnections(Limited):
    name = "rate_new_connections"
    rule = "a new connection is no new budget"

    def run(self, field):
        with events(field.address, "witness", "plaza", framing="frame") as witness:
            end, count = field.deadline(), 0
            while time.monotonic() < end:
                with Client(field.extra[0], patience=3) as client:
                    client.send("/hello 1", "/join plaza", *["/say plaza x"] * 20, "/ping end", patience=3)
                    client.until(lambda payload: "ping" in payload or payload.startswith("bye"), 0.5)
                count += 1
            said = int(witness.ask("/say plaza end", "ok say").split(" ")[3]) - 1
            allowed = budget(MESSAGES, field.seconds)
            must(said <= allowed, f"one source said {said} messages in {field.seconds:g} s over {count} connections, at most {allowed:.0f}")
            return f"{said} messages over {count} connections"


class Datagrams(Limited):
    name = "rate_datagrams"
    rule = "datagrams pass the same meter"
    listen = ("udp://127.0.0.1:0?room=plaza&limits=on",)

    def run(self, field):
        with events(field.address, "witness", "plaza", framing="frame") as witness:
            witness.ask("/say plaza keep me", "ok say")
            end, count = field.deadline(), 0
            senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(5)]
            while time.monotonic() < end:
                for sender in senders:
                    for _ in range(10):
                        sender.sendto(b"flood", field.extra[0])
                        count += 1
                time.sleep(0.002)
            said = int(witness.ask("/say plaza end", "ok say").split(" ")[3]) - 2
            allowed = budget(MESSAGES, field.seconds)
            must(said <= allowed, f"{said} of {count} datagrams of one address were said, at most {allowed:.0f}")
            return f"{said} of {count}"


class DatagramNames(Limited):
    name = "datagram_names"
    rule = "a member cannot take the name of one who sends datagrams"
    listen = ("udp://127.0.0.1:0?room=plaza",)
    short = 1.0

    def run(self, field):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind(("127.0.0.1", 0))
        with events(field.address, "witness", "plaza", framing="frame") as witness:
            sender.sendto(b"who am I", field.extra[0])
            name = witness.until("msg plaza ").split(" ")[4]
            with events(field.address) as thief:
                answer = thief.ask(f"/nick {name}", lambda payload: payload.startswith(("ok nick", "err nick")))
                must(answer and answer.startswith("err"), f"a member took the name {name}")


class DatagramFlood(Attack):
    name = "datagram_flood"
    rule = "datagrams as fast as they go, on a listener without limits, delay nobody"
    listen = ("udp://127.0.0.1:0?room=plaza",)

    def run(self, field):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setblocking(False)
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            for _ in range(100):
                try:
                    count += bool(sender.sendto(b"d" * 200, field.extra[0]))
                except BlockingIOError:
                    break
        return f"{count / field.seconds:.0f}/s sent"


register(NamesByHello(), Topics(), Refused("rate_bad_commands", b"/x\n", "bad_command"), Refused("rate_bad_utf8", b"\xff\n", "bad_utf8"),
         ManyConnections(), NewConnections(), Datagrams(), DatagramNames(), DatagramFlood())
