#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of `heaplab minimize` and `heaplab to-c` on libraries with planted mistakes: long random
scripts that fail are shrunk, and what is left fails in the same way, as a C program too. Needs
build/debug (`make build`). Takes less than a minute:

  tests/scripts/test_to_c.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import functools
import os
import pathlib
import pty
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import unittest
from unittest import mock

import surroundings

surroundings.make_usual()

from concurrent.futures import ThreadPoolExecutor

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = TREE / "build" / "debug"
LIBRARIES = [BUILD / "libtagheap-study.a", BUILD / "libtagheap.a"]
FLAGS = ["-std=c11", "-O1", "-g", "-DTH_GUARD=3", "-DTH_ASSERTS=1"]
# One mistake of fuzz/bugs each, all in .c files.
PATCHES = ("attack-late", "blocks", "callback", "contents-overlap", "result", "stats", "low-memory")
SCRIPTS_OF_EACH = 5
LAYOUTS = ("classic", "wide", "lean", "auto")
OPS, OPS_MAX_MEDIAN, SECONDS_MAX = 600, 8, 5.0

# Mistakes that end the process or never come to an end: they are in the call that is linked in
# place of th_heap_trim, so that nothing depends on what src/ looks like.
ENDS = {
    "assertion": '(void)(mistake && (th_assert_failed("src/heap/trim.c", 7, "mistake"), 1));',
    "signal": "if (mistake) { __builtin_trap(); }",
    "hang": "while (mistake) { }",
}
TRIM = """
#include <stddef.h>
#include <stdlib.h>
#include "base/assert.h"
#include "tagheap/heap.h"
size_t __real_th_heap_trim(th_heap *heap, void *pointer);
size_t __wrap_th_heap_trim(th_heap *heap, void *pointer);
size_t __wrap_th_heap_trim(th_heap *heap, void *pointer) {
    volatile int mistake = pointer != NULL && heap->head_blocks > 2;
    %s
    return __real_th_heap_trim(heap, pointer);
}
"""
WRAP = "-Wl,--wrap=th_heap_trim"

SCRATCH = None
KINDS = {
    "alloc": 30, "aligned": 5, "resize": 15, "trim": 6, "free": 24, "freetags": 1, "compact": 2,
    "compact-some": 5, "copy": 1, "find": 3, "null": 1, "attack": 6,
}
ATTACKS = ("canary", "header", "below", "above", "beyond", "poison", "counts", "pointer")


def random_script(seed):
    """Text of OPS operations on a heap of any kind."""
    r = random.Random(seed)
    layout = LAYOUTS[seed % len(LAYOUTS)]
    slots = r.choice((8, 16, 64))
    used = min(slots, r.choice((6, 12, 40)))

    def tag():
        return r.choice((0x1000, 0x2000, 0x4000, 0x5000, 0)) + r.randrange(8)

    def size():
        return r.choice((r.randrange(1, 64), r.randrange(1, 256), r.randrange(2000)))

    def compaction(budget):
        veto = r.randrange(256) & r.randrange(256)
        return f"compact{budget} veto=0x{veto:02x}" + (" reenter" if r.random() < 0.3 else "")

    lines = [
        f"heap dwords={r.choice((300, 750, 1000, 4000, 20000))} align={r.choice((4, 8, 16))} "
        f"guard={r.randrange(4) if layout != 'lean' else 0} slots={slots} "
        f"lowmem={r.randrange(2)} skew={r.randrange(16)} layout={layout}"
    ]
    for kind in r.choices(list(KINDS), list(KINDS.values()), k=OPS):
        slot, low = f"s{r.randrange(used)}", tag()
        lines.append({
            "alloc": f"alloc {slot} tag=0x{low:04x} bytes={size()}",
            "aligned": f"aligned {slot} tag=0x{low:04x} bytes={size()} align={4 << r.randrange(7)}",
            "resize": f"resize {slot} bytes={size()}",
            "trim": f"trim {slot}",
            "free": f"free {slot}",
            "freetags": f"freetags 0x{low:04x}..0x{low + r.randrange(3):04x}",
            "compact": compaction(""),
            "compact-some": compaction(f" budget={size()}"),
            "copy": "copy",
            "find": f"find byte={r.randrange(3000)}",
            "null": f"null bytes={size()}",
            "attack": f"attack {slot} on={r.choice(ATTACKS)} at={r.randrange(1 << 24)}",
        }[kind])
    return "\n".join(lines) + "\n"


