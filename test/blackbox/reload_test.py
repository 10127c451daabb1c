#!/usr/bin/env python3
"""A reload holds nobody up and loses nobody: what may block is refused or asked elsewhere, and the daemon's own sockets are no
obstacle to it. What lies at a socket's path and is not the daemon's stays there."""

import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import unittest

import roomd_harness as harness
from roomd_harness import Daemon, DaemonTest, EventClient, LineClient, run_roomd, until


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Configured(DaemonTest):
    def begin(self, text, **more):
        self.directory = self.scratch()
        self.file = self.directory / "roomd.toml"
        self.file.write_text(text)
        return self.start(options=("--config", str(self.file)), **more)

    def start(self, *listen, **more):
        self.listen = ()
        return super().start(*listen, **more)

    def reload(self, daemon, text=None):
        """What the log says of it."""
        if text is not None:
            self.file.write_text(text)
        before = len(daemon.log())
        daemon.signal(signal.SIGHUP)
        until(lambda: re.search(r" reloaded\b| reload_refused ", "\n".join(daemon.log()[before:])), "it is reloaded or refused")
        return "\n".join(daemon.log()[before:])


class Blocking(Configured):
    def test_a_pipe_is_read_at_the_start_and_refused_later(self):
        directory = self.scratch()
        pipe = directory / "conf"
        os.mkfifo(pipe)
        feeder = threading.Thread(target=lambda: pipe.write_text(f'listen = ["unix:{directory}/s"]\n'), daemon=True)
        feeder.start()
        daemon = self.start(options=("--config", str(pipe)))
        feeder.join(harness.PATIENCE)
        ann = self.event(daemon, "ann")
        self.assertIn("no regular file", self.reload(daemon))
        ann.ask("/ping x", "ok ping x")
        daemon.signal(signal.SIGUSR2)
        self.assertIn("no regular file", daemon.wait_for_line("upgrade_refused"))
        ann.ask("/ping x", "ok ping x")

    def test_names_are_resolved_beside_the_loop(self):
        port = free_port()
        usual = f'listen = ["unix:{self.scratch()}/s"]\n'
        daemon = self.begin(usual)
        ann = self.event(daemon, "ann")
        more = usual.replace("]", f', "tcp://localhost:{port}"]')
        self.assertIn(" reloaded", self.reload(daemon, more))
        self.keep(EventClient(("127.0.0.1", port), "bob")).ask("/ping x", "ok ping x")
        nobody = usual.replace("]", ', "tcp://nobody.invalid:1"]')
        nobody = 'insecure_public = true\n' + nobody
        self.file.write_text(nobody)
        for _ in range(5):  # asked again while it is under way: done once more
            daemon.signal(signal.SIGHUP)
            ann.ask("/ping x", "ok ping x")
        self.assertIn("nobody.invalid", daemon.wait_for_line("reload_refused"))
        self.keep(EventClient(("127.0.0.1", port), "eve")).ask("/ping x", "ok ping x")
        until(lambda: not children_of(daemon.pid), "nobody is asked any more")


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class OwnSockets(Configured):
    def test_wider_and_narrower(self):
        port = free_port()
        words = "insecure_public = true\nlisten = [{}]\n"
        daemon = self.begin(words.format(f'"tcp://127.0.0.1:{port}"'))
        ann = self.event(daemon, "ann", join="lobby")
        for uris in ((f"tcp://0.0.0.0:{port}",), (f"tcp://localhost:{port}",), (f"tcp://127.0.0.1:{port}",),
                     (f"tcp://0.0.0.0:{port}", f"udp://0.0.0.0:{port}?room=lobby"),
                     (f"tcp://127.0.0.1:{port}", f"udp://127.0.0.1:{port}?room=lobby"),
                     (f"tcp://127.0.0.1:{port}", f"tcp://localhost:{port}")):
            text = words.format(", ".join(f'"{uri}"' for uri in uris))
            self.assertIn(" reloaded", self.reload(daemon, text), uris)
            with EventClient(("127.0.0.1", port), "new", join="lobby") as new:
                new.send(f"by {uris[0]}")
                ann.await_one(lambda payload, uris=uris: payload.endswith(f"by {uris[0]}"))
        before = len(daemon.log())
        for uri in (f"tcp://0.0.0.0:{port}", f"tcp://127.0.0.1:{port}"):  # and by another process
            self.file.write_text(words.format(f'"{uri}"'))
            daemon.signal(signal.SIGUSR2)
            until(lambda: re.search(r" ready | upgrade_refused ", "\n".join(daemon.log()[before:])), "it is done or refused")
            self.assertNotIn("upgrade_refused", "\n".join(daemon.log()[before:]))
            before = len(daemon.log())
            ann.ask("/ping x", "ok ping x")
            with EventClient(("127.0.0.1", port), "new", join="lobby") as new:
                new.ask("/ping x", "ok ping x")

    def test_its_own_is_not_another_programs(self):
        port = free_port()
        daemon = self.begin(f'insecure_public = true\nlisten = ["tcp://127.0.0.1:{port}"]\n')
        said = self.reload(daemon, f'insecure_public = true\nlisten = ["tcp://127.0.0.1:{port}", "tcp://0.0.0.0:{port}"]\n')
        self.assertIn("reload_refused", said)
        self.assertIn("this roomd itself has", said)
        self.event(daemon, "ann").ask("/ping x", "ok ping x")

    def test_a_room_is_found_however_it_is_written(self):
        directory = self.scratch()
        text = f'listen = ["unix:{directory}/s"]\n[[room]]\nname = "Ops"\ntopic = "at five"\nhistory_messages_max = 2\n'
        daemon = self.begin("\ufeff" + text.replace("\n", "\r\n"))
        ann = self.event(daemon, "ann", join="OPS")
        self.assertTrue(ann.ask("/topic ops", "ok topic").endswith("at five"))
        for number in range(5):
            ann.ask(f"/say ops {number}", "ok say")
        late = self.event(daemon, "late")
        late.send("/join ops last=9")
        self.assertEqual(sum(line.startswith("old ") for line in late.collect(lambda line: line.startswith("ok join"))), 2)
        said = self.reload(daemon, text + '[[room]]\nname = "oPS"\n')
        self.assertRegex(said, 'oPS.* is described twice.*Ops')


