#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of examples/wadcache on small WAD files, good and damaged: one line says what is wrong, and
nothing else is printed. Needs `make build/debug/examples/wadcache`.

  tests/scripts/test_wadcache.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = TREE / "build/debug/examples/wadcache"
ADVICE = "; name another file, or install this one again\n"

# A level with two things and one wall.
TEXTURE = struct.pack("<8siHHiH", b"WALL", 0, 64, 128, 0, 1) + struct.pack("<hhhhh", 0, 0, 0, 0, 0)
LUMPS = [
    (b"TEXTURE1", struct.pack("<ii", 1, 8) + TEXTURE),
    (b"PNAMES", struct.pack("<i8s", 1, b"PATCH")),
    (b"PATCH", b"p" * 500),
    (b"FLOOR", b"f" * 4096),
    (b"POSSA1", b"s" * 300),
    (b"DSPISTOL", b"d" * 900),
    (b"E1M1", b""),
    (b"THINGS", struct.pack("<hhhhh", 0, 0, 0, 1, 7) + struct.pack("<hhhhh", 9, 9, 0, 3004, 7)),
    (b"LINEDEFS", struct.pack("<HHHHHHH", 0, 1, 0, 0, 0, 0, 0xFFFF)),
    (b"SIDEDEFS", struct.pack("<hh8s8s8sh", 0, 0, b"-", b"-", b"WALL", 0)),
    (b"VERTEXES", struct.pack("<hhhh", 0, 0, 64, 0)),
    (b"SEGS", b""),
    (b"SSECTORS", b""),
    (b"NODES", b""),
    (b"SECTORS", struct.pack("<hh8s8shhh", 0, 128, b"FLOOR", b"FLOOR", 200, 0, 0)),
]


def wad(lumps=LUMPS, magic=b"IWAD", count=None, directory_at=None):
    data, entries = b"", b""
    for name, contents in lumps:
        entries += struct.pack("<ii8s", 12 + len(data), len(contents), name)
        data += contents
    at = 12 + len(data) if directory_at is None else directory_at
    return struct.pack("<4sii", magic, len(lumps) if count is None else count, at) + data + entries


def with_entry(number, at=None, size=None):
    """The good file with another place or size for a lump."""
    good = bytearray(wad())
    entry = len(good) - 16 * (len(LUMPS) - number)
    for offset, value in ((0, at), (4, size)):
        if value is not None:
            struct.pack_into("<i", good, entry + offset, value)
    return bytes(good)


def with_lump(name, contents):
    return wad([(n, contents if n == name else c) for n, c in LUMPS])


def setUpModule():
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing: `make {PROGRAM.relative_to(TREE)}` builds it")


