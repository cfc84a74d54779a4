# SPDX-License-Identifier: MIT
"""What the tests of recording share: the tools under test, traces, and how the tests are run."""

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import surroundings

surroundings.make_usual()

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
RECORD = ROOT / "scripts" / "record"
HEADER_BYTES = 65536


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


def check_equal(actual, expected, what):
    if actual != expected:
        raise Failed(f"{what}: found {actual!r}, expected {expected!r}")


class Bench:
    """The tools under test and a folder of their own for each test."""

    def __init__(self, build, folder):
        self.build = Path(build).resolve()
        self.library = self.build / "liblabrecord.so"
        self.converter = self.build / "labconvert"
        self.top = Path(folder)
        self.folder = self.top
        self.probe = self.top / "probe"
        self.early = self.top / "early.so"
        self.guest = self.top / "guest"
        self.compiler = os.environ.get("CC", "gcc").split()
        for source, out, *flags in (("record_probe.c", self.probe, "-pthread"),
                                    ("record_guest.c", self.guest, "-pthread"),
                                    ("record_early.c", self.early, "-shared", "-fPIC", "-ldl")):
            subprocess.run([*self.compiler, "-std=c11", "-O1", "-fno-builtin", HERE / source, "-o",
                            out, *flags], check=True)

    def path(self, name):
        return self.folder / name

    def call(self, command, **options):
        options.setdefault("timeout", 60)
        return subprocess.run([str(word) for word in command], capture_output=True, check=False,
                              **options)

    def record(self, *words, **options):
        return self.call([RECORD, "--build", self.build, *words], **options)

    def convert(self, *words):
        result = self.call([self.converter, *words])
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def dump(self, trace):
        status, text, error = self.convert("--dump", trace)
        check_equal((status, error), (0, ""), "dump")
        return [parse_record(line) for line in text.splitlines()]


# ---- traces ------------------------------------------------------------------------------------


def parse_record(line):
    """(thread, kind, size, align, old, result) of a line of the dump."""
    _, thread, kind, *fields = line.split()
    values = [field.split("=")[1] for field in fields]
    return (int(thread.split("=")[1]), kind, int(values[0]), int(values[1]), int(values[2], 0),
            int(values[3], 0))


def write_trace(path, records, count=None, stop=0, spoil=None):
    """records: (kind, size, result, old[, align_log2]). spoil: (offset, bytes) to overwrite."""
    data = struct.pack("=8sIIIiQQQ", b"LABTRACE", 2, 32, stop, 0, 1 << 20, 1 << 20,
                       len(records) if count is None else count).ljust(HEADER_BYTES, b"\0")
    for serial, (kind, size, result, old, *align) in enumerate(records):
        data += struct.pack("=BBHIQQQ", kind, align[0] if align else 0, 0, serial, size, result,
                            old)
    if spoil is not None:
        offset, replacement = spoil
        data = data[:offset] + replacement + data[offset + len(replacement):]
    path.write_bytes(data)


def ops_of(script):
    """The operations of a script, without the comments and the heap line."""
    lines = [line for line in script.splitlines() if not line.startswith("#")]
    check(lines and lines[0].startswith("heap "), "the first line that is no comment: heap ...")
    return lines[1:]


def fields_of(line):
    word, *rest = line.split()
    return word, {key: value for key, _, value in (item.partition("=") for item in rest)}


def check_lives(records):
    """No address is given out while it is live: nothing is missing, and the order is right."""
    live = set()
    for index, (_, kind, size, _, old, result) in enumerate(records):
        if kind == "free" or (kind == "realloc" and (result != 0 or size == 0)):
            check(old in live, f"record {index}: {kind} of {old:#x}, which is not live")
            live.discard(old)
        if result != 0:
            check(result not in live, f"record {index}: {kind} returned {result:#x}, live already")
            live.add(result)


def main(description, tests):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "debug"))
    parser.add_argument("name", nargs="?", default="")
    options = parser.parse_args()
    chosen = [test for test in tests if options.name in test.__name__]
    if not chosen:
        print(f"{Path(sys.argv[0]).name}: {options.name}: no such test", file=sys.stderr)
        return 2
    failures, begin = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="test-record-") as folder:
        bench = Bench(options.build, folder)
        for number, test in enumerate(chosen, 1):
            bench.folder = bench.top / test.__name__
            bench.folder.mkdir()
            try:
                test(bench)
                print(f"ok {number} - record: {test.__name__}")
            except (Failed, OSError, LookupError, ValueError, StopIteration,
                    subprocess.SubprocessError) as error:
                failures += 1
                print(f"not ok {number} - record: {test.__name__}")
                print(f"# {type(error).__name__}: {error}")
    print(f"1..{len(chosen)}")
    print(f"# {len(chosen) - failures} of {len(chosen)} passed in "
          f"{time.monotonic() - begin:.1f} s")
    return 1 if failures else 0
