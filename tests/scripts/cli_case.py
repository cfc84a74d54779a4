# SPDX-License-Identifier: MIT
"""What the tests of heaplab's command line share. HEAPLAB in the environment names the program
(default: build/debug/heaplab)."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
HEAPLAB = pathlib.Path(os.environ.get("HEAPLAB", TREE / "build" / "debug" / "heaplab")).resolve()
HEAP_SEEDS = sorted((TREE / "corpus" / "heap" / "seed").glob("*.txt"))
BAD_TEXTS = sorted((TREE / "corpus" / "text" / "seed").glob("bad-*.txt"))

# The first script of docs/script.md, shortened, and its bytes there.
SCRIPT = """\
# Two blocks.
heap dwords=750 align=4 guard=3 slots=16 lowmem=0 start=0 locks=1 index=1
alloc s0 tag=0x1001 bytes=100
alloc s1 tag=0x1002 bytes=24
"""
SCRIPT_BYTES = bytes.fromhex("00ee0200 00000000011003640000 00000100021000180000")
# Bytes that look like a comment: a configuration with its alignment named in the other way.
LOOKS_LIKE_TEXT = b"# a crash input, and no text\n"


def setUpModule():
    if not os.access(HEAPLAB, os.X_OK):
        sys.exit(f"{HEAPLAB} is missing: `make build` builds it")


class CliTest(unittest.TestCase):
    """Each test has a folder of its own, which is the current one."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="test-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.write("good.txt", SCRIPT)
        self.write("good.bin", SCRIPT_BYTES)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name):
        return (self.folder / name).read_bytes()

    def call(self, *arguments, env=None, **options):
        """(exit status, standard output, standard error)"""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        done = subprocess.run(
            [HEAPLAB, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, timeout=30,
            env=os.environ | {"COLUMNS": "100"} | (env or {}), check=False, **options,
        )
        texts = [(text or b"").decode("utf-8", "replace") for text in (done.stdout, done.stderr)]
        return done.returncode, *texts

    def assert_output(self, wanted, *arguments, **options):
        self.assertEqual((0, wanted, ""), self.call(*arguments, **options), arguments)

    def everything(self):
        """All that could be overwritten."""
        return {
            path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
            for path in self.folder.rglob("*")
        }

    def assert_refused(self, *arguments, words=(), out="", **options):
        """Returns the one line."""
        before = self.everything()
        status, found, err = self.call(*arguments, **options)
        self.assertEqual((2, out), (status, found), (arguments, err))
        self.assertEqual(1, err.count("\n"), (arguments, err))
        self.assertTrue(err.endswith("\n"), err)
        self.assertRegex(err, "^heaplab( [a-z-]+)?: [^ ]")
        for word in words:
            self.assertIn(word, err, arguments)
        self.assertEqual(before, self.everything(), arguments)
        return err
