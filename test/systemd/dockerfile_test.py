#!/usr/bin/env python3
"""The Dockerfile, without an engine: what a linter would say, what it installs, and what it starts and asks.

dockerfile_test.py BUILD_DIRECTORY. The program is started in a network of its own with the words of ENTRYPOINT and CMD;
where namespaces are not allowed, that part is skipped and says so.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import deadlines  # noqa: E402, F401 (the path has to be known first; no test waits for ever)

BUILD = Path(sys.argv.pop(1)).resolve()
TOP = Path(__file__).resolve().parents[2]
DOCKERFILE = TOP / "systemd/Dockerfile"
KNOWN = {"FROM", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def instructions():
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text())
    return [tuple(line.split(None, 1)) for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]


def of(name, stage=-1):
    """The arguments of an instruction in a stage; the last by default."""
    stages = []
    for instruction, rest in instructions():
        if instruction == "FROM":
            stages.append([])
        stages[-1].append((instruction, rest))
    return [rest for instruction, rest in stages[stage] if instruction == name]


def installed(stage):
    words = shlex.split(" ".join(of("RUN", stage)).split("apt-get install", 1)[1].split("&&")[0])
    return {word for word in words if not word.startswith("-")}


class Words(unittest.TestCase):
    def test_only_known_instructions(self):
        self.assertGreater(len(instructions()), 10)
        for instruction in instructions():
            self.assertIn(instruction[0], KNOWN)
            self.assertEqual(len(instruction), 2, instruction)

    def test_both_stages_are_of_a_named_debian(self):
        for _, image in (pair for pair in instructions() if pair[0] == "FROM"):
            self.assertRegex(image, r"^debian:bookworm-slim( AS [a-z]+)?$")

    def test_apt_asks_nothing_and_leaves_nothing(self):
        for stage in (0, 1):
            for command in of("RUN", stage):
                if "apt-get" in command:
                    self.assertIn("apt-get update &&", command)
                    self.assertIn("install -y --no-install-recommends", command)
                    self.assertIn("rm -rf /var/lib/apt/lists/*", command)

    def test_what_is_copied_is_there(self):
        stages = re.findall(r"(?m)^FROM \S+ AS (\S+)", DOCKERFILE.read_text())
        for stage in (0, 1):
            for copy in of("COPY", stage):
                words = copy.split()
                if words[0].startswith("--from="):
                    self.assertIn(words[0][7:], stages)
                    for path in words[1:-1]:
                        self.assertIn(Path(path).name, of("RUN", 0)[-1], "the first stage builds it")
                else:
                    self.assertTrue((TOP / words[0]).exists(), words[0])

    def test_it_is_nobody_in_particular_and_stops_with_a_goodbye(self):
        self.assertEqual(of("USER"), ["roomd"])
        self.assertIn("useradd --system", of("RUN")[0])
        self.assertEqual(of("STOPSIGNAL"), ["SIGTERM"])
        self.assertEqual(len(of("HEALTHCHECK")), 1)
        order = [instruction for instruction, _ in instructions()]
        self.assertLess(order.index("USER"), order.index("ENTRYPOINT"))


class Packages(unittest.TestCase):
    def test_the_second_stage_has_every_library_and_no_more(self):
        base = {"libc6", "libgcc-s1", "libstdc++6"}  # every Debian image has them: apt needs them
        needed = set()
        for program in ("roomd", "roomctl", "room"):
            asked = re.findall(r"NEEDED.*\[(.*)\]", subprocess.check_output(["readelf", "-d", BUILD / program], text=True))
            places = dict(re.findall(r"(\S+) => (/\S+)", subprocess.check_output(["ldd", BUILD / program], text=True)))
            for path in (places[name] for name in asked if name in places):
                # dpkg knows a file by the name its package has for it, with or without /usr
                owners = subprocess.run(["dpkg-query", "--search", path, os.path.realpath(path)], capture_output=True, text=True)
                if not owners.stdout:
                    self.skipTest(f"{path} belongs to no package here")
                needed.add(owners.stdout.split(":")[0])
        self.assertEqual(installed(1), needed - base)

    def test_the_first_stage_has_what_a_build_needs(self):
        setup = (TOP / "test/tools/setup.sh").read_text()
        needed = set(re.findall(r"(?m)^\S.*\|\| need (\S+)", setup.split("if wants", 1)[0]))
        self.assertGreater(len(needed), 6)
        self.assertEqual(installed(0), needed)


class Running(unittest.TestCase):
    def test_it_starts_as_written_is_healthy_and_stops(self):
        health = json.loads(of("HEALTHCHECK")[0].split("CMD", 1)[1])
        start = json.loads(of("ENTRYPOINT")[0]) + json.loads(of("CMD")[0])
        start = [str(BUILD / "roomd") if word == "/usr/bin/roomd" else
                 str(TOP / "systemd/roomd.toml") if word == "/etc/roomd/roomd.toml" else word for word in start]
        script = """
            ip link set lo up || exit 77
            healthy() { HEALTH; }
            healthy 2>/dev/null && exit 2
            START 2>/dev/null & roomd=$!
            for try in $(seq 100); do healthy 2>/dev/null && break; sleep 0.05; done
            healthy || { kill $roomd; exit 3; }
            printf '/ping container\\n' | timeout 5 nc -N 127.0.0.1 8888 | grep -q container || { kill $roomd; exit 4; }
            kill -STOP $roomd; healthy 2>/dev/null && { kill -KILL $roomd; exit 5; }
            kill -CONT $roomd; kill -TERM $roomd; wait $roomd
        """.replace("HEALTH", shlex.join(health)).replace("START", shlex.join(start))
        if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
            self.skipTest("no network namespaces here")
        done = subprocess.run(["unshare", "--net", "--kill-child", "--fork", "bash", "-c", script], capture_output=True,
                              text=True, timeout=60)
        if done.returncode == 77:
            self.skipTest("no loopback here")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
