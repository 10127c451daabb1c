#!/usr/bin/env python3
"""An upgrade that cannot go well is refused before anything is given up, says why, and everybody talks on."""

import os
import resource
import shutil
import socket
import unittest

import roomd_harness as harness
from upgrade_test import BEFORE, Company, Installed, children_of


class Refused(Installed):
    def stays(self, daemon, company, why, count=1):
        self.assertRegex(self.refused(daemon, count), why)
        company.talk()
        self.assertEqual(children_of(daemon.pid), [])

    def test_where_it_could_not_listen_any_more(self):
        """The configuration has been changed to what a reload would have refused."""
        self.install()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        file = self.directory / "roomd.toml"
        usual = f'listen = ["tcp://127.0.0.1:0", "unix:{self.directory}/s"]\nadmin = "unix:{self.directory}/a"\n'
        file.write_text(usual)
        self.listen = ()
        daemon = self.begin(options=("--config", str(file)))
        company = Company(self, daemon)
        wrong = [
            (usual.replace("]", f', "tcp://127.0.0.1:{taken.getsockname()[1]}"]'), "another program has it"),
            ("insecure_public = true\n" + usual.replace("]", ', "tcp://192.0.2.1:7777"]'), "no such address"),
            (usual.replace("]", ', "tcp://0.0.0.0:0"]'), "can be reached from other machines"),
            (usual.replace("]", ', "fd:nobody"]'), "handed over no socket of that name"),
            (usual.replace("]", f', "unix:{self.directory}/none/s"]'), "directory of the socket does not exist"),
            (usual.replace("]", f', "unix:{file}"]'), "exists and is no socket"),
            (usual.replace("]", f', "unix:{self.directory}/a"]'), "another roomd holds"),
            (usual + f'metrics = "tcp://127.0.0.1:{taken.getsockname()[1]}"\n', "another program has it"),
            (usual.replace(f"{self.directory}/a", f"{self.directory}/none/a"), "directory of the socket does not exist"),
            (usual + "nonsense = 1\n", "nonsense"),
        ]
        for count, (text, why) in enumerate(wrong, 1):
            file.write_text(text)
            self.stays(daemon, company, why, count)
        self.assertTrue((self.directory / "s").is_socket())
        self.assertTrue((self.directory / "a").is_socket())
        file.write_text(usual.replace("]", f', "unix:{self.directory}/more"]'))
        self.upgrade(daemon)
        company.talk()
        self.keep(harness.EventClient(str(self.directory / "more"), "new", join="lobby"))

    def test_where_nobody_cares_how_children_end(self):
        """Whoever starts a process may have it ignore SIGCHLD; then the kernel tells nobody how a child has ended."""
        self.install()
        daemon = self.begin(prefix=("sh", "-c", 'trap "" CHLD; exec "$@"', "sh"))
        company = Company(self, daemon)
        self.replace("#!/bin/sh\necho not today >&2\nexit 3\n")
        self.stays(daemon, company, "not today")

    def test_a_program_that_never_stops_talking(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        self.replace("#!/bin/sh\nexec yes\n")
        self.stays(daemon, company, "says too much")

    @harness.unless_sanitized("without a descriptor UBSan cannot look at memory, and takes every object for a wrong one")
    def test_without_descriptors(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        usual = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd"))
        for count, spare in enumerate(range(3), 1):
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (highest + 1 + spare, usual[1]))
            self.stays(daemon, company, "Too many open files|cannot be run", count)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, usual)
        self.upgrade(daemon)
        company.talk()


class Links(Installed):
    def test_a_link_that_points_elsewhere_by_now_is_followed(self):
        self.install()
        link = self.directory / "current"
        link.symlink_to(self.path)
        self.path = link
        daemon = self.begin()
        company = Company(self, daemon)
        other = self.directory / "other"
        shutil.copy(BEFORE, other)
        (self.directory / "next").symlink_to(other)
        (self.directory / "next").rename(link)
        self.upgrade(daemon)
        self.assertEqual(os.readlink(f"/proc/{daemon.pid}/exe"), str(other))
        company.talk()


if __name__ == "__main__":
    unittest.main()
