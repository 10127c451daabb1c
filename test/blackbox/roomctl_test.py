"""roomctl and the admin socket: every command as an operator runs it, and who may not."""

import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest

from roomd_harness import (ROOMCTL, SANITIZED, Daemon, DaemonTest, EventClient, LineClient, PATIENCE, connect, environment, needs, said,
                           run_roomd, unless_sanitized, until)


def run_roomctl(path, *arguments, prefix=(), env=None):
    """Runs roomctl to its end."""
    socket_option = ("--socket", str(path)) if path else ()
    return subprocess.run([*prefix, str(ROOMCTL), *socket_option, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=environment(env), timeout=PATIENCE, check=False)


class RoomctlTest(DaemonTest):
    def setUp(self):
        self.directory = self.scratch()
        self.admin = self.directory / "admin.sock"
        self.file = self.directory / "roomd.toml"

    def configure(self, rest="", listen="tcp://127.0.0.1:0"):
        self.file.write_text(f'listen = ["{listen}"]\nadmin = "{self.admin}"\n{rest}')

    def boot(self, rest="", listen="tcp://127.0.0.1:0", **more):
        self.configure(rest, listen)
        daemon = Daemon(options=("--config", str(self.file)), **more)
        self.addCleanup(daemon.close)
        return daemon

    def ctl(self, *arguments, status=0, **more):
        result = run_roomctl(self.admin, *arguments, **more)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def by_hand(self):
        """The admin socket without roomctl, as from netcat."""
        return self.keep(LineClient(str(self.admin)))


class Commands(RoomctlTest):
    def test_status_for_people_and_for_programs(self):
        daemon = self.boot()
        ann, bob = self.event(daemon, "ann", join="lobby"), self.line(daemon)
        bob.send("hello")
        self.assertEqual(said(ann.await_one(said))[3], "hello")
        text = self.ctl("status").stdout
        self.assertRegex(text, r"roomd +0\.\S+, pid %d, up \d+ s, serving\n" % daemon.pid)
        host, port = daemon.address()
        self.assertRegex(text, rf"listening on {host}:{port} tcp://127\.0\.0\.1:0\n")
        self.assertRegex(text, r"connections +2 of \d+: 1 frame, 1 line; 1 human, 1 event\n")
        self.assertRegex(text, r"rooms +1 with 2 members\n")
        self.assertRegex(text, r"messages +1 said")
        status = json.loads(self.ctl("status", "--json").stdout)
        self.assertEqual(status["pid"], daemon.pid)
        self.assertEqual((status["state"], status["lockdown"]), ("serving", "off"))
        self.assertEqual(status["listeners"], [{"address": f"{host}:{port}", "uri": "tcp://127.0.0.1:0"}])
        self.assertEqual((status["connections"], status["rooms"], status["members"]), (2, 1, 2))
        self.assertEqual(status["framing"], {"auto": 0, "frame": 1, "line": 1, "echo": 0})
        self.assertEqual(status["format"], {"human": 1, "plain": 0, "event": 1})
        self.assertEqual(status["messages_said"], 1)
        for name in ("queue_bytes", "pinned_bytes", "uptime_s"):
            self.assertGreaterEqual(status[name], 0)
        self.assertNotIn("hits", status)

    def test_status_names_the_limits_that_were_met(self):
        daemon = self.boot("[limits]\nrooms_per_member_max = 1\n")
        ann = self.event(daemon, "ann", join="lobby")
        ann.ask("/join two", "err join too_many_rooms")
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["hits"], {"rooms_per_member_max": 1})
        self.assertIn("limits met   1 rooms_per_member_max\n", self.ctl("status").stdout)

    def test_reload_says_what_was_applied_and_what_needs_a_restart(self):
        daemon = self.boot()
        self.assertEqual(self.ctl("reload").stdout, "nothing has changed\n")
        changed = '[limits]\nrooms_max = 20\nlisten_backlog = 100\nframe_bytes_max = "1MiB"\n[[room]]\nname = "ops"\n'
        self.configure(changed, f"unix:{self.directory}/chat")
        self.assertEqual(self.ctl("reload").stdout.splitlines(), [
            "applied: no longer listening on tcp://127.0.0.1:0",
            f"applied: listening on unix:{self.directory}/chat",
            "applied to new connections: limits.frame_bytes_max 64KiB -> 1MiB",
            "needs a restart: limits.listen_backlog 4096 -> 100",
            "applied: limits.rooms_max 10000 -> 20",
            'applied: room "ops"'])
        connect(f"{self.directory}/chat").close()
        self.assertEqual(self.ctl("reload").stdout, "needs a restart: limits.listen_backlog 4096 -> 100\n")
        daemon.wait_for_line(r"info admin command=reload user=\d+ ok=true")

    def test_a_refused_reload_names_file_line_and_reason_and_changes_nothing(self):
        daemon = self.boot("[limits]\nrooms_per_member_max = 1\n")
        ann = self.event(daemon, "ann", join="lobby")
        for rest, words in (("[limits]\nrooms_per_member_max = 2\nnope = 1\n", r"roomd\.toml:5:\d+: .*nope"),
                            ("[limits]\nrooms_max = 0\n", r"roomd\.toml:4:\d+: limits\.rooms_max.*from 1"),
                            ("[limits\n", r"roomd\.toml:3:\d+: ")):
            self.configure(rest)
            result = self.ctl("reload", status=1)
            self.assertRegex(result.stderr, r"^roomctl: reload refused: \S*" + words)
            self.assertEqual(result.stdout, "")
        ann.ask("/join two", "err join too_many_rooms")
        self.file.unlink()
        self.assertIn("No such file", self.ctl("reload", status=1).stderr)

    def test_reload_tells_the_service_manager_as_the_signal_does(self):
        path = f"{self.directory}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(PATIENCE)
            self.boot(env={"NOTIFY_SOCKET": path})
            self.assertTrue(manager.recv(4096).startswith(b"READY=1\n"))
            for rest, status in (("", 0), ("nope = 1\n", 1)):
                self.configure(rest)
                self.ctl("reload", status=status)
                heard = self.heard_until(manager, b"READY=1\n")
                self.assertRegex(heard[0], rb"^RELOADING=1\nMONOTONIC_USEC=\d+\n$")
                self.assertTrue(heard[-1].startswith(b"READY=1\n"))

    @staticmethod
    def heard_until(manager, last):
        heard = []
        while not heard or not heard[-1].startswith(last):
            message = manager.recv(4096)
            if not message.startswith((b"STATUS=", b"WATCHDOG=")):
                heard.append(message)
        return heard

    def test_lockdown_keeps_strangers_out_and_those_inside_from_opening_rooms(self):
        # `limits=on` makes strangers of us, as a public listener would
        daemon = self.boot(listen="tcp://127.0.0.1:0?limits=on")
        ann = self.event(daemon, "ann", join="lobby")
        self.assertIn("locked down", self.ctl("lockdown", "on").stdout)
        self.assertIn("LOCKED DOWN", self.ctl("status").stdout)
        late = self.line(daemon)
        self.assertTrue(late.receive().startswith("! full: nobody new"))
        late.expect_end(self)
        self.assertIn("no_permission", ann.ask("/join den", "err join"))
        ann.ask("hello", "ok say lobby")
        ann.ask("/leave lobby", "ok leave")
        ann.ask("/join lobby", "ok join lobby")  # it is still there
        self.configure("[limits]\nrooms_max = 9\n", "tcp://127.0.0.1:0?limits=on")
        self.ctl("reload")
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["lockdown"], "on")
        self.ctl("lockdown", "off")
        ann.ask("/join den", "ok join den")
        self.event(daemon, "bob", join="lobby")
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["lockdown"], "off")

    def test_lockdown_does_not_concern_this_machine(self):
        daemon = self.boot()
        self.ctl("lockdown", "on")
        self.event(daemon, "ann", join="den").ask("hello", "ok say den 1")

    def test_lockdown_silences_datagrams_of_strangers(self):
        daemon = self.boot(listen='tcp://127.0.0.1:0", "udp://127.0.0.1:0?limits=on&room=lobby')
        ear = self.event(daemon, "ear", join="lobby")
        mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(mouth.close)
        mouth.connect(daemon.address(1))
        self.ctl("lockdown", "on")
        mouth.send(b"muted")
        until(lambda: ear.stats()["datagrams"] == 1, "the datagram has come")
        self.ctl("lockdown", "off")
        mouth.send(b"heard")
        self.assertEqual(said(ear.await_one(said))[3], "heard")
        self.assertEqual(ear.stats()["datagrams_dropped"], 1)

    def test_an_upgrade_waits_for_the_new_program_and_nobody_notices(self):
        daemon = self.boot()
        ann = self.event(daemon, "ann", join="lobby")
        before = json.loads(self.ctl("status", "--json").stdout)["started_ms"]
        text = self.ctl("upgrade").stdout
        self.assertRegex(text, r"(?m)^now roomd 0\.\S+, pid \d+, 1 connections$")
        self.assertGreater(json.loads(self.ctl("status", "--json").stdout)["started_ms"], before)
        ann.ask("still here", "ok say lobby")

    def test_what_is_no_command_is_named(self):
        for arguments, words in ((("frob",), '"frob"'), ((), "say what to do"), (("status", "reload"), "one command at a time"),
                                 (("lockdown",), "on|off"), (("lockdown", "maybe"), "maybe"), (("drain", "--over"), "--over")):
            result = run_roomctl(self.admin, *arguments)
            self.assertEqual(result.returncode, 64, arguments)
            self.assertIn(words, result.stderr)
        self.boot()
        result = self.ctl("drain", "--over", "soon", status=64)
        self.assertIn("soon", result.stdout + result.stderr)
        self.ctl("status")  # it goes on
        help_text = run_roomctl(None, "--help").stdout
        for word in ("roomctl status", "roomctl reload", "roomctl upgrade", "roomctl drain", "roomctl lockdown on", "77"):
            self.assertIn(word, help_text)