def run(*command, timeout=60, **options):
    """(exit status, standard output, standard error)"""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout, done.stderr


def run_measured(*command):
    """The same, and the processor seconds of the command and all that it started: others may be at
    work on this machine."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        seconds = usage.ru_utime + usage.ru_stime
        return process.returncode, out.read(), err.read(), seconds


def must(*command, **options):
    status, out, err = run(*command, **options)
    if status != 0:
        sys.exit(f"{command}: status {status}: {out}{err}")


class Library:
    """heaplab with a mistake in the library, and what its reproducers are linked with."""

    def __init__(self, name, objects=(), options=()):
        self.name = name
        self.link = [*objects, *LIBRARIES, *options]
        self.heaplab = SCRATCH / f"heaplab-{name}"
        cli = sorted((BUILD / "obj" / "fuzz" / "cli").glob("*.o"))
        must("gcc", "-rdynamic", *cli, BUILD / "libheaplab.a", *self.link, "-o", self.heaplab)

    def failure(self, path):
        """How the script fails, by `heaplab run`: None if it passes."""
        try:
            status, out, err = run(self.heaplab, "run", path, timeout=1)
        except subprocess.TimeoutExpired:
            return "timeout"
        if match := re.search(r"FAILURE (property=\S+ detail=.*?) op=", out):
            return match[1]
        if match := re.search(r"^tagheap: .*$", err, re.MULTILINE):
            return match[0]
        match = re.search(r"was ended by (signal \d+).*? in (\S+); ", err)
        return f"{match[1]} at {match[2]}" if match else f"signal {-status}" if status < 0 else None

    def reproduce(self, source):
        program = SCRATCH / f"{source.stem}-{self.name}"
        must("gcc", *FLAGS, "-Wall", "-Wextra", "-Werror", f"-I{TREE}/include", source, *self.link,
             "-o", program)
        return run(program)[:2]


@functools.cache
def plant(name):
    """A library with a mistake of fuzz/bugs."""
    patch = TREE / "fuzz" / "bugs" / f"property-{name}.patch"
    folder = SCRATCH / name
    shutil.copytree(TREE / "src", folder / "src")
    must("patch", "--batch", "-s", "-p1", f"--directory={folder}", f"--input={patch}")
    objects = []
    for path in re.findall(r"^\+\+\+ b/(\S+\.c)$", patch.read_text(), re.MULTILINE):
        objects.append(folder / (pathlib.Path(path).stem + ".o"))
        must("gcc", *FLAGS, f"-I{TREE}/include", f"-I{folder}/src", "-c", folder / path, "-o",
             objects[-1])
    return Library(name, objects)


def plant_end(name):
    source = SCRATCH / f"{name}.c"
    source.write_text(TRIM % ENDS[name])
    must("gcc", *FLAGS, f"-I{TREE}/include", f"-I{TREE}/src", "-c", source, "-o",
         source.with_suffix(".o"))
    return Library(name, [source.with_suffix(".o")], [WRAP])


def setUpModule():
    global SCRATCH
    SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="test-to-c-"))
    if not (BUILD / "libheaplab.a").exists():
        sys.exit(f"{BUILD} is missing: `make build` builds it")
    Case.good = Library("good")
    for seed in range(120):
        (SCRATCH / f"{seed}.txt").write_text(random_script(seed))


def tearDownModule():
    shutil.rmtree(SCRATCH)


def operations(path):
    lines = path.read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("#", "heap "))]


class Case(unittest.TestCase):
    good = None

    def shrink(self, library, path, *options):
        """(signature, the shrunken script, processor seconds) of one long script."""
        signature = library.failure(path)
        out = SCRATCH / f"{library.name}-{path.stem}.txt"
        command = (library.heaplab, "minimize", *options, path, "-o", out)
        status, said, err, seconds = run_measured(*command)
        other = [line for line in err.splitlines() if not line.startswith("minimize: round ")]
        self.assertEqual((0, []), (status, other), (library.name, path, said))
        self.assertIn(signature, said)
        self.assertRegex(said, rf"{OPS} -> {len(operations(out))} operations, \d+ runs, [\d.]+ s\n")
        self.assertEqual(signature, library.failure(out), (library.name, path))
        return signature, out, seconds

    def check_again(self, library, path, out):
        """Twice the same bytes, and what is shrunken stays as it is."""
        again = SCRATCH / "again" / out.name
        again.parent.mkdir(exist_ok=True)
        for source in (path, out):
            self.assertEqual(0, run(library.heaplab, "minimize", source, "-f", "-o", again)[0])
            self.assertEqual(out.read_bytes(), again.read_bytes(), (library.name, source))

    def check_program(self, library, script, signature):
        source = script.with_suffix(".c")
        status, _, err = run(library.heaplab, "to-c", script, "-o", source)
        self.assertEqual((0, ""), (status, err))
        status, out = library.reproduce(source)
        self.assertEqual(1, status, (source.read_text(), out))
        self.assertRegex(out, r"\Areproduced: [^\n]*\n\Z")
        self.assertIn(signature, out)
        status, out = self.good.reproduce(source)
        self.assertEqual((0, "not reproduced: the library does as it should\n"), (status, out))

    def failing(self, library, count):
        """The first of the long scripts that fail."""
        paths = []
        for seed in range(120):
            path = SCRATCH / f"{seed}.txt"
            if library.failure(path) is not None:
                paths.append(path)
                if len(paths) == count:
                    return paths
        self.fail(f"{library.name}: only {len(paths)} of the scripts fail")


class Differences(Case):
    def one_library(self, name):
        library = plant(name)
        found = []
        for number, path in enumerate(self.failing(library, SCRIPTS_OF_EACH)):
            signature, out, seconds = self.shrink(library, path)
            found.append((len(operations(out)), seconds))
            if number == 0:
                self.check_again(library, path, out)
            if number < 2:
                self.check_program(library, out, signature)
        return found

    def test_long_scripts(self):
        with ThreadPoolExecutor(2) as pool:
            found = sum(pool.map(self.one_library, PATCHES), [])
        lengths = [length for length, _ in found]
        slowest = max(seconds for _, seconds in found)
        print(f"# {len(found)} scripts of {OPS} operations: median {statistics.median(lengths)}, "
              f"longest {max(lengths)}, slowest {slowest:.1f} s", file=sys.stderr)
        self.assertGreaterEqual(len(found), 30)
        self.assertLessEqual(statistics.median(lengths), OPS_MAX_MEDIAN)
        self.assertLessEqual(slowest, SECONDS_MAX)

    def test_a_whole_long_script_as_a_program(self):
        library = plant("find")
        layouts = set()
        for path in self.failing(library, 16):
            layout = re.search(r"layout=(\S+)", path.read_text())[1]
            if layout not in layouts:
                layouts.add(layout)
                self.check_program(library, path, library.failure(path))
        self.assertEqual(set(LAYOUTS), layouts)


class Ends(Case):
    def check(self, name, wanted, *options):
        library = plant_end(name)
        path = self.failing(library, 1)[0]
        self.assertEqual(wanted, library.failure(path))
        signature, out, seconds = self.shrink(library, path, *options)
        self.assertLessEqual(len(operations(out)), OPS_MAX_MEDIAN)
        self.assertLessEqual(seconds, 2 * SECONDS_MAX)
        return library, out, signature

    def test_assertion(self):
        found = self.check("assertion", "tagheap: assertion failed: src/heap/trim.c:7: mistake")
        self.check_program(*found)

    def test_signal(self):
        library, out, signature = self.check("signal", "signal 4 at __wrap_th_heap_trim")
        self.check_program(library, out, signature)

    def test_hang(self):
        self.check("hang", "timeout", "--timeout", "400")


class Subjects(Case):
    """Other subjects than the heap. Whatever the subject, its checker finds something here."""

    CHECK = """
