"""make install: what make has built goes where it belongs, nothing is built, nothing of root's stays in the build directory; and
make uninstall takes exactly that away again. install_test.py [BUILD DIRECTORY]"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else TOP / "build").resolve()
PATIENCE = 60
NOBODY = 65534


def files_below(directory):
    """name -> (kind, owner), without the directory itself."""
    return {str(path.relative_to(directory)): (path.is_symlink(), path.is_dir(), path.lstat().st_uid)
            for path in directory.rglob("*")}


def times_below(directory):
    return {path: path.lstat().st_mtime_ns for path in directory.rglob("*")}


class Install(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="roomd-install-")
        self.addCleanup(directory.cleanup)
        self.stage = pathlib.Path(directory.name) / "stage"

    def run_task(self, task, status=0, build=BUILD, **more):
        command = [str(TOP / "systemd" / "install.py"), task, str(build)]
        settings = {"prefix": "/opt/roomd", "sysconfdir": "/etc", "destdir": str(self.stage), **more}
        result = subprocess.run(command + [f"--{name}={value}" for name, value in settings.items()], capture_output=True, text=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def test_programs_units_and_configuration_are_where_they_belong(self):
        self.run_task("install")
        prefix = self.stage / "opt/roomd"
        for name in ("bin/room", "bin/roomctl", "libexec/roomd/roomd"):
            self.assertEqual((prefix / name).read_bytes(), (BUILD / pathlib.Path(name).name).read_bytes())
            self.assertEqual((prefix / name).stat().st_mode & 0o7777, 0o755)
        self.assertEqual(os.readlink(prefix / "bin/roomd"), "/opt/roomd/libexec/roomd/roomd")
        unit = (prefix / "lib/systemd/system/roomd.service").read_text()
        self.assertIn("ExecStart=/opt/roomd/libexec/roomd/roomd --config /etc/roomd/roomd.toml", unit)
        for word in ("@bindir@", "@programdir@", "@confdir@", "@docdir@"):
            self.assertNotIn(word, unit)
        self.assertEqual((self.stage / "etc/roomd/roomd.toml").read_bytes(), (TOP / "systemd/roomd.toml").read_bytes())

    def test_nothing_is_written_into_the_build_directory(self):
        before = times_below(BUILD)
        self.run_task("install")
        self.run_task("uninstall")
        after = times_below(BUILD)
        self.assertEqual({path for path in after if after[path] != before.get(path)}, set())

    def test_what_was_installed_is_what_is_removed(self):
        mine = self.stage / "opt/roomd/bin/mine"
        mine.parent.mkdir(parents=True)
        mine.write_text("somebody else's")
        before = files_below(self.stage)
        self.run_task("install")
        self.run_task("install")  # again, as after a new make
        self.run_task("uninstall")
        self.assertEqual(files_below(self.stage), before)
        self.run_task("uninstall", status=1)

    def test_a_changed_configuration_is_neither_overwritten_nor_removed(self):
        self.run_task("install")
        configuration = self.stage / "etc/roomd/roomd.toml"
        configuration.write_text('name = "mine"\n')
        self.run_task("install")
        self.assertEqual(configuration.read_text(), 'name = "mine"\n')
        self.assertIn("was changed: it stays", self.run_task("uninstall").stdout)
        self.assertEqual([name for name, (_, is_directory, _) in files_below(self.stage).items() if not is_directory],
                         ["etc/roomd/roomd.toml"])

    def test_a_configuration_that_was_there_before_is_not_ours(self):
        configuration = self.stage / "etc/roomd/roomd.toml"
        configuration.parent.mkdir(parents=True)
        shutil.copyfile(TOP / "systemd/roomd.toml", configuration)  # the same bytes, put there by somebody
        self.run_task("install")
        self.run_task("uninstall")
        self.assertTrue(configuration.exists())

    def test_without_a_build_it_says_run_make(self):
        empty = self.stage.parent / "empty"
        empty.mkdir()
        self.assertIn("run make first", self.run_task("install", status=1, build=empty).stderr)
        shutil.copytree(BUILD / "meson-info", empty / "meson-info")
        self.assertIn("run make first", self.run_task("install", status=1, build=empty).stderr)
        self.assertFalse(self.stage.exists())

    def test_a_relative_prefix_is_refused(self):
        self.assertIn("PREFIX", self.run_task("install", status=1, prefix="opt").stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for somebody else's build directory")
    def test_root_leaves_nothing_of_root_in_the_build_directory_of_another_user(self):
        build = self.stage.parent / "build"
        build.mkdir()
        for name in ("roomd", "room", "roomctl"):
            shutil.copy(BUILD / name, build / name)
        shutil.copytree(BUILD / "meson-info", build / "meson-info")
        for path in (build, *build.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        self.run_task("install", build=build)
        self.assertEqual({owner for _, _, owner in files_below(build).values()}, {NOBODY})
        self.assertEqual({owner for _, _, owner in files_below(self.stage).values()}, {0})


if __name__ == "__main__":
    unittest.main()
