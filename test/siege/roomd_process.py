"""A roomd for one line of the table: its start, its memory, its log, its end."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

PATIENCE = 20.0
LISTENING = re.compile(r'\blistening address=(?:"([^"]*)"|(\S+))')
TROUBLE = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|Assertion .* failed|terminate called")
CGROUP_1 = pathlib.Path("/sys/fs/cgroup/memory")
CGROUP_2 = pathlib.Path("/sys/fs/cgroup")


class StartFailed(Exception):
    """roomd did not get ready; the text is what it said."""


class MemoryGroup:
    """A memory cgroup of its own, version 1 or 2. Raises OSError where this machine does not allow one."""

    def __init__(self, limit):
        self.limit = limit
        if (CGROUP_1 / "memory.limit_in_bytes").exists():
            self.path = CGROUP_1 / f"roomd-siege-{os.getpid()}"
            self.path.mkdir(exist_ok=True)
            (self.path / "memory.limit_in_bytes").write_text(str(limit))
        else:
            self.path = CGROUP_2 / f"roomd-siege-{os.getpid()}"
            self.path.mkdir(exist_ok=True)
            (self.path / "memory.max").write_text(str(limit))
            swap = self.path / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def close(self):
        deadline = time.monotonic() + 5
        while True:
            try:
                self.path.rmdir()
                return
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.05)


class Roomd:
    def __init__(self, program, directory, attack):
        self.directory = pathlib.Path(directory)
        self.program = str(program)
        if attack.own_program:
            self.program = str(self.directory / "roomd")
            shutil.copy(program, self.program)
        self.unix = str(self.directory / "s")
        self.log_path = str(self.directory / "log")
        self.group = MemoryGroup(attack.cgroup) if attack.cgroup else None
        self.attack = attack
        self.stalled_pipe = None
        listeners = ["tcp://127.0.0.1:0", f"unix:{self.unix}", *[uri.format(dir=directory) for uri in attack.listen]]
        arguments = [self.program]
        for uri in listeners:
            arguments += ["--listen", uri]
        arguments += ["--log-lines-per-second-max", "1000", *attack.options]
        if attack.config:
            path = self.directory / "roomd.toml"
            path.write_text(attack.config)
            arguments += ["--config", str(path)]
        if attack.memory_max:
            arguments += ["--memory-max", str(attack.memory_max)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMD_")}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean,
                                            preexec_fn=self._prepare)
        self.pid = self.process.pid
        try:
            self._wait_ready()
        except StartFailed:
            self.kill()
            raise

    def _prepare(self):
        os.setpgid(0, 0)
        if self.group:
            self.group.enter()
        if self.attack.descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.attack.descriptors, self.attack.descriptors))
        if self.attack.file_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.attack.file_bytes, self.attack.file_bytes))
        if self.attack.log_pipe:
            # Starts with a reader, `cat`, which the attack stops: the addresses have to be heard first.
            reading, writing = os.pipe()
            reader = os.fork()
            if reader == 0:
                os.close(writing)
                os.dup2(reading, 0)
                os.execvp("cat", ["cat"])
            os.close(reading)
            os.dup2(writing, 2)
            os.close(writing)
            (self.directory / "reader").write_text(str(reader))

    def log(self):
        return pathlib.Path(self.log_path).read_text(encoding="utf-8", errors="replace").splitlines()

    def _wait_ready(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            log = self.log()
            if any(re.search(r"\bready\b", line) for line in log):
                break
            if self.process.poll() is not None:
                raise StartFailed(f"roomd does not start ({self.process.returncode}): {' / '.join(log[-2:])}")
            if time.monotonic() > deadline:
                raise StartFailed(f"roomd is not ready after {PATIENCE:g} s: {' / '.join(log[-2:])}")
            time.sleep(0.01)
        found = [next(group for group in match.groups() if group) for match in map(LISTENING.search, log) if match]
        self.addresses = [text if text.startswith("/") else self._split(text) for text in found]
        self.address = self.addresses[0]

    @staticmethod
    def _split(text):
        host, _, port = text.rpartition(":")
        return host.strip("[]"), int(port)

    def alive(self):
        return self.process.poll() is None

    def resident(self):
        """Bytes; 0 of one that is gone."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0

    def forget_peak(self):
        """proc(5): 5 sets VmHWM to what is resident now."""
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def peak(self):
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) * 1024
        except (OSError, TypeError):
            return 0

    def descriptors(self):
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return 0

    def death(self):
        """How it ended, if it has."""
        code = self.process.poll()
        if code is None:
            return ""
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        return f"roomd ended with {how}: {' / '.join(line[-200:] for line in self.log()[-2:])}"

    def trouble(self):
        return next((line for line in self.log() if TROUBLE.search(line)), "")

    def stop(self):
        """"" if it left in order, else what was wrong."""
        if self.alive():
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return "it did not stop within 20 s of SIGTERM"
        return "" if code == 0 else self.death()

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait(PATIENCE)

    def close(self):
        self.kill()
        reader = self.directory / "reader"
        if reader.exists():
            try:
                os.kill(int(reader.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.group:
            self.group.close()
