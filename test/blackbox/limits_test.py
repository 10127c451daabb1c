"""Each limit at one below, at it and one above: what is answered, and that /stats counted it."""

import socket
import time
import unittest

from roomd_harness import Client, DaemonTest, EventClient, FrameClient, LineClient, reset, said, until


class Limits(DaemonTest):
    def hits(self, probe, limit):
        return probe.stats()[f"{limit}_hits"]

    def test_rooms_of_one_member(self):
        daemon = self.start(options=("--rooms-per-member-max", "3"))
        ann = self.event(daemon, "ann")
        for room in "abc":
            ann.join(room)
        self.assertEqual(self.hits(ann, "rooms_per_member_max"), 0)
        self.assertTrue(ann.ask("/join d", "").startswith("err join too_many_rooms "))
        self.assertEqual(self.hits(ann, "rooms_per_member_max"), 1)
        ann.ask("/leave a", "ok leave a")
        ann.join("d")

    def test_rooms_of_all(self):
        daemon = self.start(options=("--rooms-max", "3", "--room-idle-ms", "1"))
        ann, bob = self.event(daemon, "ann"), self.event(daemon, "bob")
        for room in "abc":
            ann.join(room)
        self.assertTrue(bob.ask("/join d", "").startswith("err join too_many_rooms "))
        self.assertEqual(self.hits(ann, "rooms_max"), 1)
        bob.join("a")
        ann.ask("/leave b", "ok leave")
        until(lambda: bob.ask("/join d", "").startswith("ok join d"), "the empty room is forgotten")

    def test_members_of_one_room(self):
        daemon = self.start(options=("--members-per-room-max", "3"))
        members = [self.event(daemon, join="lobby") for _ in range(3)]
        late = self.event(daemon, "late")
        self.assertEqual(self.hits(late, "members_per_room_max"), 0)
        self.assertTrue(late.ask("/join lobby", "").startswith("err join full "))
        self.assertEqual(self.hits(late, "members_per_room_max"), 1)
        members[0].ask("/leave lobby", "ok leave")
        late.join("lobby")

    def test_connections_and_what_the_refused_are_told(self):
        daemon = self.start("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=frame", options=("--connections-max", "4"))
        probe = self.event(daemon, "probe")
        others = [self.event(daemon) for _ in range(3)]
        self.assertEqual((self.hits(probe, "connections_max"), probe.stats()["refused"]), (0, 0))
        person = self.keep(LineClient(daemon.address()))
        self.assertTrue(person.receive().startswith("! full"))
        person.expect_end(self)
        program = self.keep(FrameClient(daemon.address(1)))
        self.assertTrue(program.receive().startswith("! full"))
        program.expect_end(self)
        self.assertEqual((self.hits(probe, "connections_max"), probe.stats()["refused"]), (2, 2))
        others[0].close()
        until(lambda: probe.stats()["connections"] == 3, "one has gone")
        self.event(daemon, "late")

    def test_the_refused_hear_why_even_if_they_have_spoken_already(self):
        daemon = self.start(options=("--connections-max", "1"))
        probe = self.event(daemon, "probe")
        self.assertEqual(probe.stats()["connections"], 1)
        for _ in range(50):
            with LineClient(daemon.address()) as person:
                try:
                    person.send("hello")
                except OSError:
                    pass  # it was refused before
                self.assertTrue(person.receive().startswith("! full"))

    def test_messages_that_a_room_remembers(self):
        daemon = self.start(options=("--history-messages-max", "10"))
        ann = self.event(daemon, "ann")
        epoch = ann.join("lobby")[0]
        for number in range(1, 12):
            ann.ask(f"message {number}", "ok say")
        ann.send(f"/history lobby since={epoch}:0")
        heard = ann.collect(lambda payload: payload.startswith("ok history"))
        kept = [said(payload)[1] for payload in heard if said(payload)]
        self.assertEqual(kept[-1], 11)
        self.assertGreaterEqual(len(kept), 1)
        self.assertLessEqual(len(kept), 10)
        self.assertEqual(heard[0], f"gap lobby 1 {kept[0] - 1}")
        self.assertEqual(kept, list(range(kept[0], 12)))

    def test_names_topics_tokens_and_reasons(self):
        daemon = self.start()
        ann, bob = self.event(daemon, "ann", join="lobby"), self.event(daemon, "bob", join="lobby")
        for length, answer in ((31, "ok nick"), (32, "ok nick"), (33, "err nick bad_name")):
            ann.send("/nick " + "n" * length)
            reply = ann.await_one(lambda payload: payload.split(" ")[1] == "nick")
            self.assertTrue(reply.startswith(answer), length)
        for length, answer in ((32, "ok join"), (33, "err join bad_name")):
            bob.send("/join " + "r" * length)
            self.assertTrue(bob.await_one(lambda payload: " join " in payload).startswith(answer))
        for length, answer in ((1559, "ok topic"), (1560, "ok topic"), (1561, "err topic too_large")):
            bob.send("/topic lobby " + "t" * length)
            self.assertTrue(bob.await_one(lambda payload: payload.split(" ")[1] == "topic").startswith(answer), length)
        for length, answer in ((63, "ok ping"), (64, "ok ping"), (65, "err ping too_large")):
            bob.send("/ping " + "p" * length)
            self.assertTrue(bob.await_one(lambda payload: payload.split(" ")[1] == "ping").startswith(answer), length)
        bob.send("/quit " + "\u00e9" * 150)
        self.assertEqual(bob.await_one(lambda payload: payload.startswith("bye")), "bye quit " + "\u00e9" * 100)