class WhoMay(RoomctlTest):
    def test_with_the_standard_descriptors_closed(self):
        self.boot()
        self.ctl("status", prefix=("bash", "-c", 'exec "$@" <&- >&-', "bash"))

    def test_nobody_there(self):
        result = self.ctl("status", status=69)
        self.assertIn(str(self.admin), result.stderr)
        self.assertIn("--admin", result.stderr)
        daemon = self.boot()
        daemon.kill()
        self.assertTrue(self.admin.exists())
        self.assertIn("has ended", self.ctl("status", status=69).stderr)
        self.boot()  # what it left behind is in nobody's way
        self.ctl("status")

    def test_the_socket_is_the_daemons_alone(self):
        self.boot()
        self.assertEqual(self.admin.stat().st_mode & 0o777, 0o600)

    def test_the_default_place_is_that_of_the_user(self):
        runtime = self.scratch()
        (runtime / "roomd").mkdir()
        self.admin = runtime / "roomd" / "admin.sock"
        daemon = self.boot()
        result = run_roomctl(None, "status", env={"XDG_RUNTIME_DIR": str(runtime)})
        self.assertIn(f"pid {daemon.pid}", result.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    @needs("setpriv", "util-linux")
    def test_another_user_may_not_even_where_the_file_lets_them(self):
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        daemon = self.boot()
        os.chmod(self.directory, 0o755)
        result = self.ctl("status", status=77, prefix=nobody)
        self.assertIn("sudo", result.stderr)
        os.chmod(self.admin, 0o666)
        result = self.ctl("drain", status=77, prefix=nobody)
        self.assertIn("user 65534 may not command this roomd", result.stderr)
        daemon.wait_for_line("warning admin_refused user=65534 reason=not_allowed")
        self.ctl("status")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    @needs("setpriv", "util-linux")
    def test_root_and_the_daemons_own_user_may(self):
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        os.chown(self.directory, 65534, 65534)
        self.boot(prefix=user)
        self.ctl("status")
        self.ctl("status", prefix=user)

    def test_a_tcp_socket_is_no_place_for_commands(self):
        for where in ("tcp://127.0.0.1:0", "127.0.0.1:8888", "udp://127.0.0.1:9"):
            result = run_roomd("--admin", where, "--check-config")
            self.assertEqual(result.returncode, 64)
            self.assertIn("--admin", result.stderr)


class Bounds(RoomctlTest):
    def test_by_hand(self):
        self.boot()
        hand = self.by_hand()
        hand.send("help\nlockdwn on\n\nstatus\r")
        heard = hand.collect("ok status")
        self.assertIn("ok help", heard)
        self.assertEqual(heard.count("error usage"), 2)
        self.assertIn('- "lockdwn" is no command; did you mean lockdown?; `help` shows them', heard)
        self.assertTrue(all(line.startswith(("- ", "ok ", "error ")) for line in heard), heard)

    def test_half_a_command_is_not_run(self):
        daemon = self.boot()
        hand = self.by_hand()
        hand.send_bytes(b"lockdown on\ndrain 10")  # it may have been 10m
        hand.finish_sending()
        heard = hand.rest().decode().splitlines()
        self.assertEqual(heard[-1], "error usage: the last line has no end, so it was not run")
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["state"], "serving")
        daemon.wait_for_line('admin command="lockdown on"')

    def test_a_line_without_an_end(self):
        self.boot()
        for bytes_sent in (b"x" * 300, b"x" * 100_000, b"status\n" + b"y" * 300 + b"\nlockdown on\n"):
            hand = self.by_hand()
            try:
                hand.send_bytes(bytes_sent)
            except OSError:
                pass  # it has been thrown out already
            heard = hand.rest().decode().splitlines()
            self.assertTrue(heard[-1].startswith("error usage: no command is longer"), heard[-1])
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["lockdown"], "off")

    def test_eight_at_once_and_no_more(self):
        daemon = self.boot()
        hands = [self.by_hand() for _ in range(8)]
        for hand in hands:
            hand.ask("status", "ok status")
        result = self.ctl("status", status=69)
        self.assertIn("8 admin connections are open", result.stderr)
        daemon.wait_for_line("admin_refused user=\\d+ reason=full")
        hands[0].close()
        until(lambda: run_roomctl(self.admin, "status").returncode == 0, "there is room again")

    def test_who_asks_and_does_not_read_takes_no_memory(self):
        daemon = self.boot()
        hand = self.by_hand()
        hand.socket.setblocking(False)
        before = daemon.resident_bytes()
        sent = 0
        try:
            while sent < 32 * 1024 * 1024:
                sent += hand.socket.send(b"status\n" * 4096)
        except BlockingIOError:
            pass
        self.assertLess(sent, 4 * 1024 * 1024)  # it is no longer read
        self.ctl("status")
        if not SANITIZED:
            self.assertLess(daemon.resident_bytes() - before, 8 * 1024 * 1024)
        hand.socket.setblocking(True)
        hand.finish_sending()
        answered = hand.rest().count(b"ok status\n")
        self.assertAlmostEqual(answered, sent / 7, delta=1)  # all that were sent whole, late or not

    def test_when_there_are_as_many_connections_as_may_be(self):
        daemon = self.boot("[limits]\nconnections_max = 3\n")
        clients = [self.event(daemon, join="lobby") for _ in range(3)]
        late = self.line(daemon)
        self.assertTrue(late.receive().startswith("! full"))
        self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["connections"], len(clients))
        self.configure("[limits]\nconnections_max = 4\n")
        self.assertEqual(self.ctl("reload").stdout, "applied: limits.connections_max 3 -> 4\n")
        self.event(daemon, join="lobby")

    @unittest.skipUnless(hasattr(resource, "prlimit"), "only Linux changes another process's limits")
    @unless_sanitized("without a descriptor UBSan cannot look at memory, and takes every object for a wrong one")
    def test_when_no_descriptor_is_left(self):
        daemon = self.boot()
        ann = self.event(daemon, "ann", join="lobby")
        hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1]
        count = daemon.descriptors()
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (count, hard))
        with LineClient(daemon.address()) as late:
            self.assertTrue(late.receive().startswith("! full"))
        for _ in range(5):  # each of them gets the one that is kept for this
            self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["connections"], 1)
            self.assertEqual(daemon.descriptors(), count)
        with self.by_hand() as hand:
            hand.ask("status", "ok status")
            with self.by_hand() as second:
                self.assertTrue(second.receive().startswith("error full: no descriptor is left"))
                second.expect_end(self)
            hand.ask("lockdown on", "ok lockdown")
        until(lambda: run_roomctl(self.admin, "lockdown", "off").returncode == 0, "the one descriptor is kept again")
        ann.ask("still here", "ok say lobby")
        idle, begin = daemon.cpu_seconds(), time.monotonic()
        until(lambda: time.monotonic() - begin > 0.5, "half a second without anybody")
        self.assertLess(daemon.cpu_seconds() - idle, 0.1)


