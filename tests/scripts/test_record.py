#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the recorder, the converter and scripts/record.

    tests/scripts/test_record.py [--build DIR] [NAME]     only the tests whose names contain NAME

DIR holds liblabrecord.so and labconvert. CC names the compiler for the probe programs.
"""

import sys

sys.dont_write_bytecode = True

import heapq
import os
import re
import shutil
import signal
import struct

from record_bench import (
    HEADER_BYTES, ROOT, check, check_equal, check_lives, fields_of, main, ops_of, write_trace)

MALLOC, CALLOC, ALIGNED, REALLOC, FREE = 1, 2, 3, 4, 5
SLOT_CHOICES = [8, 16, 64, 256, 1024, 4096, 16384, 65536]


def plain_lines(records, slots, largest=65536):
    """What the converter has to make of a whole trace with no epochs and no compaction: written
    down a second time, with a heap of free slots. Tags are left out."""
    lines, slot_of, free = [], {}, list(range(slots))
    for _, kind, size, align, old, result in records:
        if kind in ("malloc", "calloc", "aligned"):
            if result != 0 and size <= largest:
                slot = slot_of[result] = heapq.heappop(free)
                special = f" align={align}" if align > 4 else ""
                word = "aligned" if special else "alloc"
                lines.append(f"{word} s{slot} bytes={max(size, 1)}{special}")
        elif old in slot_of and (kind == "free" or result != 0 or size == 0):
            slot = slot_of.pop(old)
            if result != 0:
                slot_of[result] = slot
                if size <= largest:
                    lines.append(f"resize s{slot} bytes={max(size, 1)}")
            else:
                lines.append(f"free s{slot}" if kind == "free" else f"resize s{slot} bytes=0")
                heapq.heappush(free, slot)
    return lines


def without_tags(lines):
    return [" ".join(word for word in line.split() if not word.startswith("tag="))
            for line in lines]


def check_slots(lines):
    """Every operation finds its slot as it needs it; returns how often each word was used."""
    tags, counts = {}, {}
    for number, line in enumerate(lines):
        word, fields = fields_of(line)
        counts[word] = counts.get(word, 0) + 1
        slot = next((key for key in fields if key[0] == "s" and key[1:].isdigit()), None)
        if word in ("alloc", "aligned"):
            check(slot not in tags, f"operation {number}, {line}: the slot is live")
            tags[slot] = int(fields["tag"], 0)
        elif word in ("resize", "free"):
            check(slot in tags, f"operation {number}, {line}: the slot is empty")
            if word == "free" or fields["bytes"] == "0":
                del tags[slot]
        elif word == "freetags":
            low, high = (int(bound, 0) for bound in next(iter(fields)).split(".."))
            freed = [key for key, tag in tags.items() if low <= tag <= high]
            check(freed, f"operation {number}, {line}: frees nothing")
            for key in freed:
                del tags[key]
    return counts


# ---- the recorder ------------------------------------------------------------------------------


def between_marks(records, number):
    """The records of one thread of the probe between its two marks."""
    begin, end = 0xA100 + number, 0xA200 + number
    thread = next(r[0] for r in records if r[1] == "malloc" and r[2] == begin)
    own = [r for r in records if r[0] == thread]
    first = next(i for i, r in enumerate(own) if r[2] == begin)
    last = next(i for i, r in enumerate(own) if r[2] == end)
    check_equal(own[first + 1][1], "free", "the mark is freed")
    return [r[1:] for r in own[first + 2:last]]


def check_probe(bench, ending, *command):
    """Runs the probe under the recorder and compares the trace with its log, call for call."""
    result = bench.record("-q", "-f", "-o", bench.path("out.txt"), "--keep-trace",
                          bench.path("trace"), *command, bench.probe, bench.path("log"), ending)
    records = bench.dump(bench.path("trace"))
    logs = {}
    for line in bench.path("log").read_text().splitlines():
        thread, kind, *numbers = line.split()
        logs.setdefault(int(thread), []).append((kind, *(int(n, 0) for n in numbers)))
    check_equal(sorted(logs), [0, 1, 2, 3, 4], "threads in the log")
    for number, log in logs.items():
        recorded = between_marks(records, number)
        for index, (found, expected) in enumerate(zip(recorded, log)):
            check_equal(found, expected, f"thread {number}, call {index}")
        check_equal(len(recorded), len(log), f"calls of thread {number}")
    check_lives(records)
    check(all(r[2] != 0xA300 for r in records), "a forked child is not recorded")
    return result.returncode, result.stderr


def records_every_call(bench):
    check_equal(check_probe(bench, "7"), (7, b""), "status and stderr")


def records_up_to_quick_exit(bench):
    check_equal(check_probe(bench, "quick"), (0, b""), "status and stderr")


def records_up_to_kill(bench):
    check_equal(check_probe(bench, "kill")[0], 128 + signal.SIGKILL, "status")


def records_the_program_after_exec(bench):
    status = check_probe(bench, "3", "sh", "-c", 'exec "$@"', "sh")[0]
    check_equal(status, 3, "status")


def survives_a_dlsym_that_allocates(bench):
    check_equal(bench.convert("--create", "1000000", bench.path("trace")), (0, "", ""), "create")
    name = '"$$:$(stat -L -c %i /proc/self/ns/pid)"'
    for library in (bench.library, bench.early):  # LD_PRELOAD cannot name a folder with a space
        bench.path(library.name).symlink_to(library)
    result = bench.call(["sh", "-c", f"export LAB_RECORD_PROCESS={name} LD_PRELOAD=$1; shift; "
                         'exec "$@"', "sh", f"./{bench.library.name}:./{bench.early.name}",
                         bench.probe, bench.path("log"), "0"], cwd=bench.folder,
                        env=dict(os.environ, LAB_RECORD_FILE=str(bench.path("trace"))))
    check_equal((result.returncode, result.stderr), (0, b""), "status and stderr")
    check_lives(bench.dump(bench.path("trace")))


def grows_the_trace(bench):
    """More records than one chunk of the trace holds."""
    program = "my $s = ''; for my $i (1 .. 70000) { my @a = ($i, \"x$i\"); $k{$i} = [@a]; }"
    result = bench.record("-q", "-o", bench.path("out.txt"), "--keep-trace", bench.path("trace"),
                          "perl", "-e", program)
    check_equal((result.returncode, result.stderr), (0, b""), "status and stderr")
    records = bench.dump(bench.path("trace"))
    check(len(records) > 2 * 131072, f"only {len(records)} records")
    check_lives(records)


def stops_at_the_limit(bench):
    result = bench.record("-o", bench.path("out.txt"), "--limit", "50", "--keep-trace",
                          bench.path("trace"), "ls", "-l", "/usr/lib")
    check_equal(result.returncode, 0, "status")
    check_equal(len(bench.dump(bench.path("trace"))), 50, "records")
    check("50 recorded, stopped at the limit" in bench.path("out.txt").read_text(), "comment")


# ---- real programs -----------------------------------------------------------------------------


PROGRAMS = [
    (["ls", "-l", "/usr/lib"], b""),
    (["perl", "-e", "while (<STDIN>) { print STDERR scalar reverse; print uc } exit 9"],
     b"one\ntwo\n"),
    (["sqlite3", ":memory:"],
     b"create table t(a, b); insert into t values (1, 'x'), (2, 'y'); select * from t;"
     b"select no_such_thing;"),
    (["/usr/bin/python3", "-S", "-c", "import sys, re; print(re.sub('a', 'b', 'banana')); "
      "sys.stderr.write('!'); sys.exit(4)"], b""),
    (["sh", "-c", "cat; echo $0 >&2; kill -TERM $$"], b"piped\n"),
]


def leaves_programs_unchanged(bench):
    for command, given in PROGRAMS:
        if shutil.which(command[0]) is None:
            continue
        plain = bench.call(command, input=given)
        expected = plain.returncode if plain.returncode >= 0 else 128 - plain.returncode
        recorded = bench.record("-q", "-f", "-o", bench.path("out.txt"), "--keep-trace",
                                bench.path("trace"), *command, input=given)
        check_equal((recorded.returncode, recorded.stdout, recorded.stderr),
                    (expected, plain.stdout, plain.stderr), command[0])
        check_lives(bench.dump(bench.path("trace")))
        # A shell in an almost empty environment allocates no more than that.
        check(check_slots(ops_of(bench.path("out.txt").read_text()))["alloc"] > 10, command[0])


def converts_real_programs_exactly(bench):
    for command, given in PROGRAMS:
        if shutil.which(command[0]) is None:
            continue
        bench.record("-q", "-f", "-o", bench.path("out.txt"), "--keep-trace", bench.path("trace"),
                     *command, input=given)
        records = bench.dump(bench.path("trace"))
        status, script, error = bench.convert(bench.path("trace"), "--ops", "1000000", "--epoch",
                                              "0", "--compact", "0", "--dwords", "75000")
        check_equal((status, error), (0, ""), command[0])
        expected = plain_lines(records, 65536)
        lines = without_tags(ops_of(script))
        for number, (found, wanted) in enumerate(zip(lines, expected)):
            check_equal(found, wanted, f"{command[0]}, operation {number}")
        check_equal(len(lines), len(expected), command[0])


# ---- the converter -----------------------------------------------------------------------------


def converts_a_known_trace(bench):
    write_trace(bench.path("trace"), [
        (MALLOC, 100, 0x1000, 0), (CALLOC, 0, 0x2000, 0), (ALIGNED, 64, 0x3000, 0, 6),
        (FREE, 0, 0, 0x2000), (MALLOC, 40, 0x2000, 0), (REALLOC, 900, 0x4000, 0x1000),
        (MALLOC, 8, 0x1000, 0), (REALLOC, 0, 0, 0x4000), (MALLOC, 1 << 20, 0x5000, 0),
        (FREE, 0, 0, 0x5000), (MALLOC, 1 << 40, 0, 0), (REALLOC, 1 << 41, 0, 0x1000),
        (REALLOC, 65537, 0x1000, 0x1000), (FREE, 0, 0, 0x9990), (MALLOC, 4, 0x4000, 0)])
    status, script, error = bench.convert(bench.path("trace"), "--label", "known\ntrace")
    check_equal((status, error), (0, ""), "status and stderr")
    check_equal(script.splitlines(), [
        "# known?trace",
        "# operations: 15 recorded; window 0:15",
        "# kept: 6 allocations, 1 resizes, 2 frees; 0 blocks freed by tag",
        "# put in: 0 blocks from before the window, 0 compactions, 0 freetags",
        "# dropped: 3 operations on requests over 65536 bytes",
        "# in the whole trace: 2 failed requests, 1 blocks from before the recording, "
        "0 frees not seen",
        "# choices: long-lived beyond 4 operations, epochs of 64, compaction every 250",
        "# peak: 277 dwords in 4 blocks",
        "heap dwords=384 align=4 guard=3 slots=8 lowmem=0 start=0 locks=1 index=1",
        "alloc s0 tag=0x4006 bytes=100",
        "alloc s1 tag=0x1000 bytes=1",
        "aligned s2 tag=0x4006 bytes=64 align=64",
        "free s1",
        "alloc s1 tag=0x4005 bytes=40",
        "resize s0 bytes=900",
        "alloc s3 tag=0x4003 bytes=8",
        "resize s0 bytes=0",
        "alloc s0 tag=0x4002 bytes=4"], "script")


def follows_lost_frees(bench):
    write_trace(bench.path("trace"), [
        (MALLOC, 10, 0x1000, 0), (MALLOC, 20, 0x1000, 0), (MALLOC, 30, 0x2000, 0),
        (REALLOC, 40, 0x1000, 0x2000), (REALLOC, 50, 0x3000, 0x7770), (FREE, 0, 0, 0x1000)])
    _, script, _ = bench.convert(bench.path("trace"), "--epoch", "0")
    check_equal(without_tags(ops_of(script)), [
        "alloc s0 bytes=10", "free s0", "alloc s0 bytes=20", "alloc s1 bytes=30", "free s0",
        "resize s1 bytes=40", "alloc s0 bytes=50", "free s1"], "script")
    check("1 blocks from before the recording, 2 frees not seen" in script, "comment")


def cuts_a_window(bench):
    """Blocks from before the window: those it touches, and a spread of the others."""
    records = [(MALLOC, 10 + i, 0x1000 * (i + 1), 0) for i in range(10)]
    records += [(REALLOC, 77, 0x3000, 0x3000), (FREE, 0, 0, 0x1000)]
    records += [(MALLOC, 200, 0x1000, 0), (REALLOC, 99, 0x3000, 0x3000), (FREE, 0, 0, 0x5000),
                (FREE, 0, 0, 0x1000), (FREE, 0, 0, 0x2000)]
    write_trace(bench.path("trace"), records)
    _, script, _ = bench.convert(bench.path("trace"), "--window", "12:4", "--carry", "2")
    check_equal(ops_of(script), [
        "alloc s0 tag=0x4006 bytes=77", "alloc s1 tag=0x0fff bytes=14",
        "alloc s2 tag=0x4004 bytes=16", "alloc s3 tag=0x4004 bytes=19",
        "alloc s4 tag=0x4007 bytes=200", "resize s0 bytes=99", "free s1", "free s4"], "script")
    check("window 12:4" in script and "left out: 5 blocks" in script, "comments")


def divides_sizes_that_do_not_fit(bench):
    write_trace(bench.path("trace"), [(MALLOC, 60000, 0x10000 * i, 0) for i in range(1, 33)])
    _, script, _ = bench.convert(bench.path("trace"))
    check("# sizes: divided by 8" in script, "comment")
    _, heap = fields_of(next(line for line in script.splitlines() if line.startswith("heap")))
    check(32 * (6 + 60000 // 8 // 4) * 5 // 4 < int(heap["dwords"]) <= 131083, heap["dwords"])
    check(all("bytes=7500" in line for line in ops_of(script)), "sizes")
    _, script, _ = bench.convert(bench.path("trace"), "--dwords", "1000")
    check("bytes=60000" in script, "given region")
    check("# the region is too small: 32 of 32 operations do nothing" in script, script[:900])


def replay(bench, script):
    """How many operations the script has, and how many of them do nothing, by the runner and its
    model: those without room, and those that then find no block."""
    bench.path("replay.txt").write_text(script)
    result = bench.call([bench.build / "heaplab", "run", "-v", bench.path("replay.txt")])
    check_equal(result.returncode, 0, result.stdout)
    found = re.search(r"passed, (\d+) operations, (\d+) acted, \d+ moves(?:, (\d+) found no room)?",
                      result.stdout.decode())
    ops, acted, without = (int(number or 0) for number in found.groups())
    return ops, ops - acted + without


def aligned_trace(path, count, size=24, log=12, grown=24):
    """As of a program that takes small blocks by posix_memalign: most of the memory is gaps."""
    records = []
    for i in range(count):
        records.append((ALIGNED, size, 0x10000 * (i + 1), 0, log))
        records.append((MALLOC, size, 0x10000 * (i + 1) + 0x100, 0))
        if i % 3 == 2:
            records.append((FREE, 0, 0, 0x10000 * (i - 1)))
            records.append((REALLOC, grown, *[0x10000 * (i - 1) + 0x100] * 2))
    write_trace(path, records)


def makes_room_for_alignment_gaps(bench):
    """Every operation of the script does what it did, in a region that is not much larger."""
    for options in ([], ["--align", "16"], ["--epoch", "0", "--compact", "0"], ["--low-memory"]):
        aligned_trace(bench.path("trace"), 60, grown=2000)
        status, script, error = bench.convert(bench.path("trace"), *options)
        check_equal((status, error), (0, ""), "status and stderr")
        ops, idle = replay(bench, script)
        check(ops >= 140 and idle == 0, f"{options}: {idle} of {ops} operations do nothing")
        check("do nothing" not in script and "divided" not in script, script[:900])
        _, heap = fields_of(next(line for line in script.splitlines() if line.startswith("heap")))
        check(int(heap["dwords"]) < 1.3 * (40 * 1024 + 20 * 500), f"{options}: {heap['dwords']} dwords")
        small = str(int(heap["dwords"]) // 2)
        _, script, _ = bench.convert(bench.path("trace"), *options, "--dwords", small)
        ops, idle = replay(bench, script)
        check(idle > 0, f"{options}: half of the region is enough")
        check(f"# the region is too small: {idle} of {ops} operations do nothing\n" in script,
              f"{options}: {idle} of {ops}, {script[:900]}")


def divides_sizes_for_gaps(bench):
    """The blocks fit the largest region, but not the gaps between them; and then both do not."""
    for count, size in ((300, 24), (20, 24000)):
        aligned_trace(bench.path("trace"), count, size)
        _, script, _ = bench.convert(bench.path("trace"))
        check_equal(replay(bench, script)[1], 0, "idle operations")
        divisor = int(re.search(r"# sizes: divided by (\d+) ", script)[1])
        check(1 < divisor <= 4 and f" bytes={size // divisor} align={4096 // divisor}" in script,
              script[:900])
        check(f"# kept: {2 * count} allocations, " in script, script[:900])
        check(ops_of(script)[0].startswith("aligned s0 tag=0x1000 "),
              f"begins as if it were the first attempt: {ops_of(script)[:3]}")


def begins_anew_with_other_sizes(bench):
    """Nothing of the first attempt, with sizes that did not fit, is left in the second."""
    write_trace(bench.path("trace"), [(ALIGNED, 24, 0x1000 * i, 0, 12) for i in range(1, 201)])
    _, script, _ = bench.convert(bench.path("trace"))
    check("divided by 2 " in script, script[:900])
    check_equal([line.split()[1] for line in ops_of(script)[:200]],
                [f"s{i}" for i in range(200)], "slots")


def counts_resizes_without_room(bench):
    write_trace(bench.path("trace"), [(MALLOC, 100, 0x1000, 0), (REALLOC, 60000, 0x2000, 0x1000),
                                      (REALLOC, 80, 0x2000, 0x2000), (FREE, 0, 0, 0x2000)])
    _, script, _ = bench.convert(bench.path("trace"), "--dwords", "1000")
    check_equal(replay(bench, script), (4, 1), "by the runner")
    check("# the region is too small: 1 of 4 operations do nothing" in script, script[:900])
    check_equal(replay(bench, bench.convert(bench.path("trace"))[1]), (4, 0), "our own region")


def counts_beyond_32_bits(bench):
    """Traces above 4 GiB, and blocks that sum up to more than 4 Gi dwords."""
    records = (1 << 27) + 5
    check_equal(bench.convert("--create", str(records), bench.path("long")), (0, "", ""), "create")
    check(bench.path("long").stat().st_size >= HEADER_BYTES + 32 * records, "length")
    with open(bench.path("long"), "rb") as file:
        header = bytearray(file.read(48))
    check_equal(struct.unpack("=8sIIIiQQQ", header)[5], records, "limit")
    struct.pack_into("=Q", header, 40, records)
    with open(bench.path("long"), "r+b") as file:
        file.write(header)
    check_equal(bench.convert("--cut", bench.path("long")), (0, f"{records}\n\n", ""), "cut")
    check_equal(bench.path("long").stat().st_size, HEADER_BYTES + 32 * records, "cut length")
    os.truncate(bench.path("long"), HEADER_BYTES + 32 * records - 1)
    check("truncated" in bench.convert(bench.path("long"))[2], "a byte less")
    bench.path("long").unlink()
    write_trace(bench.path("trace"), [(MALLOC, (1 << 24) - 1, i << 24, 0) for i in range(1, 1101)] +
                [(MALLOC, (1 << 32) + 8, 1 << 40, 0)])
    _, script, _ = bench.convert(bench.path("trace"), "--max-size", "16777215", "--ops", "2000")
    check_equal(replay(bench, script)[1], 0, "idle operations")
    check("# sizes: divided by 65536" in script and "# dropped: 1 op" in script, script[:900])
    _, script, _ = bench.convert(bench.path("trace"), "--max-size", "16777215", "--ops", "2000",
                                 "--dwords", "1000")
    ops, idle = replay(bench, script)
    check(idle == 1100 and f"1100 of {ops} operations do nothing" in script, script[:900])


def limits_the_slots(bench):
    write_trace(bench.path("trace"), [(MALLOC, 16, 0x100 * i, 0) for i in range(1, 12)] +
                [(FREE, 0, 0, 0xa00), (FREE, 0, 0, 0x100), (MALLOC, 24, 0x100, 0)])
    _, script, _ = bench.convert(bench.path("trace"), "--slots", "8")
    check("# dropped: 4 operations for want of a slot" in script, "comment")
    check_equal(without_tags(ops_of(script))[-2:], ["free s0", "alloc s0 bytes=24"], "end")
    for choice in SLOT_CHOICES[:3]:
        write_trace(bench.path("trace"), [(MALLOC, 4, 0x100 * i, 0) for i in range(1, choice + 1)])
        check(f"slots={choice} " in bench.convert(bench.path("trace"))[1], f"{choice} blocks")


def frees_epochs_and_compacts(bench):
    """A long run of short lives: the tags of two epochs are used up, the slots stay right."""
    records, address = [], 0x1000
    for i in range(900):
        records.append((MALLOC, 16 + i % 50, address + 0x100 * i, 0))
        if i >= 70:
            records.append((FREE, 0, 0, address + 0x100 * (i - 70)))
    write_trace(bench.path("trace"), records)
    _, script, _ = bench.convert(bench.path("trace"), "--ops", "2000")
    counts = check_slots(ops_of(script))
    check(counts["freetags"] >= 5, counts)
    first = next(i for i, line in enumerate(ops_of(script)) if line.startswith("freetags"))
    check_equal((first, ops_of(script)[first]), (128, "freetags 0x1000..0x1000"), "first freetags")
    check_equal(counts["compact"], 6, "compactions")
    check(any(line.startswith("compact budget=") for line in script.splitlines()), "budgets")
    check(counts["free"] < 830 and counts["alloc"] == 900, counts)
    status, again, _ = bench.convert(bench.path("trace"), "--ops", "2000")
    check_equal((status, again), (0, script), "the same trace gives the same script")


# ---- bad input ---------------------------------------------------------------------------------


def refuses_bad_traces(bench):
    good = [(MALLOC, 10, 0x1000, 0), (FREE, 0, 0, 0x1000)]
    trace = bench.path("trace")
    for what, options in [("empty", {"records": []}),
                          ("truncated", {"records": good, "count": 3}),
                          ("damaged", {"records": good, "spoil": (HEADER_BYTES, b"\x09")}),
                          ("damaged", {"records": good, "spoil": (HEADER_BYTES + 32 + 4, b"\x07")}),
                          ("not a trace", {"records": good, "spoil": (0, b"X")}),
                          ("another version", {"records": good, "spoil": (8, b"\x01")})]:
        write_trace(trace, **options)
        status, text, error = bench.convert(trace, "-o", bench.path("never.txt"))
        check_equal((status, text, error.count("\n")), (2, "", 1), what)
        check(what in error and str(trace) in error, f"{what}: {error}")
    trace.write_bytes(b"LABTRACE")
    check("too short" in bench.convert(trace)[2], "short file")
    check("No such file" in bench.convert(bench.path("missing"))[2], "missing file")
    write_trace(trace, good)
    for options in (["--window", "2:5"], ["--window", "5"], ["--ops", "0"], ["--slots", "9"],
                    ["--align", "5"], ["--what", "1"], ["--ops"], ["--dwords", "-1"], ["x"]):
        status, text, error = bench.convert(trace, *options)
        check_equal((status, text, error.count("\n")), (2, "", 1), options)
    check(not bench.path("never.txt").exists(), "nothing is written")
    bench.path("mine.txt").write_text("mine")
    status, _, error = bench.convert(trace, "-o", bench.path("mine.txt"))
    check_equal((status, error.count("\n"), bench.path("mine.txt").read_text()), (2, 1, "mine"),
                "existing file")
    check_equal(bench.convert(trace, "-f", "-o", bench.path("mine.txt")), (0, "", ""), "-f")
    check("alloc s0" in bench.path("mine.txt").read_text(), "-f replaces")


def refuses_bad_commands(bench):
    out = bench.path("out.txt")
    out.write_text("mine")
    for what, words in [("exists", ["-o", out, "ls"]),
                        ("no such program", ["no-such-program-here"]),
                        ("no such folder", ["-o", bench.path("no/where"), "ls"]),
                        ("--ops", ["-f", "-o", out, "--ops", "many", "ls"]),
                        ("--limit", ["--limit", "0", "ls"]),
                        ("unrecognized", ["--nonsense", "ls"]),
                        ("missing", ["--build", bench.path("no"), "ls"]),
                        ("no trace", ["-f", "-o", out, "/sbin/ldconfig", "-p"])]:
        result = bench.record(*words, cwd=bench.folder)
        check_equal((result.returncode, result.stderr.count(b"\n")), (2, 1), what)
        check(what.encode() in result.stderr, f"{what}: {result.stderr}")
    check_equal(out.read_text(), "mine", "nothing is overwritten")
    check_equal(bench.record("-q", "-f", "-o", out, "echo").returncode, 0, "-f replaces")
    check(out.read_text().startswith("# recorded run of: echo ("), "replaced")


def says_how_its_tools_are_built(bench):
    """The command in the hint builds them, and whoever reads of record has read of it before."""
    result = bench.record("--build", bench.path("no"), "ls", cwd=bench.folder)
    hint = re.search(rb"liblabrecord.so is missing: run (make \S+), or ", result.stderr)
    check(hint, result.stderr)
    command = hint[1].decode()
    dry = bench.call([*command.split(), "-B", "-n", "-C", ROOT])
    check_equal(dry.returncode, 0, dry.stderr)
    for tool in ("liblabrecord.so", "labconvert"):
        check(f"-o build/debug/{tool}" in dry.stdout.decode(), f"{command} makes {tool}")
    for page in ("README.md", "docs/recording.md"):
        text = (ROOT / page).read_text()
        first = re.search(r"^ *scripts/record ", text, re.MULTILINE)
        check(command in text[:first.start()], f"{page}: {command} before the first use")


def keeps_paths_out_of_the_script(bench):
    secret = bench.path("secret-folder") / "my secrets"
    secret.mkdir(parents=True)
    (secret / "input.txt").write_text("x")
    bench.record("-q", "-o", bench.path("out.txt"), "cat", secret / "input.txt",
                 f"--show-all={secret}/input.txt", "../up/here", "s/a/b/")
    text = bench.path("out.txt").read_text()
    check("secret" not in text and "tmp" not in text and "up/" not in text, text[:200])
    check("cat input.txt --show-all=input.txt here s/a/b/" in text, text[:200])


TESTS = [says_how_its_tools_are_built, records_every_call, records_up_to_quick_exit,
         records_up_to_kill,
         records_the_program_after_exec, survives_a_dlsym_that_allocates, grows_the_trace,
         stops_at_the_limit, leaves_programs_unchanged, converts_real_programs_exactly,
         converts_a_known_trace, follows_lost_frees, cuts_a_window,
         divides_sizes_that_do_not_fit, makes_room_for_alignment_gaps, divides_sizes_for_gaps,
         begins_anew_with_other_sizes, counts_resizes_without_room, counts_beyond_32_bits,
         limits_the_slots, frees_epochs_and_compacts,
         refuses_bad_traces, refuses_bad_commands, keeps_paths_out_of_the_script]


if __name__ == "__main__":
    sys.exit(main(__doc__, TESTS))
