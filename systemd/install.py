#!/usr/bin/env python3
"""Puts what `make` has built where programs, units and pages belong, and takes it away again.

install.py install|uninstall BUILD --prefix PREFIX --sysconfdir DIR [--destdir DIR]

Used by `make install` and `make uninstall`; packages use `meson install`. The differences are the reason for this file: it runs
no compiler and writes nothing into BUILD, so that `sudo make install` leaves nothing of root's there, and PREFIX is chosen now
and not when BUILD was configured. What is installed where comes from meson's own plan; paths in units are filled in here.

A manifest in PREFIX/share/roomd lists what was put there. `uninstall` removes exactly that: never a file that was there before,
and not the configuration if somebody has changed it. Standard library only.
"""
import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
NEEDED = ("roomd", "room", "roomctl")


class Trouble(Exception):
    """One sentence for the person at the shell."""


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Manifest:
    """What was installed: path -> "file", "link", "dir", or "conf HASH". Paths are without DESTDIR."""

    def __init__(self, path):
        self.path, self.entries = path, {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                kind, _, name = line.rpartition("\t")
                self.entries[name] = kind

    def text(self):
        return "".join(f"{kind}\t{name}\n" for name, kind in sorted(self.entries.items()))


class Installer:
    def __init__(self, build, prefix, sysconfdir, destdir):
        self.build, self.destdir = Path(build).resolve(), destdir
        self.prefix = Path(prefix)
        self.places = {"prefix": prefix, "bindir": f"{prefix}/bin", "datadir": f"{prefix}/share", "mandir": f"{prefix}/share/man",
                       "libexecdir": f"{prefix}/libexec", "sysconfdir": sysconfdir}
        self.words = {"bindir": f"{prefix}/bin", "programdir": f"{prefix}/libexec/roomd", "confdir": f"{sysconfdir}/roomd",
                      "docdir": f"{prefix}/share/doc/roomd"}
        self.name_of_manifest = f"{prefix}/share/roomd/manifest"
        self.manifest = Manifest(self.real(self.name_of_manifest))

    def real(self, name):
        """Where `name` is on this machine."""
        return Path(self.destdir + name)

    def make_directory(self, name):
        if name == "/":
            self.real(name).mkdir(parents=True, exist_ok=True)  # DESTDIR itself is the caller's
        elif not self.real(name).is_dir():
            self.make_directory(os.path.dirname(name))
            self.real(name).mkdir()
            self.real(name).chmod(0o755)
            self.manifest.entries[name] = "dir"

    def put(self, name, data, mode):
        """A whole file or none, beside its place and then moved there: a program that runs is not written into."""
        self.make_directory(os.path.dirname(name))
        path = self.real(name)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".roomd-", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise

    def plan(self):
        """(file, is it a template?, name of its place) of everything that meson would install."""
        path = self.build / "meson-info" / "intro-install_plan.json"
        if not path.exists():
            raise Trouble(f"nothing is built in {self.build}: run make first")
        plan = json.loads(path.read_text(encoding="utf-8"))
        for section in ("targets", "configure", "data"):
            for source, where in plan.get(section, {}).items():
                yield Path(source), section == "configure", re.sub(r"\{(\w+)\}", lambda word: self.places[word[1]], where["destination"])

    def filled_in(self, template):
        """A unit with the paths of this PREFIX."""
        text = template.read_text(encoding="utf-8")
        for word, value in self.words.items():
            text = text.replace(f"@{word}@", value)
        return text.encode()

    def install(self):
        plan = list(self.plan())
        missing = [name for name in NEEDED if not (self.build / name).exists()]
        if missing:
            raise Trouble(f"{', '.join(missing)} of {self.build} is not built: run make first")
        for source, is_template, name in plan:
            template = SOURCES / source.name
            if is_template and template.exists():
                self.put(name, self.filled_in(template), 0o644)
            elif source.exists():  # roombench and its pages are built by make bench only
                self.put(name, source.read_bytes(), 0o755 if source.stat().st_mode & 0o111 else 0o644)
            else:
                continue
            self.manifest.entries[name] = "file"
        self.link(f"{self.prefix}/bin/roomd", f"{self.words['programdir']}/roomd")
        if sys.platform == "linux":
            self.put_configuration(f"{self.words['confdir']}/roomd.toml", (SOURCES / "roomd.toml").read_bytes())
        self.make_directory(os.path.dirname(self.name_of_manifest))
        self.manifest.entries[self.name_of_manifest] = "file"
        self.put(self.name_of_manifest, self.manifest.text().encode(), 0o644)
        print(f"installed {len(self.manifest.entries)} files, links and directories below {self.destdir}{self.prefix}; "
              "make uninstall removes them")

    def link(self, name, target):
        path = self.real(name)
        if not (path.is_symlink() and os.readlink(path) == target):
            if path.is_symlink() or path.exists():
                path.unlink()
            path.symlink_to(target)
        self.manifest.entries[name] = "link"

    def put_configuration(self, name, data):
        """What an operator has written is never overwritten."""
        if not self.real(name).exists():
            self.put(name, data, 0o644)
            self.manifest.entries[name] = "conf " + hashlib.sha256(data).hexdigest()

    def uninstall(self):
        if not self.manifest.path.exists():
            raise Trouble(f"{self.manifest.path} is not there: nothing was installed with this PREFIX and DESTDIR")
        kept = []
        for name, kind in sorted(self.manifest.entries.items(), reverse=True):  # what is in a directory comes before it
            path = self.real(name)
            if kind == "dir":
                try:
                    path.rmdir()
                except OSError:
                    pass  # gone already, or something of somebody else's is in it
            elif kind.startswith("conf ") and path.exists() and digest_of(path) != kind.split(" ")[1]:
                kept.append(name)
            elif path.is_symlink() or path.exists():
                path.unlink()
        for name in kept:
            print(f"{self.real(name)} was changed: it stays")
        print("uninstalled")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=("install", "uninstall"))
    parser.add_argument("build")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--sysconfdir", required=True)
    parser.add_argument("--destdir", default="")
    given = parser.parse_args()
    for name in ("prefix", "sysconfdir"):
        if not os.path.isabs(getattr(given, name)):
            raise Trouble(f"{name.upper()} is no absolute path: {getattr(given, name) or 'empty'}")
    clean = [os.path.normpath(path) for path in (given.prefix, given.sysconfdir)]
    installer = Installer(given.build, *clean, given.destdir.rstrip("/"))
    getattr(installer, given.task)()


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        sys.exit(f"make {sys.argv[1]}: {trouble}")
    except OSError as error:
        sys.exit(f"make {sys.argv[1]}: {error.filename2 or error.filename}: {error.strerror}")