class Rates(DaemonTest):
    """Per-source limits and rates: off on loopback unless a listener says limits=on."""

    listen = ("tcp://127.0.0.1:0?limits=on", "tcp://127.0.0.1:0")

    def check_burst(self, daemon, limit, command, allowed, verb):
        client = self.event(daemon)
        probe = self.event(daemon, index=1)
        before = probe.stats()[f"{limit}_hits"]
        client.send_at_once(*map(command, range(allowed + 1)))  # or one of them could be allowed again meanwhile
        for count in range(allowed):
            answer = client.await_one(lambda payload: f" {verb} " in payload)
            self.assertTrue(answer.startswith("ok "), (count, answer))
        answer = client.await_one(lambda payload: f" {verb} " in payload)
        self.assertTrue(answer.startswith(f"err {verb} rate_limited"), answer)
        self.assertEqual(probe.stats()[f"{limit}_hits"], before + 1)
        free = self.event(daemon, index=1)
        for count in range(allowed + 5):
            self.assertTrue(free.ask(command(1000 + count), "").startswith("ok "))
        return client

    def test_messages(self):
        daemon = self.start(options=("--messages-per-second-max", "1", "--messages-burst-max", "5"))
        client = self.event(daemon, join="lobby")
        client.send_at_once(*(f"m {number}" for number in range(6)))
        for _ in range(5):
            self.assertTrue(client.receive().startswith("ok say"))
        self.assertTrue(client.receive().startswith("err say rate_limited"))
        self.assertEqual(client.stats()["messages_per_second_max_hits"], 1)
        until(lambda: client.ask("again", "").startswith("ok say"), "a second later it may speak again")

    def test_commands(self):
        daemon = self.start(options=("--commands-per-second-max", "1", "--commands-burst-max", "6"))
        client = self.frame(daemon)
        client.send_at_once("/hello 1", *(f"/ping {number}" for number in range(6)))
        heard = [client.receive() for _ in range(7)]
        self.assertTrue(heard[0].startswith("welcome "), heard)  # the first of six
        self.assertEqual(heard[1:6], [f"ok ping {number}" for number in range(5)])
        self.assertTrue(heard[6].startswith("err ping rate_limited"), heard)
        self.assertEqual(self.event(daemon, index=1).stats()["commands_per_second_max_hits"], 1)

    def test_joins(self):
        daemon = self.start(options=("--joins-per-second-max", "1", "--joins-burst-max", "4"))
        self.check_burst(daemon, "joins_per_second_max", lambda number: f"/join room{number}", 4, "join")

    def test_names(self):
        daemon = self.start(options=("--nicks-per-minute-max", "3"))
        self.check_burst(daemon, "nicks_per_minute_max", lambda number: f"/nick name{number}", 3, "nick")

    def test_fanout_bytes(self):
        daemon = self.start(options=("--fanout-bytes-per-second-max", "1KiB", "--fanout-bytes-burst-max", "10KiB"))
        client = self.event(daemon, join="lobby")
        for _ in range(4):
            self.event(daemon, index=1, join="lobby")
        text = "x" * 1000  # times five members
        client.send_at_once(*(f"{number} {text}" for number in range(3)))
        answers = [client.await_one(lambda payload: " say " in payload) for _ in range(3)]
        self.assertEqual([answer.split(" ")[0] for answer in answers], ["ok", "ok", "err"])
        self.assertTrue(answers[2].startswith("err say rate_limited"))
        self.assertEqual(client.stats()["fanout_bytes_per_second_max_hits"], 1)

    def test_names_by_whatever_command(self):
        client = self.event(self.start())  # which says /hello
        client.send_at_once(*(f"/hello 1 nick=h{number}" for number in range(4)), "/nick n")
        answers = [client.await_one(lambda payload: payload.startswith(("welcome", "err", "ok nick"))) for _ in range(5)]
        self.assertEqual([answer.split(" ")[0] for answer in answers], ["welcome"] * 3 + ["err"] * 2)
        self.assertTrue(answers[3].startswith("err hello rate_limited"), answers)
        self.assertTrue(answers[4].startswith("err nick rate_limited"), answers)

    def test_a_topic_costs_what_a_message_of_its_size_costs(self):
        options = ("--fanout-bytes-per-second-max", "1KiB", "--fanout-bytes-burst-max", "10KiB")
        daemon = self.start(options=options)
        client = self.event(daemon, join="lobby")
        for _ in range(4):
            self.event(daemon, index=1, join="lobby")
        client.send_at_once(*("/topic lobby " + str(number) + "x" * 1000 for number in range(3)))
        answers = [client.await_one(lambda payload: " topic " in payload) for _ in range(3)]
        self.assertEqual([answer.split(" ")[0] for answer in answers], ["ok", "ok", "err"])
        self.assertTrue(answers[2].startswith("err topic rate_limited"), answers)

    def check_flood(self, payload, seconds=1.5):
        """Answers to a flood: the burst of commands and of refusals, then it is held; and nobody else waits."""
        daemon = self.start()
        probe = self.event(daemon, index=1)
        client = self.event(daemon)
        client.send_bytes(payload * 3000 + b"\0\0\0\x09/ping end")
        answers, begin = 0, time.monotonic()
        client.socket.settimeout(0.2)
        while time.monotonic() - begin < seconds:
            asked = time.monotonic()
            probe.ask("/ping x", "ok ping x")
            self.assertLess(time.monotonic() - asked, 0.5)
            try:
                client.receive()
                answers += 1
            except TimeoutError:
                pass
        self.assertLessEqual(answers, (40 + 20) * (1 + (time.monotonic() - begin) // 5))
        self.assertEqual(probe.stats()["connections"], 2)
        return probe, answers

    def test_commands_that_do_not_exist_cost_as_much_as_others(self):
        probe, answers = self.check_flood(b"\0\0\0\2/x")
        self.assertGreaterEqual(answers, 50)
        self.assertGreaterEqual(probe.stats()["commands_refused"], answers)

    def test_what_is_no_text_costs_as_much_as_a_command(self):
        probe, answers = self.check_flood(b"\0\0\0\1\xff")
        self.assertGreaterEqual(answers, 50)
        self.assertGreaterEqual(probe.stats()["commands_refused"], answers)

    def test_empty_payloads_cost_as_much_as_commands(self):
        _, answers = self.check_flood(b"\0\0\0\0")
        self.assertEqual(answers, 0)  # not even to the ping behind them

    def test_what_is_held_is_not_lost(self):
        client = self.event(self.start(options=("--commands-per-second-max", "50", "--commands-burst-max", "5")))
        client.send_at_once(*(f"/ping {number}" for number in range(40)))
        heard = [client.await_one(lambda payload: " ping " in payload) for _ in range(40)]
        done = [int(payload.split(" ")[2]) for payload in heard if payload.startswith("ok ping")]
        self.assertEqual(done, sorted(done))
        refused = sum(payload.startswith("err ping rate_limited") for payload in heard)
        self.assertEqual(len(done) + refused, 40)
        self.assertEqual(done[:4], [0, 1, 2, 3])
        self.assertGreater(len(done), 4)  # after the hold the burst is there again

    def test_who_is_held_and_goes_is_not_waited_for(self):
        daemon = self.start()
        probe = self.event(daemon, index=1, join="lobby")
        client = self.event(daemon, "flood", join="lobby")
        client.send_at_once(*(f"{number}" for number in range(2000)))  # for minutes, at this rate
        probe.await_one(lambda payload: payload.endswith(" flood 19"))
        reset(client.socket)
        probe.await_one(lambda payload: payload.startswith("part lobby flood"))

    def test_a_new_connection_is_no_new_budget(self):
        daemon = self.start(options=("--source-rate-factor", "2"))
        probe = self.event(daemon, "probe", index=1, join="lobby")
        begin = time.monotonic()
        for _ in range(6):
            client = self.event(daemon, join="lobby")
            client.send_at_once(*["x"] * 20)
            client.send("/ping end")
            deadline = time.monotonic() + 0.3
            while time.monotonic() < deadline:  # what the source may say, it has said by then
                client.socket.settimeout(0.1)
                try:
                    client.receive()
                except TimeoutError:
                    break
            client.close()
        self.assertLessEqual(probe.stats()["messages_said"], 2 * 20 + 2 * 10 * (time.monotonic() - begin) + 1)
        self.assertGreater(probe.stats()["messages_per_second_max_hits"], 0)

    def test_a_datagram_costs_what_a_message_costs(self):
        daemon = self.start("tcp://127.0.0.1:0", "udp://127.0.0.1:0?room=lobby&limits=on")
        probe = self.event(daemon, "probe", join="lobby")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sensor, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            for _ in range(150):  # as many as the kernel holds
                sensor.sendto(b"flood", daemon.address(1))
            other.sendto(b"one from elsewhere", daemon.address(1))
            probe.await_one(lambda payload: payload.endswith("one from elsewhere"))
        stats = probe.stats()
        self.assertLessEqual(stats["messages_said"], 20 + 10 + 1)
        self.assertGreaterEqual(stats["messages_said"], 20 + 1)
        self.assertEqual(stats["datagrams_dropped"], stats["datagrams"] - stats["messages_said"])
        self.assertEqual(stats["datagrams_limited"], stats["datagrams_dropped"])
        self.assertEqual(stats["messages_per_second_max_hits"], stats["datagrams_limited"])

    def test_connections_of_one_address(self):
        daemon = self.start(options=("--source-connections-max", "3"))
        probe = self.event(daemon, "probe", index=1)
        inside = [self.event(daemon) for _ in range(3)]
        self.assertEqual(probe.stats()["source_connections_max_hits"], 0)
        refused = self.line(daemon)
        self.assertTrue(refused.receive().startswith("! full"))
        refused.expect_end(self)
        self.assertEqual(probe.stats()["source_connections_max_hits"], 1)
        self.event(daemon, index=1)  # limits are off there
        inside[0].close()
        until(lambda: probe.stats()["connections"] == 4, "one has gone")
        self.event(daemon)

    def test_new_connections_of_one_address(self):
        daemon = self.start(options=("--source-connects-per-minute-max", "5"))
        probe = self.event(daemon, "probe", index=1)
        for number in range(5):
            EventClient(daemon.address()).close()
        self.assertEqual(probe.stats()["source_connects_per_minute_max_hits"], 0)
        refused = self.line(daemon)
        self.assertTrue(refused.receive().startswith("! rate_limited"))
        self.assertEqual(probe.stats()["source_connects_per_minute_max_hits"], 1)

    def test_without_limits_programs_may_use_it_as_a_bus(self):
        daemon = self.start("tcp://127.0.0.1:0", "unix:*")
        for index in (0, 1):
            client = self.event(daemon, index=index, join="lobby")
            client.send_bytes(b"".join(b"\0\0\0\4m%03d" % number for number in range(500)))
            client.send("/ping x")
            heard = client.collect("ok ping x")
            self.assertEqual(sum(payload.startswith("ok say") for payload in heard), 500)


class Crowds(DaemonTest):
    def test_in_large_rooms_joins_and_parts_are_summed_up(self):
        daemon = self.start(options=("--presence-members-max", "5"))
        ann = self.event(daemon, "ann", join="lobby")
        others = [self.event(daemon, join="lobby") for _ in range(4)]
        for _ in range(4):
            self.assertTrue(ann.receive().startswith("join lobby guest-"))
        begin = time.monotonic()
        many = [EventClient(daemon.address(), join="lobby") for _ in range(20)]
        joined, left = 0, 0
        crowds = 0
        for client in many:
            client.close()
        while left < 20:
            payload = ann.receive()
            self.assertTrue(payload.startswith("crowd lobby ") or left >= 19 and payload.startswith("part"), payload)
            fields = payload.split(" ")
            if fields[0] == "crowd":
                joined, left, crowds = joined + int(fields[2]), left + int(fields[3]), crowds + 1
                self.assertEqual(int(fields[4]), 5 + joined - left)
        self.assertEqual(joined, 20)
        self.assertLessEqual(crowds, time.monotonic() - begin + 2)
        self.assertEqual(len(others), 4)


class Slots(DaemonTest):
    def test_connections_that_come_and_go_leave_nothing_behind(self):
        daemon = self.start()
        probe = self.event(daemon, "probe")
        for warm in (200, 1500):
            for number in range(warm):
                peer = Client(daemon.address())
                if number % 3 == 0:
                    peer.send_bytes(b"hello\n")
                elif number % 3 == 1:
                    peer.send_bytes(b"\0\0\0\5hello")
                peer.close()
            until(lambda: probe.stats()["connections"] == 1, "all have gone")
            if warm == 200:
                memory, descriptors = daemon.resident_bytes(), daemon.descriptors()
        self.assertEqual(daemon.descriptors(), descriptors)
        self.assertLess(daemon.resident_bytes() - memory, 2 << 20)
        self.assertEqual(probe.stats()["members"], 1)


if __name__ == "__main__":
    unittest.main()
