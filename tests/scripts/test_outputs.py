#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of how scripts write their outputs (scripts/common_lib/outputs.py)."""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import resource
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from unittest import mock

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from common_lib import outputs
from common_lib.outputs import OutputError

ODD_NAMES = ("plain", "with space", "a:b", "it's", "-dash", "n" * 255, "\udcff\udcfe")
UNWRITABLE_MODE = 0o555
LARGE = 1 << 20  # bytes; no pipe takes so many at once
SLOW_READER_SECONDS = 0.6


class Outputs(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="outputs-test-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.out = self.folder / "out"

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def refused(self, reason, function, *arguments, **options):
        with self.assertRaises(OutputError) as raised:
            function(*arguments, **options)
        self.assertIn(reason, str(raised.exception))
        self.assertNotIn("\n", str(raised.exception))

    def test_it_writes_bytes_and_text(self):
        for name in ODD_NAMES:
            path = self.folder / name
            outputs.check(path)
            self.assertFalse(path.exists())
            outputs.write_whole(path, b"\0\xff")
            self.assertEqual(b"\0\xff", path.read_bytes())
            outputs.write_whole(path, "a\u2014b\udcff")
            self.assertEqual(b"a\xe2\x80\x94b\xff", path.read_bytes())
        self.assertEqual(sorted(ODD_NAMES), self.names())

    def test_it_copies(self):
        (self.folder / "source").write_bytes(b"\0" * 70000)
        outputs.copy_whole(self.folder / "source", self.out)
        self.assertEqual(b"\0" * 70000, self.out.read_bytes())
        with self.assertRaises(FileNotFoundError):
            outputs.copy_whole(self.folder / "absent", self.out)
        self.assertEqual(b"\0" * 70000, self.out.read_bytes())

    def test_an_old_file_stays_until_the_new_one_is_whole(self):
        self.out.write_text("old")
        with outputs.open_whole(self.out) as file:
            file.write(b"half")
            file.flush()
            self.assertEqual("old", self.out.read_text())
        self.assertEqual("half", self.out.read_text())
        for end in (ValueError, KeyboardInterrupt, SystemExit):
            with self.assertRaises(end):
                with outputs.open_whole(self.out) as file:
                    file.write(b"lost")
                    raise end()
        self.assertEqual("half", self.out.read_text())
        self.assertEqual(["out"], self.names())

    def test_a_full_disk_loses_nothing(self):
        self.out.write_text("old")
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); from common_lib import outputs\n"
            "try: outputs.write_whole(sys.argv[2], b'x' * 100000)\n"
            "except outputs.OutputError as error: print(error)\n")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
        done = subprocess.run(
            [sys.executable, "-B", "-c", program, TREE / "scripts", self.out],
            preexec_fn=limit, capture_output=True, text=True, check=True)
        self.assertEqual(f"{self.out}: cannot be written: File too large\n", done.stdout)
        self.assertEqual("old", self.out.read_text())
        self.assertEqual(["out"], self.names())

    def test_what_exists_is_not_replaced_unless_that_is_wanted(self):
        self.out.write_text("old")
        self.refused("it exists already", outputs.check, self.out, replace=False)
        self.refused("it exists already", outputs.write_whole, self.out, b"new", replace=False)
        with self.assertRaises(OutputError):
            with outputs.open_whole(self.folder / "late", replace=False) as file:
                file.write(b"new")
                (self.folder / "late").write_text("came since")
        self.assertEqual("came since", (self.folder / "late").read_text())
        outputs.check(self.folder / "fresh", replace=False)
        outputs.write_whole(self.folder / "fresh", b"new", replace=False)
        self.assertEqual("old", self.out.read_text())
        self.assertEqual(["fresh", "late", "out"], self.names())

    def test_impossible_outputs_are_refused_before_the_work(self):
        self.out.write_text("a file")
        (self.folder / "loop").symlink_to("loop")
        for path, reason in (
            (self.folder, "it is a folder"), (self.folder / "no" / "out", "no such folder"),
            (self.out / "below", "Not a directory"), (self.folder / ("n" * 256), "name too long"),
            (self.folder / "loop", "oop"), ("", "it has no name"),
            (f"{self.folder}/new/", "it has no name"),
        ):
            self.refused(reason, outputs.check, path)
            self.refused(reason, outputs.write_whole, path, b"new")
        self.assertEqual(["loop", "out"], self.names())

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "needs setpriv")
    def test_what_is_write_protected_stays(self):
        closed = self.folder / "closed"
        closed.mkdir()
        self.out.write_text("old")
        self.out.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        closed.chmod(UNWRITABLE_MODE)
        self.folder.chmod(0o777)
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); from common_lib import outputs\n"
            "for path in sys.argv[2:]:\n"
            "  try: outputs.check(path); print('taken')\n"
            "  except outputs.OutputError as error: print(error.reason)\n")
        # The library is given as text: the tree may lie where only its owner may look.
        library = self.folder / "library" / "common_lib"
        library.mkdir(parents=True)
        for name in ("__init__.py", "outputs.py"):
            source = TREE / "scripts" / "common_lib" / name
            (library / name).write_bytes(source.read_bytes())
        for path in (library.parent, library, *library.iterdir()):
            path.chmod(0o755)
        other = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*other, sys.executable, "-B", "-c", program, library.parent, closed / "out", self.out],
            capture_output=True, text=True, check=True)
        closed.chmod(0o755)
        self.assertEqual("Permission denied\nit is write-protected\n", done.stdout)

    def test_devices_and_pipes_are_written_in_place(self):
        outputs.check("/dev/null", replace=False)
        outputs.write_whole("/dev/null", b"new", replace=False)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        outputs.check("/dev/full")
        self.refused("No space left on device", outputs.write_whole, "/dev/full", b"new")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))
        program = ("import sys; sys.path.insert(0, sys.argv[1]); from common_lib import outputs\n"
                   "outputs.write_whole('/dev/stdout', b'x' * 300000)")
        done = subprocess.run([sys.executable, "-B", "-c", program, TREE / "scripts"],
                              capture_output=True, check=True)
        self.assertEqual(300000, len(done.stdout))
        self.out.write_text("before ")
        with self.out.open("ab") as file:
            subprocess.run([sys.executable, "-B", "-c", program, TREE / "scripts"], stdout=file,
                           check=True)
        self.assertEqual("before xxx", self.out.read_text()[:10])

    def read_slowly(self, pipe, pieces):
        """All that is written to the pipe, the first part of it after a while."""
        def read():
            time.sleep(SLOW_READER_SECONDS)
            while piece := os.read(pipe, 1 << 16):
                pieces.append(piece)

        os.set_blocking(pipe, True)
        reader = threading.Thread(target=read)
        reader.start()
        self.addCleanup(reader.join)
        return reader

    def test_a_pipe_that_does_not_block_is_waited_for(self):
        """Without trying again and again."""
        pieces = []
        out, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.addCleanup(os.close, out)
        reader = self.read_slowly(out, pieces)
        with mock.patch("os.open", return_value=into):
            start = time.process_time()
            outputs.write_whole("/dev/stdout", b"x" * LARGE)
            self.assertLess(time.process_time() - start, SLOW_READER_SECONDS / 2)
        reader.join()
        self.assertEqual(LARGE, len(b"".join(pieces)))

    def test_standard_streams_that_do_not_block_are_waited_for(self):
        program = ("import sys; sys.path.insert(0, sys.argv[1]); from common_lib import script\n"
                   f"def main(): print('x' * {LARGE}); print('y' * {LARGE}, file=sys.stderr)\n"
                   "script.run('some', main)")
        pieces = []
        out, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.addCleanup(os.close, out)
        process = subprocess.Popen([sys.executable, "-B", "-c", program, TREE / "scripts"],
                                   stdout=into, stderr=into)
        os.close(into)
        reader = self.read_slowly(out, pieces)
        self.assertEqual(0, process.wait())
        reader.join()
        text = b"".join(pieces)
        self.assertEqual((LARGE, LARGE, 2), (text.count(b"x"), text.count(b"y"), text.count(b"\n")))

    def test_a_link_is_followed_and_the_mode_is_kept(self):
        self.out.write_text("old")
        self.out.chmod(0o640)
        (self.folder / "link").symlink_to("out")
        outputs.write_whole(self.folder / "link", b"new")
        self.assertTrue((self.folder / "link").is_symlink())
        self.assertEqual("new", self.out.read_text())
        self.assertEqual(0o640, stat.S_IMODE(self.out.stat().st_mode))
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        outputs.write_whole(self.folder / "fresh", b"new")
        self.assertEqual(0o640, stat.S_IMODE((self.folder / "fresh").stat().st_mode))

    def test_the_leavings_of_a_killed_process_do_not_matter(self):
        child = os.fork()
        if child == 0:
            with outputs.open_whole(self.out):
                os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        left, = self.names()
        (self.folder / left.replace(f".{child}.", f".{os.getpid()}.")).write_text("as if")
        outputs.write_whole(self.out, b"new")
        self.assertEqual("new", self.out.read_text())


if __name__ == "__main__":
    unittest.main()