#include "tagheap/allocator.h"
th_status __wrap_th_allocator_check(th_allocator allocator, th_fault *fault);
th_status __wrap_th_allocator_check(th_allocator allocator, th_fault *fault) {
    (void)allocator;
    *fault = (th_fault){.kind = TH_FAULT_COUNT};
    return TH_ERR_CORRUPT;
}
"""
    WRAP = "-Wl,--wrap=th_allocator_check"

    def setUp(self):
        source = SCRATCH / "check.c"
        source.write_text(self.CHECK)
        must("gcc", *FLAGS, f"-I{TREE}/include", "-c", source, "-o", source.with_suffix(".o"))
        self.mistake = [source.with_suffix(".o"), self.WRAP]
        self.library = Library("check", self.mistake[:1], self.mistake[1:])

    def program(self, name, script, *more, link=()):
        """(what the program says that is made of the script, the same without the mistake)"""
        path, source = SCRATCH / f"{name}.txt", SCRATCH / f"{name}.c"
        path.write_text(script)
        status, _, err = run(self.library.heaplab, "to-c", *more, path, "-f", "-o", source)
        self.assertEqual((0, ""), (status, err), name)
        self.assertIn(f"the subject {name}", source.read_text())
        said = []
        for number, mistake in enumerate((self.mistake, [])):
            program = SCRATCH / f"{name}-{number}"
            must("gcc", *FLAGS, "-Wall", "-Wextra", "-Werror", f"-I{TREE}/include",
                 f"-I{TREE}/fuzz", source, *link, BUILD / "libheaplab.a", *LIBRARIES, *mistake,
                 "-o", program)
            said.append(run(program)[:2])
        self.assertEqual(said[0][0], run(SCRATCH / f"{name}-0", "here")[0])
        return said

    # Some allocators' libraries, where they are installed, want more room for threads' variables than
    # there is for what is loaded late.
    @mock.patch.dict(os.environ, {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"})
    def test_every_subject(self):
        _, out, _ = run(self.library.heaplab, "subjects")
        names = [line.split()[0] for line in out.splitlines()
                 if not line.endswith(")") and not line.startswith(("heap ", "PATH.so"))]
        self.assertGreater(len(names), 15)
        tag = {"tagged-moves": "tag=0x1000 "}
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda name: self.program(
                name, f"heap dwords=20000 subject={name}\nalloc s0 {tag.get(name, '')}bytes=8\n"),
                names))
        for name, said in zip(names, found):
            self.assertEqual((1, "reproduced: property=checker detail=counter wrong\n"), said[0], name)
            self.assertEqual((0, "not reproduced: the subject does as it should\n"), said[1], name)

    def test_a_plug_in(self):
        plugin = SCRATCH / "plugin.so"
        example = TREE / "examples" / "my_subject.c"
        includes = (f"-I{TREE}/include", f"-I{TREE}/fuzz")
        must("gcc", "-shared", "-fPIC", *includes, example, "-o", plugin)
        said = self.program("cells", "heap dwords=20000 subject=plugin\nalloc s0 bytes=8\n",
                            "--subject", plugin, link=[example])
        self.assertEqual([1, 0], [status for status, _ in said], said)

    def test_its_comment_says_how_to_build_it(self):
        """A crash, of a plug-in; built by that command alone, in the tree."""
        text = (TREE / "examples" / "my_subject.c").read_text()
        mine = SCRATCH / "crashes.c"
        mine.write_text(text.replace("    cells *c = self;", "    cells *c = self;\n"
                                     "    *(volatile int *)(bytes == 7 ? NULL : c) = 1;", 1))
        plugin = SCRATCH / "crashes.so"
        includes = (f"-I{TREE}/include", f"-I{TREE}/fuzz")
        must("gcc", "-shared", "-fPIC", *includes, mine, "-o", plugin)
        path, source = SCRATCH / "crash.txt", SCRATCH / "crash.c"
        path.write_text("heap dwords=20000 subject=plugin\nalloc s0 bytes=7\n")
        must(self.good.heaplab, "to-c", "--subject", plugin, path, "-f", "-o", source)
        lines = [line[3:].strip().removesuffix("\\") for line in source.read_text().splitlines()]
        first = next(i for i, line in enumerate(lines) if line.startswith("cc "))
        command = " ".join(lines[first : first + 3]).replace("THIS_FILE.c", str(source))
        command = command.replace("PLUGIN.c", str(mine)).replace("-o repro", f"-o {SCRATCH}/repro")
        command = command.replace("./repro", str(SCRATCH / "repro"))
        status, out, err = run("bash", "-c", command, cwd=TREE, timeout=300)
        self.assertEqual((1, "reproduced: signal 11 at cells_alloc\n"), (status, out), err)


class Refusals(Case):
    def assert_refused(self, library, words, *arguments):
        before = {path: path.read_bytes() for path in SCRATCH.glob("*.txt")}
        status, out, err = run(library.heaplab, *arguments)
        self.assertEqual((2, ""), (status, out), err)
        self.assertRegex(err, r"\Aheaplab [a-z-]+: [^\n]*\n\Z")
        for word in words:
            self.assertIn(word, err)
        self.assertEqual(before, {path: path.read_bytes() for path in SCRATCH.glob("*.txt")})

    def test_passing_script(self):
        for command in ("minimize", "to-c"):
            self.assert_refused(self.good, ["0.txt", "does not fail", "nothing written"], command,
                                SCRATCH / "0.txt", "-o", SCRATCH / "none.out")
            self.assertFalse((SCRATCH / "none.out").exists())

    def test_existing_out(self):
        library = plant_end("assertion")
        path = self.failing(library, 1)[0]
        for command in ("minimize", "to-c"):
            self.assert_refused(library, ["1.txt", "exists", "-f"], command, path, "-o",
                                SCRATCH / "1.txt")
            self.assert_refused(library, ["no regular file"], command, path, "-o", SCRATCH, "-f")

    def test_full_disk(self):
        """One form of words, and no file is left."""
        library = plant_end("assertion")
        path = self.failing(library, 1)[0]
        limited = ["bash", "-c", 'ulimit -f 1; exec "$0" "$@"', library.heaplab]
        status, out, err = run(*limited, "to-c", path, "-o", SCRATCH / "full.c")
        words = f"heaplab to-c: {SCRATCH}/full.c: cannot be written: File too large\n"
        self.assertEqual((2, "", words), (status, out, err))
        self.assertEqual([], list(SCRATCH.glob("full.c*")))

    def test_flaky_failure(self):
        """A library that fails by the clock."""
        ENDS["flaky"] = 'if (mistake && rand_from_clock() % 2 == 0) { abort(); }'
        source = SCRATCH / "flaky.c"
        head = ('#define _POSIX_C_SOURCE 200809L\n#include <time.h>\n'
                'static long rand_from_clock(void) { struct timespec t; '
                'clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_nsec / 1000; }\n')
        source.write_text(head + TRIM % ENDS.pop("flaky"))
        must("gcc", *FLAGS, f"-I{TREE}/include", f"-I{TREE}/src", "-c", source, "-o",
             SCRATCH / "flaky.o")
        library = Library("flaky", [SCRATCH / "flaky.o"], [WRAP])
        path = SCRATCH / "flaky.txt"
        path.write_text("heap dwords=750\nalloc s0 tag=0 bytes=8\nalloc s1 tag=0 bytes=8\n"
                        "alloc s2 tag=0 bytes=8\nalloc s5 tag=0 bytes=8\nfree s5\ntrim s0\n")
        for command in ("minimize", "to-c"):
            for _ in range(50):  # three times the same is possible
                status, said, err = run(library.heaplab, command, path, "-f", "-o", SCRATCH / "f")
                if "is flaky" in err:
                    break
            self.assertEqual((2, ""), (status, said))
            self.assertRegex(err, r'\A[^\n]*flaky.txt: is flaky: once "[^\n]*nothing written\n\Z')
        status, said, err = run(library.heaplab, "minimize", "--tries", "40", path, "-f", "-o",
                                SCRATCH / "f")
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(said, r"it fails: signal 6 at __wrap_th_heap_trim\n  in \d+ of 40 tries\n")
        self.assertEqual(4, len(operations(SCRATCH / "f")))

    def test_wrong_arguments(self):
        for words, arguments in (
            (["no FILE"], ["minimize"]),
            (["no -o OUT"], ["minimize", SCRATCH / "0.txt"]),
            (["milliseconds", "'0'"], ["minimize", "--timeout", "0"]),
            (["tries", "1000", "'0'"], ["minimize", "--tries", "0"]),
            (["tries", "1000", "'1001'"], ["minimize", "--tries", "1001"]),
            (["a value is missing", "--tries"], ["minimize", "--tries"]),
            (["unknown option", "-x"], ["minimize", "-x"]),
            (["one FILE"], ["minimize", "a", "b"]),
            (["No such file"], ["minimize", "none", "-o", "x"]),
            (["no FILE"], ["to-c"]),
            (["unknown option", "-x"], ["to-c", "-x"]),
            (["No such file"], ["to-c", "none"]),
        ):
            self.assert_refused(self.good, words, *arguments)


class SameChecks(unittest.TestCase):
    """What the runner checks beyond its own tables, the reproducer checks too: a check that was
    added to the one and not to the other is found by its name."""

    MODEL_ONLY = {"again", "left", "rebase"}  # the model against itself

    @staticmethod
    def text(folder):
        texts = [path.read_text() for path in sorted((TREE / "fuzz" / folder).glob("*.c"))]
        # Of the runner, what plays scripts on the heap itself.
        text = "".join(text for text in texts if f'"{folder}/state.h"' in text or
                       folder != "runner")
        return re.sub(r'"\n\s*"', "", text).replace('\\"', '"')  # C joins strings

    def test_refusals_and_statistics_in_order(self):
        for ours, theirs, least in (
                (r'expect_status\(\s*r, "([^"]+)"|(ask_with_\w+)',
                 r'expect_status\("([^"]+)"|(ask_with_\w+)', 6),
                (r'X\("([a-z-]+)", [a-z_]+, [a-z_]+\)', r'NAME_STATS, "([a-z-]+)"', 10)):
            checked = re.findall(ours, self.text("runner"))
            self.assertGreater(len(checked), least)
            self.assertEqual(checked, re.findall(theirs, self.text("program")))
        # What ask_with_... ask is one table for both.
        table = (TREE / "fuzz/program/refused.h").read_text()
        self.assertGreater(len(re.findall(r'\{"[a-z A-Z0-9-]+", TH_ERR_', table)), 24)

    def test_details(self):
        """The calls of attacks apart, which runner and exporter have from one plan."""
        checked = re.findall(r'LAB_PROPERTY_(?!MEMORY)[A-Z_]+,\s*"([^"]+)"', self.text("runner"))
        checked += re.findall(r'expect_fault\(\s*r, a,\s*"([^"]+)"', self.text("runner"))
        exported = self.text("export") + self.text("program")
        self.assertGreater(len(checked), 40)
        missing = {name for name in checked if f'"{name}"' not in exported}
        self.assertEqual(self.MODEL_ONLY, missing)


class Parts(Case):
    """fuzz/program/, of which the programs consist."""

    def test_constants_are_those_of_the_sample(self):
        """What the parts are compiled with in every build has the names that the exporter writes."""
        sample = (TREE / "fuzz/program/constants.h").read_text()
        names = re.findall(r"^#define (?!LAB_)(\w+)\b", sample, re.MULTILINE)
        library = plant("find")
        path, source = self.failing(library, 1)[0], SCRATCH / "constants.c"
        must(library.heaplab, "to-c", path, "-f", "-o", source)
        between = re.search(r"^/\* What fails\. \*/.*^#define SECONDS_MAX", source.read_text(),
                            re.MULTILINE | re.DOTALL)[0]
        self.assertEqual(names, re.findall(r"^#define (\w+)\b", between, re.MULTILINE))

    def test_every_operation_in_one_program(self):
        """All parts together, without a warning, by both compilers."""
        library = plant("find")
        path, source = SCRATCH / "parts.txt", SCRATCH / "parts.c"
        path.write_text("heap dwords=750 guard=3 lowmem=1\nalloc s0 tag=0 bytes=9\n"
                        "alloc s1 tag=0 bytes=9\nfree s0\ncompact veto=0x00 reenter\ncopy\nnull bytes=7\n"
                        "attack s1 on=header at=1\nattack s1 on=counts at=5\nattack s1 on=pointer "
                        "at=3\n" + "".join(f"find byte={byte}\n" for byte in range(0, 2980, 4)))
        must(library.heaplab, "to-c", path, "-f", "-o", source)
        for compiler in ("gcc", "clang"):
            must(compiler, *FLAGS, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow",
                 "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wcast-align", "-Werror",
                 f"-I{TREE}/include", "-c", source, "-o", SCRATCH / "parts.o")
        for path in sorted((TREE / "fuzz/program").glob("*.c")):
            body = re.split(r'#include "program/.*"\n\n', path.read_text())[-1]
            self.assertTrue(body in source.read_text(), path)


class Terminal(Case):
    def test_progress(self):
        """On a terminal, and only there, there is a line that says what goes on."""
        library = plant_end("signal")
        path = self.failing(library, 1)[0]
        master, slave = pty.openpty()
        out = SCRATCH / "terminal.out"
        done = subprocess.run([library.heaplab, "minimize", path, "-o", out], stderr=slave,
                              stdout=subprocess.PIPE, env=os.environ | {"TERM": "xterm"}, timeout=30,
                              check=False)
        os.close(slave)
        shown = os.read(master, 65536).decode()
        os.close(master)
        self.assertEqual(0, done.returncode)
        self.assertRegex(shown, r"\r\x1b\[Kminimize: round \d+, [a-z' ]+: \d+ operations, \d+ runs")
        self.assertTrue(shown.endswith("\r\x1b[K"))


if __name__ == "__main__":
    unittest.main()
