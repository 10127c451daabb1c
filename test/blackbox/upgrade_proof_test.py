#!/usr/bin/env python3
"""An upgrade cannot be talked into the daemon's end: what goes on has proved that it is a roomd, and whatever fails on the way,
memory, space or the log, leaves everybody where they are."""

import fcntl
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import unittest

import roomd_harness as harness
from roomd_harness import until
from upgrade_test import Company, Installed, children_of

# What a child is asked with, and how a roomd answers: daemon/successor.h.
PROVE = 'for word; do case $word in --probe-word=*) echo "roomd-goes-on ${word#*=} 9.9.9 2"; exit 0;; esac; done\n'


def faults_of_children(pid):
    """Page faults of children that have ended and were waited for (proc(5), cminflt): one that lives for some milliseconds
    is not missed, as it is by who looks for children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[8])


def loaded_bytes(program):
    """Up to where the kernel maps the ELF file `program`; debug information lies behind. See elf(5)."""
    at, size, count = struct.unpack_from("<Q", program, 32) + struct.unpack_from("<HH", program, 54)
    headers = (struct.unpack_from("<IIQQQQ", program, at + index * size) for index in range(count))
    return max(offset + length for kind, _, offset, _, _, length in headers if kind == 1)


class Proof(Installed):
    def test_another_program_is_refused_however_well_it_ends(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        strangers = ["#!/bin/sh\nexit 0\n", "#!/bin/sh\necho all is well\n", '#!/bin/sh\necho "$@"\n',
                     '#!/bin/sh\necho "roomd-goes-on 0123456789abcdef0123456789abcdef 0.1.0 2"\n',
                     pathlib.Path(shutil.which("true")), pathlib.Path(shutil.which("echo"))]
        for count, stranger in enumerate(strangers, 1):
            self.replace(stranger)
            self.assertIn("does not say that it is a roomd", self.refused(daemon, count))
            company.talk()
        self.assertEqual(children_of(daemon.pid), [])

    def test_half_a_program_is_refused(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        whole = harness.ROOMD.read_bytes()
        half = self.directory / "half"
        for count, size in enumerate((1, 100, 5000, loaded_bytes(whole) // 2), 1):
            half.write_bytes(whole[:size])
            half.chmod(0o755)
            half.rename(self.path)
            self.assertRegex(self.refused(daemon, count), "cannot be run|ended without a word|error while loading")
            company.talk()

    def test_what_was_asked_is_what_goes_on_whatever_lies_there_by_then(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        for _ in range(5):
            self.replace(harness.ROOMD)
            seen = len(daemon.log())
            daemon.signal(signal.SIGUSR2)
            until(lambda seen=seen: children_of(daemon.pid) or len(daemon.log()) > seen, "it is asked")
            self.replace("#!/bin/sh\nexit 0\n")
            until(lambda seen=seen: re.search(r" continued | upgrade_refused ", "\n".join(daemon.log()[seen:])),
                  "it is refused or done")
            company.talk()
        self.assertEqual(pathlib.Path(f"/proc/{daemon.pid}/comm").read_text(), "roomd\n")

    def test_a_script_goes_on_only_as_it_was_asked(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        asked, go_on = self.directory / "asked", self.directory / "go on"
        self.replace(f'#!/bin/sh\n: >"{asked}"\nwhile ! [ -e "{go_on}" ]; do sleep 0.01; done\n{PROVE}')
        daemon.signal(signal.SIGUSR2)
        until(asked.exists, "it is asked")
        self.replace("#!/bin/sh\nexit 0\n")
        go_on.touch()
        self.assertIn("another script", daemon.wait_for_line("upgrade_refused"))
        company.talk()
        self.replace(f'#!/bin/sh\n{PROVE}exec {harness.ROOMD} "$@"\n')
        self.upgrade(daemon)
        company.talk()


class Means(Installed):
    """Something is missing that it takes."""

    def fill(self, daemon, mebibytes=2):
        speaker = self.event(daemon, "filler", join="full")
        text = "z" * 4000
        for _ in range(mebibytes * 256):
            speaker.send(text)
        speaker.ask("/ping filled", "ok ping filled")

    def test_no_room_for_a_file(self):
        """Sealed memory is a file to the kernel: RLIMIT_FSIZE holds for it."""
        self.install()
        daemon = self.begin(prefix=(shutil.which("prlimit"), "--fsize=65536:"))
        company = Company(self, daemon)
        self.fill(daemon, 1)
        self.assertIn("File too large", self.refused(daemon))
        company.talk()
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.upgrade(daemon)
        company.talk()

    @harness.unless_sanitized("sanitizers take all of the address space")
    def test_no_memory(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        self.fill(daemon, 1)
        usual = resource.prlimit(daemon.pid, resource.RLIMIT_AS)
        taken = int(pathlib.Path(f"/proc/{daemon.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        for count, more in enumerate((0, 1 << 20, 8 << 20), 1):
            resource.prlimit(daemon.pid, resource.RLIMIT_AS, (taken + more, usual[1]))
            self.assertIn("no memory for a second copy", self.refused(daemon, count))
            company.talk()
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, usual)
        self.upgrade(daemon)
        company.talk()

    def test_a_log_that_nobody_reads_holds_nothing_up(self):
        self.install()
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([str(self.path), "--listen", f"unix:{self.directory}/s", "--log-level", "debug"],
                                   stderr=write_end, stdin=subprocess.DEVNULL, env=harness.environment())
        self.addCleanup(lambda: (process.kill(), process.wait()))
        os.close(write_end)
        path = str(self.directory / "s")
        until(lambda: os.path.exists(path), "it listens")
        for _ in range(100):  # each is a line or two
            harness.connect(path).close()
        eve = self.keep(harness.EventClient(path, "eve", join="lobby"))
        before = eve.stats()["accepted"]
        faults = faults_of_children(process.pid)
        process.send_signal(signal.SIGUSR2)
        until(lambda: faults_of_children(process.pid) > faults, "it is asked, and has answered")
        eve.ask("/ping x", "ok ping x")
        self.assertGreaterEqual(eve.stats()["accepted"], before)
        bob = self.keep(harness.EventClient(path, "bob", join="lobby"))
        bob.send("still here")
        eve.await_one(lambda payload: payload.endswith("still here"))


class Told(Installed):
    def test_roomctl_says_why(self):
        self.install()
        admin = self.directory / "admin"
        daemon = self.begin(options=("--admin", str(admin)))
        company = Company(self, daemon)

        def ask():
            return subprocess.run([str(harness.ROOMCTL), "--socket", str(admin), "upgrade"], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, timeout=harness.PATIENCE, check=False)

        self.replace("#!/bin/sh\nexit 0\n")
        done = ask()
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("does not say that it is a roomd", done.stderr)
        company.talk()
        self.replace(harness.ROOMD)
        done = ask()
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("now roomd", done.stdout)
        company.talk()


if __name__ == "__main__":
    unittest.main()