class Files(Configured):
    def test_an_end_leaves_nothing_and_takes_nothing_away(self):
        directory = self.scratch()
        names = ("s", "admin", "metrics")
        arguments = dict(options=("--admin", f"{directory}/admin", "--metrics", f"unix:{directory}/metrics"))
        daemon = self.start(f"unix:{directory}/s", **arguments)
        daemon.close()
        self.assertEqual(os.listdir(directory), [])
        for upgraded in (False, True):
            daemon = self.start(f"unix:{directory}/s", **arguments)
            if upgraded:
                daemon.signal(signal.SIGUSR2)
                daemon.wait_for_line(" ready ", 2)
            for name in names:
                (directory / name).unlink()
            (directory / "s").write_text("precious")
            others = []
            for name in names[1:]:
                other = socket.socket(socket.AF_UNIX)
                self.addCleanup(other.close)
                other.bind(str(directory / name))
                others.append(os.stat(directory / name).st_ino)
            daemon.close()
            self.assertEqual(sorted(os.listdir(directory)), sorted(names))
            self.assertEqual((directory / "s").read_text(), "precious")
            self.assertEqual([os.stat(directory / name).st_ino for name in names[1:]], others)
            for name in names:
                (directory / name).unlink()

    @unittest.skipUnless(os.geteuid() == 0, "only root becomes others")
    def test_somebody_elses_lock_is_named(self):
        directory = self.scratch()
        directory.chmod(0o1777)
        program = directory / "roomd"
        program.write_bytes(harness.ROOMD.read_bytes())
        program.chmod(0o755)
        (directory / "s.lock").touch(0o600)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(program), "--listen",
                               f"unix:{directory}/s"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=harness.PATIENCE, check=False, env=harness.environment())
        self.assertIn(f"{directory}/s.lock", done.stderr)
        self.assertIn("belongs to user 0", done.stderr)


class Said(DaemonTest):
    def test_whoever_is_refused_is_named_in_the_log(self):
        daemon = self.start("tcp://127.0.0.1:0?limits=on", options=("--source-connections-max", "1"))
        first, second = self.line(daemon), LineClient(daemon.address())
        port = second.socket.getsockname()[1]
        self.assertTrue(second.receive().startswith("! full"))
        second.close()
        line = daemon.wait_for_line(" refused ")
        self.assertIn(f"peer=127.0.0.1:{port}", line)
        self.assertIn("limit=source_connections_max", line)
        first.close()

    def test_limits_that_cannot_be_had(self):
        file = self.scratch() / "roomd.toml"
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for words, name in ((f"connections_max = {min(hard, 1_000_000 - 64) + 1}", "connections_max"),
                            ("reply_bytes_max = 1048576\nqueue_bytes_max = 65536\nqueue_soft_bytes = 65536", "queue_bytes_max"),
                            ("history_bytes_max = 8388608\nhistory_total_bytes_max = 1048576", "history_total_bytes_max"),
                            ("listen_backlog = 65535", "somaxconn")):
            file.write_text(f'listen = ["unix:{file.parent}/s"]\n[limits]\n{words}\n')
            done = run_roomd("--config", str(file), "--check-config")
            self.assertEqual(done.returncode, 0, done.stderr)
            if name == "somaxconn" and int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text()) >= 65535:
                continue
            self.assertIn("warning", done.stderr)
            self.assertIn(name, done.stderr)
            daemon = Daemon(options=("--config", str(file)))
            self.assertIn(name, daemon.wait_for_line("warning config"))
            daemon.close()


if __name__ == "__main__":
    unittest.main()