class WadCache(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_wadcache-")
        self.addCleanup(scratch.cleanup)
        self.path = pathlib.Path(scratch.name, "a.wad")

    def run_on(self, data, *options):
        self.path.write_bytes(data)
        return subprocess.run([PROGRAM, *options, self.path], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    def refused(self, data, what, *options):
        done = self.run_on(data, *options)
        self.assertEqual((2, "", f"wadcache: {self.path}: {what}{ADVICE}"),
                         (done.returncode, done.stdout, done.stderr))

    def played(self, data, *words):
        done = self.run_on(data)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        for word in words:
            self.assertIn(word, done.stdout)

    def test_a_good_file_is_played(self):
        self.played(wad(), "level E1M1, 1 stops, 8 accesses, SIEVE", "hits 4, misses 4 (50.00 %",
                    "after compaction")
        self.played(wad(magic=b"PWAD"), "1 stops")

    def test_headers(self):
        size = len(wad())
        for length in (0, 3, 11):
            self.refused(wad()[:length], "is shorter than a WAD's header, 12 bytes")
        self.refused(wad(magic=b"ZWAD"), "does not begin with IWAD or PWAD")
        self.refused(wad(count=0), "the header counts 0 lumps")
        self.refused(wad(count=-3), "the header counts -3 lumps")
        for at in (-16, 0, 11, size - 16 * len(LUMPS) + 1, size, 2 ** 31 - 1):
            self.refused(wad(directory_at=at), f"the directory of {len(LUMPS)} lumps at byte {at} is "
                         f"not in the file, which ends at {size}")
        self.refused(wad(count=2 ** 31 - 1), f"the directory of {2 ** 31 - 1} lumps at byte "
                     f"{size - 16 * len(LUMPS)} is not in the file, which ends at {size}")
        self.refused(wad()[:-1], f"the directory of {len(LUMPS)} lumps at byte "
                     f"{size - 16 * len(LUMPS)} is not in the file, which ends at {size - 1}")

    def test_lumps(self):
        size = len(wad())
        self.refused(with_entry(3, at=size - 4095), f"lump 3 (FLOOR) ends at byte {size + 1}, the "
                     f"file at {size}")
        self.refused(with_entry(3, size=2 ** 31 - 1), self.end_of(3, 2 ** 31 - 1, size))
        self.refused(with_entry(3, size=-1), f"lump 3 (FLOOR) has -1 bytes at {self.at_of(3)}: "
                     "numbers below 0")
        self.refused(with_entry(2, at=-7), "lump 2 (PATCH) has 500 bytes at -7: numbers below 0")
        self.played(with_entry(6, at=-1))  # a mark may say any place
        self.played(with_entry(3, at=size - 4096))

    def at_of(self, number):
        return 12 + sum(len(contents) for _, contents in LUMPS[:number])

    def end_of(self, number, size, file_size):
        return (f"lump {number} ({LUMPS[number][0].decode()}) ends at byte "
                f"{self.at_of(number) + size}, the file at {file_size}")

    def test_levels(self):
        what = "the level {}, TEXTURE1 or PNAMES is missing, empty, or too large for the heap"
        self.refused(wad(), what.format("E9M9"), "--level", "E9M9")
        for name in (b"THINGS", b"LINEDEFS", b"SIDEDEFS", b"VERTEXES", b"SECTORS", b"TEXTURE1",
                     b"PNAMES"):
            self.refused(with_lump(name, b""), what.format("E1M1"))
            self.refused(wad([lump for lump in LUMPS if lump[0] != name]), what.format("E1M1"))
        self.refused(with_lump(b"VERTEXES", b"v" * 299900), what.format("E1M1"))
        self.refused(wad(LUMPS[:8]), what.format("E1M1"))

    def test_nonsense_in_a_level_is_passed_over(self):
        nonsense = b"\xff" * 420
        for name in (b"THINGS", b"LINEDEFS", b"SIDEDEFS", b"VERTEXES", b"SECTORS", b"TEXTURE1",
                     b"PNAMES"):
            with self.subTest(name=name):
                self.played(with_lump(name, nonsense))
        for length in range(1, 47):
            self.played(with_lump(b"TEXTURE1", LUMPS[0][1][:length]))
        self.played(with_lump(b"PATCH", b"p" * 310000), "too large")

    def test_bad_calls(self):
        for options in (["--what"], ["--level"], ["--bytes", "9999"], ["--bytes", "x"],
                        ["--script", "out"], ["one", "two"]):
            done = subprocess.run([PROGRAM, *options], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
            self.assertEqual((2, ""), (done.returncode, done.stdout))
            self.assertRegex(done.stderr, r"^wadcache: .*\n$")
        done = subprocess.run([PROGRAM, "/none.wad"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual((2, f"wadcache: /none.wad: cannot be opened{ADVICE}"),
                         (done.returncode, done.stderr))

    def test_what_it_writes(self):
        trace, script = self.path.with_name("trace"), self.path.with_name("script")
        self.assertEqual(0, self.run_on(wad(), "--trace", trace, "--script", script,
                                        "7").returncode)
        lines = trace.read_text().splitlines()
        self.assertEqual(8, len(lines))
        self.assertEqual("2 500 PATCH", lines[0])
        text = script.read_text()
        self.assertEqual(7, text.count("alloc "))
        played = subprocess.run([TREE / "build/debug/heaplab", "run", script],
                                stdout=subprocess.PIPE, text=True)
        self.assertEqual(0, played.returncode, played.stdout)


class FreshClone(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_wadcache-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def test_a_package_that_is_there_is_found(self):
        if not pathlib.Path("/usr/share/games/doom/freedoom1.wad").exists():
            self.skipTest("the freedoom package is not installed")
        stub = self.folder / "apt-get"
        stub.write_text("#!/bin/sh\nexit 1\n")
        stub.chmod(0o755)
        ended = subprocess.run([TREE / "scripts/bootstrap", "wad"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False,
                               env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.assertEqual((0, b""), (ended.returncode, ended.stdout))

    def test_the_file_may_have_any_name(self):
        scripts = self.folder / "scripts"
        program = self.folder / "build/release/examples/wadcache"
        shutil.copytree(TREE / "scripts/common_lib", scripts / "common_lib")
        program.parent.mkdir(parents=True)
        program.symlink_to(PROGRAM)
        (scripts / "wadcache").write_bytes((TREE / "scripts/wadcache").read_bytes())
        path = os.path.join(os.fsencode(self.folder), b"\xff.wad")
        pathlib.Path(os.fsdecode(path)).write_bytes(wad())
        ended = subprocess.run([sys.executable, scripts / "wadcache", "--wad", path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((0, b""), (ended.returncode, ended.stderr))
        self.assertIn(b"\xff.wad: level E1M1", ended.stdout)


if __name__ == "__main__":
    unittest.main()
