"""Who reads too slowly learns exactly what was missed, or is closed and told so; nobody else notices."""

import select
import threading
import time
import unittest

from roomd_harness import DaemonTest, EventClient, FrameClient, LineClient, Meanwhile, PATIENCE, said, until

TEXT = "x" * 1000
AHEAD_BYTES = 30000
COUNT = 3000


def all_of(*ends):
    """True once there has been a payload with each of these in it, in whatever order."""
    left = set(ends)

    def accepts(payload):
        left.difference_update([end for end in left if end in payload])
        return not left

    return accepts


def heard_ids(payloads, room="lobby"):
    """All ids that these payloads account for, in order: a message its own, a gap each one in it."""
    ids = []
    for payload in payloads:
        message = said(payload)
        if message and message[0] == room:
            ids.append(message[1])
        elif payload.startswith(f"gap {room} "):
            first, last = map(int, payload.split(" ")[2:4])
            ids.extend(range(first, last + 1))
    return ids


class SlowReaders(DaemonTest):
    listen = ("unix:*",)  # the kernel holds 0.2 MB for a reader; over TCP it is some MB
    options = ("--queue-bytes-max", "64KiB", "--queue-soft-bytes", "32KiB")

    def speak(self, mouth, count=COUNT, text=TEXT, ear=None):
        """Never far ahead of the daemon; nor of `ear`, who hears in another thread and is not to be slow: of what it has not
        heard a queue has place below the soft limit, and so has the kernel."""
        begin = ear.collected if ear else 0
        step = min(20, AHEAD_BYTES // len(text))
        for number in range(1, count + 1):
            mouth.send(f"{number} {text}")
            if number % step == 0:
                mouth.ask(f"/ping {number}", f"ok ping {number}")
                if ear:
                    until(lambda number=number: ear.collected >= begin + number, "the other one hears", PATIENCE * 3)

    def test_an_event_reader_gets_every_message_or_a_gap_with_the_exact_ids(self):
        daemon = self.start("tcp://127.0.0.1:0")
        slow = self.event(daemon, "slow", join="lobby", receive_buffer_bytes=4096)
        live = self.event(daemon, "live", join="lobby")
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        speaker = Meanwhile(self.speak, mouth, COUNT, TEXT, live)
        live_heard = live.collect(lambda payload: f" mouth {COUNT} " in payload)
        speaker.over()
        self.assertEqual(heard_ids(live_heard), list(range(1, COUNT + 1)))
        self.assertFalse([payload for payload in live_heard if payload.startswith("gap")])
        slow.send("/ping end")
        slow_heard = slow.collect("ok ping end")
        self.assertEqual(heard_ids(slow_heard), list(range(1, COUNT + 1)))
        self.assertTrue([payload for payload in slow_heard if payload.startswith("gap lobby ")])
        for payload in slow_heard:
            message = said(payload)
            if message:
                self.assertEqual(message[3], f"{message[1]} {TEXT}")
        stats = live.stats()
        missed = COUNT - sum(1 for payload in slow_heard if said(payload))
        self.assertEqual(stats["messages_dropped"], missed)
        self.assertGreater(stats["queue_bytes_max_hits"], 0)

    def test_what_was_missed_is_still_in_the_history(self):
        daemon = self.start(options=(*self.options, "--history-messages-max", "10000", "--history-bytes-max", "16MiB"))
        slow = self.event(daemon, "slow", receive_buffer_bytes=4096)
        epoch = slow.join("lobby")[0]
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        self.speak(mouth, 1000)
        slow.send("/ping end")
        gap = next(payload for payload in slow.collect("ok ping end") if payload.startswith("gap"))
        first, last = map(int, gap.split(" ")[2:4])
        slow.send(f"/history lobby since={epoch}:{first - 1}")
        again = heard_ids(slow.collect(lambda payload: payload.startswith("ok history")))
        self.assertEqual(again, list(range(first, 1001)))
        self.assertLessEqual(last, 1000)

    def test_a_person_is_told_how_many_were_skipped(self):
        daemon = self.start()
        slow = self.keep(LineClient(daemon.address(), receive_buffer_bytes=4096))
        slow.send("/join lobby")
        slow.await_one(lambda line: "you are in lobby" in line)
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        self.speak(mouth)
        slow.send("/ping end")
        lines = slow.collect("* pong end")
        skipped = sum(int(line.split(" ")[1]) for line in lines if line.endswith(" skipped in lobby"))
        seen = sum(1 for line in lines if line.startswith("[lobby] mouth: "))
        self.assertGreater(skipped, 0)
        self.assertEqual(skipped + seen, COUNT)

    def test_a_plain_reader_cannot_be_told_and_is_closed_with_slow(self):
        daemon = self.start()
        slow = self.frame(daemon, receive_buffer_bytes=4096)
        slow.send("/join lobby")
        watcher = self.event(daemon, "watcher", join="lobby")
        until(lambda: watcher.ask("/who lobby", "ok who").startswith("ok who lobby 2 "), "slow is in")
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        speaker = Meanwhile(self.speak, mouth, COUNT, TEXT, watcher)
        heard = watcher.collect(lambda payload: payload.startswith("part lobby guest-1"))
        self.assertEqual(heard[-1], "part lobby guest-1 slow")
        payloads = []
        while True:
            payload = slow.receive()
            if payload is None:
                break
            payloads.append(payload)
        self.assertTrue(payloads[-1].startswith("! slow "))
        self.assertEqual([payload.split(" ")[0] for payload in payloads[:-1]],
                         [str(number) for number in range(1, len(payloads))])  # whole up to there, nothing left out
        watcher.collect(lambda payload: f" mouth {COUNT} " in payload)
        speaker.over()

    def test_over_the_soft_limit_for_too_long_counts_as_full(self):
        daemon = self.start(options=("--queue-bytes-max", "8MiB", "--queue-soft-bytes", "16KiB", "--queue-soft-ms", "1s"))
        slow = self.event(daemon, "slow", join="lobby", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        self.speak(mouth, 1000, "x" * 4000)
        until(lambda: mouth.stats()["queue_soft_bytes_hits"] > 0, "it is judged")
        slow.send("/ping end")
        self.assertEqual(heard_ids(slow.collect("ok ping end")), list(range(1, 1001)))

    def test_who_takes_no_byte_for_too_long_is_closed(self):
        daemon = self.start(options=("--stalled-ms-max", "1s", "--linger-ms-max", "1s"))
        watcher = self.event(daemon, "watcher", join="lobby")
        self.event(daemon, "stalled", join="lobby", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        speaker = Meanwhile(self.speak, mouth, 400, TEXT, watcher)
        watcher.collect(all_of("part lobby stalled slow", " mouth 400 "))
        speaker.over()
        self.assertGreater(watcher.stats()["stalled_ms_max_hits"], 0)

    def read_steadily(self, reader, stop, bytes_per_second):
        """Takes a little ten times a second; the pauses are the reader's pace, not a wait for anything."""
        taken = bytearray()
        reader.socket.settimeout(PATIENCE)
        while not stop.wait(0.1):
            more = reader.socket.recv(bytes_per_second // 10)
            if not more:
                break
            taken += more
        return bytes(taken)

    def test_who_takes_some_bytes_all_the_time_is_slow_and_not_stalled(self):
        """The kernel says that it has room when much of its buffer is free: far more than the 120 kB that are read here in
        `stalled_ms_max`. Over TCP it sees the reader move by 32 KiB at a time."""
        for address in ("unix:*",):  # over TCP on loopback the window opens in leaps of its own
            with self.subTest(address):
                daemon = self.start(address, options=("--stalled-ms-max", "4s"))
                watcher = self.event(daemon, "watcher")
                steady = self.event(daemon, "steady", join="lobby")
                mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
                stop = threading.Event()
                reader = Meanwhile(self.read_steadily, steady, stop, 30000)
                deadline = time.monotonic() + 12
                number = 0
                while time.monotonic() < deadline:
                    number += 1
                    mouth.send(f"{number} " + "x" * 20000)
                    mouth.ask(f"/ping {number}", f"ok ping {number}")
                    stop.wait(0.02)
                self.assertEqual(watcher.stats()["stalled_ms_max_hits"], 0)
                self.assertGreater(watcher.stats()["gaps"] + watcher.stats()["messages_dropped"], 0)
                stop.set()
                reader.over()

    def test_who_has_taken_much_at_once_has_time_to_read_it(self):
        """Over TCP a window opens by all of a buffer, and what comes then may be seen in several looks, the last one small."""
        daemon = self.start("tcp://127.0.0.1:0", options=("--stalled-ms-max", "2s"))
        watcher = self.event(daemon, "watcher")
        reader = self.event(daemon, "reader", join="lobby")
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        stop = threading.Event()
        speaker = Meanwhile(self.speak_until, mouth, stop)
        reader.socket.settimeout(PATIENCE)
        for _ in range(3):  # quick for a while: leaps are seen; then nothing for more than twice the patience
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                reader.socket.recv(20000)
                stop.wait(0.1)
            stop.wait(5)
        self.assertEqual(watcher.stats()["stalled_ms_max_hits"], 0)
        stop.set()
        speaker.over()

    @staticmethod
    def speak_until(mouth, stop):
        number = 0
        while not stop.wait(0.02):
            number += 1
            mouth.send(f"{number} " + "x" * 20000)
            mouth.ask(f"/ping {number}", f"ok ping {number}")

    def test_a_room_that_waits_asks_for_a_rate_and_loses_nothing(self):
        """8 kB/s are less than the default, and everybody would be as slow for ever."""
        file = self.scratch() / "roomd.toml"
        file.write_text('[[room]]\nname = "lobby"\nslow = "wait"\n')
        daemon = self.start(options=("--config", str(file), "--queue-soft-ms", "2s"))
        watcher = self.event(daemon, "watcher")
        trickle = self.event(daemon, "trickle", join="lobby")
        good = self.event(daemon, "good", join="lobby")
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        stop = threading.Event()
        reader = Meanwhile(self.read_steadily, trickle, stop, 8000)
        speaker = Meanwhile(self.speak, mouth, 1500, TEXT)
        heard = good.collect(lambda payload: " mouth 1500 " in payload)
        speaker.over()
        stop.set()
        reader.over()
        self.assertEqual(heard_ids(heard), list(range(1, 1501)))
        self.assertEqual(watcher.stats()["wait_bytes_per_second_min_hits"], 1)

    def test_it_is_closed_with_slow_also_when_the_kernel_gives_up_first(self):
        """TCP_USER_TIMEOUT begins with the closed window, which is before the daemon's queue is full."""
        daemon = self.start("tcp://127.0.0.1:0", options=("--user-timeout-ms", "1s"))
        watcher = self.event(daemon, "watcher", join="lobby")
        self.event(daemon, "stalled", join="lobby", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        speaker = Meanwhile(self.speak, mouth, 600, "x" * 10000, watcher)
        watcher.collect(all_of("part lobby stalled slow", " mouth 600 "))
        speaker.over()
        self.assertEqual(watcher.stats()["stalled_ms_max_hits"], 1)

    def test_a_private_message_to_who_does_not_read_is_refused_and_not_lost(self):
        daemon = self.start()
        self.event(daemon, "slow", join="lobby", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        self.speak(mouth)
        mouth.ask("/hello 1 ack=on", "welcome")

        def refused():
            mouth.send(TEXT)
            mouth.send("/msg slow psst")
            return mouth.await_one(lambda payload: " msg " in payload).startswith("err msg slow ")

        until(refused, "its queue is over the soft limit")

    def test_all_queues_together_have_a_bound_and_the_largest_goes_first(self):
        daemon = self.start(options=("--pinned-bytes-max", "4MiB", "--queue-bytes-max", "1GiB",
                                     "--queue-soft-bytes", "1GiB"))
        slow = self.event(daemon, "slow", join="lobby", receive_buffer_bytes=4096)
        live = self.event(daemon, "live", join="lobby")
        mouth = self.event(daemon, "mouth", options="ack=off", join="lobby")
        speaker = Meanwhile(self.speak, mouth, 2000, "x" * 10000, live)
        self.assertEqual(heard_ids(live.collect(lambda payload: " mouth 2000 " in payload)), list(range(1, 2001)))
        speaker.over()
        stats = live.stats()
        self.assertGreater(stats["pinned_bytes_max_hits"], 0)
        self.assertLess(stats["pinned_bytes"], 5 << 20)
        slow.send("/ping end")
        self.assertEqual(heard_ids(slow.collect("ok ping end")), list(range(1, 2001)))


class Policies(DaemonTest):
    """Per room: gap, disconnect, wait."""

    def boot(self, slow):
        file = self.scratch() / "roomd.toml"
        file.write_text(f'[[room]]\nname = "pipeline"\nslow = "{slow}"\n')
        return self.start("unix:*", options=("--config", str(file), "--queue-bytes-max", "64KiB",
                                                         "--queue-soft-bytes", "32KiB"))

    @staticmethod
    def held_up(probe, *mouths):
        """The kernel is full of what they say, and the daemon, which answers meanwhile, takes none of it: neither is seen of
        speakers who do not run just now."""
        last = [0, 0]  # so much is said, and so often in a row

        def rests():
            full = not select.select([], [mouth.socket for mouth in mouths], [], 0)[1]
            said_now = probe.stats()["messages_said"]
            last[:] = (said_now, last[1] + 1 if full and said_now == last[0] else 0)
            return said_now > 50 and last[1] >= 5

        until(rests, "they are held up")

    def test_wait_slows_the_speakers_and_loses_nothing(self):
        daemon = self.boot("wait")
        slow = self.event(daemon, "slow", join="pipeline", receive_buffer_bytes=4096)
        plain = self.frame(daemon, receive_buffer_bytes=4096)
        plain.send("/join pipeline")
        plain.send("/ping in")
        plain.await_one("ping in")
        mouths = [self.event(daemon, f"mouth{number}", options="ack=off", join="pipeline") for number in range(2)]

        def speak(mouth):
            for number in range(1, COUNT // 2 + 1):
                mouth.send(f"{number} {TEXT}")
            mouth.send("/leave")  # so that nobody waits for it when it reads no more
            mouth.send("/ping done")

        # They read meanwhile: a speaker who does not would be waited for like anybody else.
        threads = [Meanwhile(speak, mouth) for mouth in mouths]
        threads += [Meanwhile(mouth.await_one, "ok ping done") for mouth in mouths]
        probe = self.event(daemon, "probe")
        self.held_up(probe, *mouths)
        self.assertLess(probe.stats()["messages_said"], COUNT)
        plain_heard = []

        def read_plain():
            while len(plain_heard) < COUNT:
                plain_heard.append(plain.receive())

        reader = Meanwhile(read_plain)
        heard = []
        while len(heard) < COUNT:
            message = said(slow.receive())
            if message:
                heard.append(message)
        for thread in (*threads, reader):
            thread.over()
        self.assertEqual([message[1] for message in heard], list(range(1, COUNT + 1)))
        self.assertEqual(plain_heard, [message[3] for message in heard])
        self.assertEqual(probe.stats()["messages_dropped"], 0)

    def test_in_a_waiting_room_nobody_waits_for_who_has_gone(self):
        daemon = self.boot("wait")
        slow = EventClient(daemon.address(), "slow", join="pipeline", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", options="ack=off", join="pipeline")
        speaker = Meanwhile(lambda: [mouth.send(f"{number} {TEXT}") for number in range(COUNT)])
        probe = self.event(daemon, "probe")
        self.held_up(probe, mouth)
        self.assertLess(probe.stats()["messages_said"], COUNT)
        slow.close()
        until(lambda: probe.stats()["messages_said"] == COUNT, "it goes on")
        speaker.over()

    def test_disconnect_closes_event_readers_too(self):
        daemon = self.boot("disconnect")
        slow = self.event(daemon, "slow", join="pipeline", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", options="ack=off", join="pipeline")
        speaker = Meanwhile(lambda: [mouth.send(f"{number} {TEXT}") for number in range(COUNT)])
        mouth.await_one("part pipeline slow slow")
        payloads = slow.collect(lambda payload: payload.startswith("bye "))
        self.assertTrue(payloads[-1].startswith("bye slow"))
        ids = heard_ids(payloads, "pipeline")
        self.assertEqual(ids, list(range(1, len(ids) + 1)))
        speaker.over()


class Frames(DaemonTest):
    def test_who_asks_and_does_not_read_is_not_answered_further(self):
        """Own answers are never dropped, so its commands wait instead."""
        daemon = self.start(options=("--reply-bytes-max", "16KiB"))
        asker = self.keep(FrameClient(daemon.address(), receive_buffer_bytes=4096))
        asker.socket.setblocking(False)
        payload = b"\0\0\0\5/help" * 1000
        try:
            while True:
                asker.socket.send(payload)
        except BlockingIOError:
            pass
        probe = self.event(daemon, "probe")
        until(lambda: probe.stats()["reply_bytes_max_hits"] > 0, "its commands wait")
        self.assertLess(daemon.resident_bytes(), 96 << 20)
        until(lambda: probe.stats()["payloads"] + 1 == probe.stats()["payloads"], "no more of them are taken")


if __name__ == "__main__":
    unittest.main()