class Drain(RoomctlTest):
    def test_fifty_leave_one_after_the_other_and_nobody_loses_a_message(self):
        daemon = self.boot()
        clients = [self.event(daemon, f"c{number}", join="lobby") for number in range(50)]
        # Whoever speaks leaves at a random moment, too: one after the other, so that somebody is there to speak.
        mouths = [self.event(daemon, f"mouth{number}", join="lobby") for number in range(8)]
        over = 2.0
        with subprocess.Popen([str(ROOMCTL), "--socket", str(self.admin), "drain", "--over", "2"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment()) as drain:
            self.addCleanup(drain.kill)
            daemon.wait_for_line("draining connections=58 over_ms=2000")
            begin = time.monotonic()
            left_at, heard_last, said_last, mouth_left = self.follow(clients, mouths)
            output, _ = drain.communicate(timeout=PATIENCE)
        self.assertEqual(drain.returncode, 0, output)
        self.assertEqual(daemon.wait(), 0)
        moments = sorted(moment - begin for moment in left_at.values())
        self.assertEqual(len(moments), 50)
        self.assertLess(moments[-1], over + 1)
        # 50 moments at random over 2 s: all of them within 1 s has a chance of 1 in 10^13
        self.assertGreater(moments[-1] - moments[0], over / 2)
        # and no half second, a quarter of the time, has most of them: 1 in 10^6
        crowded = max(sum(1 for other in moments if moment <= other < moment + 0.5) for moment in moments)
        self.assertLess(crowded, 35)
        # whoever was there heard every message without a hole up to the goodbye
        self.assertGreater(said_last, 10)
        for ids in heard_last.values():
            self.assertEqual(ids, list(range(1, len(ids) + 1)))
        longest = max(len(ids) for ids in heard_last.values())
        if min(left_at.values()) < mouth_left:
            self.assertLessEqual(longest, said_last + 1)
        lefts = [int(count) for count in re.findall(r"^left (\d+)$", output, re.M)]
        self.assertGreaterEqual(len(lefts), 2)
        self.assertEqual(lefts, sorted(lefts, reverse=True))
        self.assertEqual(lefts[-1], 0)

    def follow(self, clients, mouths):
        """Says a message every few milliseconds and reads everybody, until all have been told to leave."""
        mouth, *others = mouths
        left_at, ids = {}, {index: [] for index in range(len(clients))}
        said_last, mouth_left, number = 0, None, 0
        deadline = time.monotonic() + PATIENCE
        while len(left_at) < len(clients) or mouth_left is None:
            self.assertLess(time.monotonic(), deadline)
            if mouth_left is None:
                number += 1
                try:
                    mouth.send(f"message {number}")
                except OSError:
                    pass
            waiting = [(index, client) for index, client in enumerate(clients) if index not in left_at]
            sources = [client.socket for _, client in waiting] + ([mouth.socket] if mouth_left is None else [])
            ready = select.select(sources, [], [], 0.01)[0]
            if mouth_left is None and mouth.socket in ready:
                mouth.fill()
                for payload in self.whole(mouth):
                    if payload.startswith("ok say"):
                        said_last = int(payload.split(" ")[3])
                    if payload.startswith("bye "):
                        mouth.close()
                        if others:
                            mouth = others.pop()
                        else:
                            mouth_left = time.monotonic()
                        break
            for index, client in waiting:
                if client.socket not in ready:
                    continue
                client.fill()
                for payload in self.whole(client):
                    if said(payload):
                        ids[index].append(said(payload)[1])
                    if payload.startswith("bye "):
                        self.assertTrue(payload.startswith("bye shutting_down this server is taken out of service"), payload)
                        left_at[index] = time.monotonic()
                        client.close()
        return left_at, ids, said_last, mouth_left

    @staticmethod
    def whole(client):
        while len(client.pending) >= 4 and len(client.pending) >= 4 + int.from_bytes(client.pending[:4], "big"):
            yield client.receive()

    def test_nobody_new_is_let_in_and_an_empty_roomd_ends_at_once(self):
        daemon = self.boot()
        begin = time.monotonic()
        self.ctl("drain", "--over", "600")
        self.assertLess(time.monotonic() - begin, 60)
        self.assertEqual(daemon.wait(), 0)

    def test_ctrl_c_leaves_the_drain_running_and_a_second_roomctl_watches_on(self):
        daemon = self.boot()
        stay = [self.event(daemon, join="lobby") for _ in range(3)]
        with subprocess.Popen([str(ROOMCTL), "--socket", str(self.admin), "drain", "--over", "30m"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=environment()) as drain:
            self.addCleanup(drain.kill)
            self.assertIn("nobody new", drain.stdout.readline())
            self.assertRegex(drain.stdout.readline(), r"^left \d+\n$")
            drain.send_signal(signal.SIGINT)
            _, errors = drain.communicate(timeout=PATIENCE)
        self.assertEqual(drain.returncode, 128 + signal.SIGINT)
        self.assertIn("goes on draining", errors)
        with self.assertRaises(OSError):
            connect(daemon.address()).close()
        self.assertIn("draining", self.ctl("status").stdout)
        self.assertIn("going down", self.ctl("reload", status=1).stderr)
        with subprocess.Popen([str(ROOMCTL), "--socket", str(self.admin), "drain"], stdout=subprocess.PIPE,
                              text=True, env=environment()) as drain:
            self.addCleanup(drain.kill)
            self.assertIn("already", drain.stdout.readline())
            daemon.signal(signal.SIGTERM)  # keeps its meaning: all the others are told now
            for client in stay:
                client.await_one(lambda payload: payload.startswith("bye "))
                client.close()
            drain.communicate(timeout=PATIENCE)
        self.assertEqual(drain.returncode, 0)
        self.assertEqual(daemon.wait(), 0)

    def test_who_has_left_a_drain_takes_nobodys_place(self):
        daemon = self.boot()
        stay = self.event(daemon, join="lobby")
        for _ in range(9):
            with self.by_hand() as hand:
                hand.ask("drain 30m", "- left 1")
        self.assertIn("draining", self.ctl("status").stdout)
        with self.by_hand() as hand:
            hand.ask("drain", "- left 1")
            hand.send_bytes(b"lockdown on\n" * 200_000)  # read, or this would not be over; but not run
            hand.finish_sending()
            self.assertEqual([hand.receive() for _ in range(2)], ["- left 1"] * 2)  # it listens still, and is told
            self.assertEqual(json.loads(self.ctl("status", "--json").stdout)["lockdown"], "off")
            daemon.signal(signal.SIGTERM)
            stay.await_one(lambda payload: payload.startswith("bye "))
            stay.close()
            self.assertTrue(hand.rest().endswith(b"- left 0\nok drain\n"))
        self.assertEqual(daemon.wait(), 0)

    def test_a_drain_whose_end_nobody_sees_is_no_success(self):
        daemon = self.boot()
        self.event(daemon, join="lobby")
        with subprocess.Popen([str(ROOMCTL), "--socket", str(self.admin), "drain", "--over", "30m"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=environment()) as drain:
            self.addCleanup(drain.kill)
            drain.stdout.readline()
            daemon.kill()
            _, errors = drain.communicate(timeout=PATIENCE)
        self.assertEqual(drain.returncode, 74)
        self.assertIn("closed the connection", errors)


if __name__ == "__main__":
    unittest.main()
