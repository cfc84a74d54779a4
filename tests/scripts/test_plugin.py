#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/plugin, and of what becomes of somebody's allocator in heaplab: the example of
docs/your-allocator.md passes, and a mistake planted in it is found and shrunk. Takes some seconds:

  tests/scripts/test_plugin.py [-v] [NAME...]

HEAPLAB names the program (default: build/debug/heaplab).
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
HEAPLAB = pathlib.Path(os.environ.get("HEAPLAB", TREE / "build" / "debug" / "heaplab")).resolve()
EXAMPLE = TREE / "examples" / "my_subject.c"
COMPACTING = TREE / "examples" / "my_compacting_heap.c"
TAGGED_CXX = TREE / "tests" / "scripts" / "tagged_cells.cpp"
EXAMPLE_CXX = TREE / "examples" / "my_subject.cpp"
MISTAKEN = TREE / "tests" / "scripts" / "mistaken_subject.c"

# The mistakes of mistaken_subject.c, and the ways in which each of them may show first.
MISTAKES = {
    "SIZE_IN_16_BITS": ("usable size", "outside", "signal"),
    "SIZE_IN_AN_INT": ("usable size", "outside", "signal"),
    "SIZE_IN_32_BITS": ("usable size", "outside", "signal"),
    "SIZE_IN_33_BITS": ("usable size", "outside", "signal"),
    "UNITS_IN_32_BITS": ("usable size", "outside", "signal"),
    "ROUNDED_UP_IN_32_BITS": ("usable size", "outside", "refused", "signal"),
    "ALIGNMENT_IN_32_BITS": ("alignment", "accepted"),
    "ARRAY_IN_32_BITS": ("accepted", "outside"),
    "ARRAY_WRAPS": ("accepted",),
    "RESIZED_IN_32_BITS": ("outside",),
    "USABLE_IS_A_UNIT_MORE": ("usable size",),
    "USABLE_IS_A_PAGE": ("usable size",),
    "USABLE_CANNOT_BE_HAD": ("usable size",),
    "USABLE_IS_NOT_KEPT": ("bytes",),
    "ONE_BLOCK_TAKES_ALL": ("refused", "usable size"),
    "A_UNIT_IS_LOST": ("refused",),
}
# Mistakes in examples/my_compacting_heap.c that only tags and moves show: what is there, what takes
# its place, and the ways in which it may show first.
MOVES = {
    "what is moved lacks its last unit": (
        "h->memory + b->start, b->bytes);\n            b->start = to;",
        "h->memory + b->start, b->bytes - UNIT);\n            b->start = to;", ("moved", "bytes")),
    "overlapping moves copy from the wrong end": (
        "            memmove(h->memory + to, h->memory + b->start, b->bytes);\n",
        "            for (size_t n = b->bytes; to < b->start && n-- > 0;) {\n"
        "                h->memory[to + n] = h->memory[b->start + n];\n            }\n"
        "            for (size_t n = 0; to > b->start && n < b->bytes; n++) {\n"
        "                h->memory[to + n] = h->memory[b->start + n];\n            }\n",
        ("moved",)),
    "a veto is not obeyed": (
        "if (may_move(context, h->memory + b->start, h->memory + to, b->bytes)) {",
        "(void)may_move(context, h->memory + b->start, h->memory + to, b->bytes);\n        {",
        ("moved blocks", "bytes", "from", "overlap", "usable size")),
    "a move does not keep the alignment": (
        "size_t low = round_up(end_before(h, i), b->alignment);\n        size_t high = (start_of",
        "size_t low = round_up(end_before(h, i), UNIT);\n        size_t high = (start_of",
        ("alignment",)),
    "a step does not look at its budget": (
        "if (b->bytes > bytes && moved > 0) {", "if (bytes == 0) {", ("beyond the budget",)),
    "what lies between two blocks that stay is lost": (
        "if (to == b->start) {", "if (to == b->start || (n > 0 && n == middle)) {", ("refused",)),
    "the upper bound of tags is left out": (
        "h->blocks[i].tag <= high", "h->blocks[i].tag < high", ("freed by tag",)),
    "the lowest tag of a side is on the other": (
        "return b->tag >= TAG_TOP_MIN;", "return b->tag > TAG_TOP_MIN;", ("side",)),
    "a block that moves loses its tag": (
        "alloc_tagged(h, bytes, alignment, (uint32_t)tag, false)",
        "alloc_tagged(h, bytes, alignment, (uint32_t)tag & 0x4000, false)", ("tag", "freed by tag")),
}
FOUND_WITHIN_S = 10  # however busy the machine is; on an idle core it is a second


class PluginTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        (self.folder / "build" / "fuzz").mkdir(parents=True)
        (self.folder / "build" / "fuzz" / "heaplab").symlink_to(HEAPLAB)
        for name in ("include", "fuzz"):
            (self.folder / name).symlink_to(TREE / name)

    def run_here(self, *command):
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def build(self, sources, flags="", ours="-O1", cxx="clang++-19"):
        """As make fuzz does, but for the sanitizers; `sources` as SUBJECT_SRC, or one path as it
        is; `flags` as SUBJECT_FLAGS."""
        if isinstance(sources, pathlib.Path):
            sources = shlex.quote(str(sources))
        return subprocess.run(
            [TREE / "scripts" / "plugin", sources, "gcc", cxx,
             f"-Iinclude -Ifuzz {ours}", "build/plugin", "-shared", "build/fuzz/plugin.so"],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env=dict(os.environ, SUBJECT_FLAGS=flags))

    def assert_refused(self, sources, *words):
        done = self.build(sources)
        self.assertEqual((2, "", 1), (done.returncode, done.stdout, done.stderr.count("\n")), done)
        for word in ("fuzz: SUBJECT_SRC: ", *words):
            self.assertIn(word, done.stderr)

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def random(self, *more):
        return self.run_here(HEAPLAB, "random", "--subject", "build/fuzz/plugin.so", "--seed", "1",
                             *more)

    def test_the_example_passes(self):
        self.assertEqual(0, self.build(EXAMPLE).returncode)
        done = self.random("--seconds", "1")
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout)
        self.assertIn("passed", done.stdout)

    def test_a_mistake_is_found_and_shrunk(self):
        text = EXAMPLE.read_text()
        self.assertIn("bytes <= CELL &&", text)
        self.assertIn(".bytes_max = CELL,", text)
        self.write("broken.c", text.replace("bytes <= CELL &&", "bytes <= CELL + 8 &&")
                   .replace(".bytes_max = CELL,", ".bytes_max = CELL + 8,"))
        self.assertEqual(0, self.build("broken.c").returncode)
        done = self.random("--seconds", "20", "-o", "found.txt")
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertIn("property=result detail=overlap", done.stdout)
        self.run_here(HEAPLAB, "minimize", "--subject", "build/fuzz/plugin.so", "found.txt", "-o",
                      "small.txt")
        small = (self.folder / "small.txt").read_text()
        self.assertRegex(small, r"^heap .*subject=plugin\n(.*\n){2}$")

    def test_cxx_by_suffix(self):
        text = EXAMPLE_CXX.read_text()
        for suffix in ("cc", "cpp", "cxx", "C"):
            self.write(f"mine.{suffix}", text)
            done = self.build(f"mine.{suffix}")
            self.assertEqual(0, done.returncode, done.stderr)
        done = self.random("--seconds", "1")
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout)

    def test_the_cxx_example_is_cxx17_without_a_warning(self):
        done = self.build(EXAMPLE_CXX, "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror")
        self.assertEqual(0, done.returncode, done.stderr)

    def test_a_mistake_in_cxx_is_found(self):
        text = EXAMPLE_CXX.read_text()
        self.assertIn("least << size < bytes ||", text)
        self.write("broken.cpp", text.replace("least << size < bytes ||", "least << size + 1 < bytes ||"))
        self.assertEqual(0, self.build("broken.cpp").returncode)
        done = self.random("--seconds", str(FOUND_WITHIN_S))
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertRegex(done.stdout, "property=result detail=(usable size|overlap)")
        self.write("wide.cpp", text.replace("take(std::size_t bytes,", "take(std::uint32_t bytes,"))
        self.assertEqual(0, self.build("wide.cpp").returncode)
        done = self.random("--seconds", str(FOUND_WITHIN_S))
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertRegex(done.stdout, "property=result detail=(usable size|beyond the most|outside)")

    def test_what_was_wrong_is_said_with_its_numbers(self):
        self.write("wide.c", EXAMPLE.read_text().replace("; bytes <= CELL", "; (uint32_t)bytes <= CELL"))
        self.assertEqual(0, self.build("wide.c").returncode)
        done = self.random("--seconds", str(FOUND_WITHIN_S), "-o", "found.txt")
        said = (r"\d{5,} bytes aligned to \d+ were given; bytes_max is 64, alignment_max 64 "
                r"\(0: none\)\n")
        self.assertRegex(done.stdout, "(?m)^# " + said)
        done = self.run_here(HEAPLAB, "minimize", "--subject", "build/fuzz/plugin.so", "found.txt",
                             "-o", "small.txt")
        self.assertRegex(done.stdout, "(?m)^  " + said)
        self.assertRegex((self.folder / "small.txt").read_text(), r"bytes=2\^\d+")

    def test_both_languages(self):
        """Each is compiled as what it is, whatever is said for the other."""
        self.write("other.cpp", "#include <string>\nstatic std::string word;\n#if __cplusplus < 202002L\n"
                   "#error C++20 was asked for\n#endif\nextern \"C\" int length() "
                   "{ word += \"ab\"; return (int)word.size(); }\n")
        self.write("mine.c", "#if __STDC_VERSION__ < 201710L\n#error C17 was asked for\n#endif\n"
                   "int length(void);\n" +
                   EXAMPLE.read_text().replace("    cells *c = self;", "    cells *c = self;\n"
                                               "    if (length() == 1) { return c; }", 1))
        done = self.build("mine.c other.cpp", "-std=gnu17 -std=c++20")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(0, self.random("--seconds", "1").returncode)

    def test_flags_are_words(self):
        """Split as a shell does, without running anything."""
        (self.folder / "my dir").mkdir()
        self.write("my dir/more.h", "#define MORE 1\n")
        self.write("flags.c", '#include "more.h"\n#ifdef __OPTIMIZE__\n#error -O0 was asked for\n#endif\n'
                   "static const char name[] = NAME;\n_Static_assert(sizeof name == 6, \"a b c\");\n"
                   'static const char cost[] = COST;\n_Static_assert(sizeof cost == 8, "a dollar");\n' +
                   EXAMPLE.read_text())
        done = self.build("flags.c", """-DNAME='"a b c"' -I'my dir' "-DCOST=\\"\\$(echo)\\"" -O0""")
        self.assertEqual(0, done.returncode, done.stderr)
        done = self.build("flags.c", "-DNAME='a")
        self.assertEqual((2, "fuzz: SUBJECT_FLAGS: a quote is not closed: -DNAME='a\n"),
                         (done.returncode, done.stderr))

    def test_a_name_with_spaces_in_quotes(self):
        self.write("a name.c", EXAMPLE.read_text())
        done = self.build("'a name.c'")
        self.assertEqual(0, done.returncode, done.stderr)

    def test_no_compiler(self):
        self.write("mine.cpp", "int x;\n")
        done = self.build("mine.cpp", cxx="no-such-compiler")
        self.assertEqual((2, "fuzz: SUBJECT_SRC: no-such-compiler, which compiles it, is not installed "
                             "(scripts/bootstrap fuzz installs it)\n"), (done.returncode, done.stderr))

    def test_no_mistake_is_none(self):
        self.assertEqual(0, self.build(MISTAKEN).returncode)
        done = self.random("--seconds", os.environ.get("PLUGIN_SECONDS", "3"))
        self.assertEqual(0, done.returncode, done.stdout)

    def test_all_mistakes_are_here(self):
        names = re.search(r"enum mistake \{\s*NONE,([^}]*)\}", MISTAKEN.read_text()).group(1)
        self.assertEqual(list(MISTAKES), re.findall(r"\w+", names))

    def test_small_mistakes_are_found_soon(self):
        for mistake, details in MISTAKES.items():
            with self.subTest(mistake):
                done = self.build(MISTAKEN, f"-DMISTAKE={mistake}")
                self.assertEqual(0, done.returncode, done.stderr)
                start = time.monotonic()
                done = self.random("--seconds", str(FOUND_WITHIN_S))
                took = time.monotonic() - start
                self.assertEqual(1, done.returncode, done.stdout)
                found = re.search(r" fails: (?:property=\w+ detail=)?(.*?) \(", done.stdout).group(1)
                self.assertIn(found.split(" 11")[0], details)
                self.assertLess(took, FOUND_WITHIN_S)

    def test_a_heap_that_moves_blocks_passes(self):
        self.assertEqual(0, self.build(COMPACTING).returncode)
        done = self.random("--seconds", "2")
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout)

    def test_mistakes_of_moves_and_tags_are_found(self):
        """And the script is in the words of such heaps, whose tags and vetoes matter."""
        text = COMPACTING.read_text()
        for name, (right, wrong, details) in MOVES.items():
            with self.subTest(name):
                self.assertEqual(1, text.count(right))
                self.write("wrong.c", text.replace(right, wrong))
                done = self.build("wrong.c")
                self.assertEqual(0, done.returncode, done.stderr)
                done = self.random("--seconds", str(FOUND_WITHIN_S), "-f", "-o", "found.txt")
                self.assertEqual(1, done.returncode, done.stdout)
                found = re.search(r" fails: property=\w+ detail=(.*?) \(", done.stdout).group(1)
                self.assertIn(found, details)
                done = self.run_here(HEAPLAB, "minimize", "--subject", "build/fuzz/plugin.so",
                                     "found.txt", "-f", "-o", "small.txt")
                self.assertEqual(0, done.returncode, done.stderr)
                small = (self.folder / "small.txt").read_text()
                self.assertRegex(small, r"^heap .* subject=plugin family=tags\n")
                self.assertRegex(small, r" tag=0x|freetags |compact")
                self.assertLess(small.count("\n"), 9, small)

    def test_tags_in_cxx(self):
        for wrong, status in ((0, 0), (1, 1)):
            done = self.build(TAGGED_CXX, f"-DWRONG={wrong}")
            self.assertEqual(0, done.returncode, done.stderr)
            done = self.random("--seconds", "2")
            self.assertEqual(status, done.returncode, done.stdout)
            self.assertEqual(wrong, done.stdout.count(" fails: property=result detail="))

    def test_threads_that_are_needed_are_not_there(self):
        self.write("wants.c", EXAMPLE.read_text().replace(
            ".flags = LAB_SUBJECT_FREES", ".flags = LAB_SUBJECT_FREES | LAB_SUBJECT_NEEDS_THREADS"))
        self.assert_refused("wants.c", "is no subject: it needs several threads, and scripts are "
                                       "played by one")

    def test_it_is_shrunk_to_two_blocks_whatever_the_seed(self):
        """By one operation each, or both by one."""
        self.write("broken.c", EXAMPLE.read_text().replace("bytes <= CELL &&", "bytes <= CELL + 8 &&")
                   .replace(".bytes_max = CELL,", ".bytes_max = CELL + 8,"))
        self.assertEqual(0, self.build("broken.c").returncode)
        plugin = ("--subject", "build/fuzz/plugin.so")
        shrunk = {}
        for seed in range(1, 32):
            self.run_here(HEAPLAB, "random", *plugin, "--seed", str(seed), "-f", "-o", "found.txt")
            done = self.run_here(HEAPLAB, "minimize", *plugin, "found.txt", "-f", "-o", "small.txt")
            self.assertIn("property=result detail=overlap", done.stdout, (seed, done.stderr))
            lines = (self.folder / "small.txt").read_text().splitlines()[1:]
            counts = [int((re.findall(r"^batch count=(\d+)", line) or [1])[0]) for line in lines]
            shrunk[seed] = sum(counts)
        self.assertEqual({2}, set(shrunk.values()), shrunk)

    def test_several_files(self):
        self.write("a.c", EXAMPLE.read_text().replace("= cells_free}", "= cells_free_elsewhere}")
                   .replace("static void cells_free", "void cells_free_elsewhere(void *, void *);\n"
                            "void cells_give(void *self, void *pointer);\n"
                            "void cells_give"))
        self.write("b.c", "void cells_give(void *, void *);\nvoid cells_free_elsewhere(void *, void *);"
                   "\nvoid cells_free_elsewhere(void *s, void *p) { cells_give(s, p); }\n")
        done = self.build("a.c b.c")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(0, self.random("--seconds", "1").returncode)

    def test_what_cannot_be_used(self):
        self.assert_refused("none.c", "none.c: there is no such file")
        (self.folder / "folder.c").mkdir()
        self.assert_refused("folder.c", "folder.c: cannot be read")
        self.write("a name.c", "int x;\n")
        self.assert_refused("a name.c", "a name.c: the spaces in its name", "another name")
        self.assert_refused(" ", "names no file")
        for name in ("my.so", "my.o", "my.h", "c", "my.c.bak"):
            self.write(name, "int x;\n")
            self.assert_refused(f"{shlex.quote(str(EXAMPLE))} {name}",
                                f"{name}: is no source file (C: .c; C++: .cc, .cpp, .cxx, .C)")
            checked = self.run_here(TREE / "scripts" / "plugin", "--check", name)
            self.assertEqual(2, checked.returncode)
            self.assertIn(f"fuzz: SUBJECT_SRC: {name}: is no source file", checked.stderr)
        self.write("bad.c", "int x = ;\n")
        self.assert_refused("bad.c", "does not compile: bad.c:1:", "build/plugin/0.o.log")
        self.write("empty.c", "int x;\n")
        self.assert_refused("empty.c", "is no subject: it exports no lab_subject_export")
        text = EXAMPLE.read_text()
        self.write("named.c", text.replace('"cells"', '"Cells"'))
        self.assert_refused("named.c", "its name must be")
        self.write("refusing.c", text.replace("    cells *c = calloc", "    return false;\n    cells *c = calloc"))
        self.assert_refused("refusing.c", "nothing was tested: create refused all of ")

    def test_a_profile_that_fits_nothing_is_not_the_end(self):
        """With this seed no script of the first 256 fits; a slow machine plays less in its time."""
        create = "lab_instance *instance) {\n"
        self.write("slow.c", "#include <unistd.h>\n" +
                   EXAMPLE.read_text().replace(create, f"{create}    usleep(10000);\n", 1))
        self.assertEqual(0, self.build("slow.c").returncode)
        done = self.run_here(HEAPLAB, "random", "--subject", "build/fuzz/plugin.so", "--seed", "18",
                             "--seconds", "1")
        self.assertEqual(0, done.returncode, done)
        self.assertRegex(done.stderr, r"^(random: \d+ s of 1: .*\n)*$")
        self.assertIn("passed", done.stdout)

    def test_a_program_is_no_plugin(self):
        self.write("main.c", EXAMPLE.read_text() + "int main(void) { return 0; }\n")
        self.write("other.c", "int main(void) { return 0; }\n")
        self.assert_refused("main.c other.c", "multiple definition of `main'")

    def build_with(self, statement):
        """The example, with a statement before all that its alloc does."""
        start = "    cells *c = self;"
        self.write("other.c", "#include <signal.h>\n#include <stdlib.h>\n#include <unistd.h>\n" +
                   EXAMPLE.read_text().replace(start, f"    {statement}\n{start}", 1))
        self.assertEqual(0, self.build("other.c").returncode)
        self.write("one.txt", "heap dwords=4000\nalloc s0 tag=0x0000 bytes=4\n")

    def test_two_plug_ins_are_two(self):
        """Both orders: neither side is played by the other's."""
        plugin = self.folder / "build" / "fuzz" / "plugin.so"
        self.assertEqual(0, self.build(EXAMPLE).returncode)
        plugin.rename(self.folder / "good.so")
        self.build_with("if (bytes == 4) { return (char *)self + 1; }")
        plugin.rename(self.folder / "wrong.so")
        for sides in ("./wrong.so,./good.so", "./good.so,./wrong.so"):
            done = self.run_here(*self.play_one("--with", sides, subcommand="diff"))
            self.assertEqual(1, done.returncode, done)
            self.assertRegex(done.stdout, r"(?m)^\./wrong\.so: FAILURE .*alignment")
            self.assertNotIn("./good.so: FAILURE", done.stdout)
        done = self.run_here(*self.play_one("--with", "./good.so,./good.so", subcommand="diff"))
        self.assertEqual(0, done.returncode, done)

    def play_one(self, *more, subcommand="run"):
        return [HEAPLAB, subcommand, *more, "one.txt"]

    def test_exit_is_a_failure(self):
        self.build_with("exit(0);")
        done = self.run_here(*self.play_one("--subject", "build/fuzz/plugin.so"))
        self.assertEqual((1, "heaplab run: one.txt on subject cells (a plug-in) at operation 0 "
                             "(alloc) called exit with status 0; `heaplab minimize` makes the "
                             "script short\n"),
                         (done.returncode, done.stderr), done)

    def test_a_crash_is_named(self):
        """Stack and all: the line comes from a handler with a stack of its own."""
        deep = ("volatile char room[1 << 20]; room[0] = 0; "
                "return cells_alloc(self, bytes + room[0], 8);")
        for statement, number in (("*(volatile int *)0 = 1;", signal.SIGSEGV),
                                  ("abort();", signal.SIGABRT),
                                  ("kill(getpid(), SIGBUS);", signal.SIGBUS),
                                  (deep, signal.SIGSEGV)):
            self.build_with(statement)
            for play, subject in (
                (self.play_one("--subject", "build/fuzz/plugin.so"), "cells (a plug-in)"),
                (self.play_one("--with", "malloc,build/fuzz/plugin.so", subcommand="diff"),
                 "malloc, build/fuzz/plugin.so"),
            ):
                done = self.run_here(*play)
                self.assertEqual(-number, done.returncode, statement)
                self.assertEqual(
                    f"heaplab {play[1]}: one.txt on subject {subject} was ended by signal "
                    f"{int(number)} at operation 0 (alloc) in cells_alloc; `heaplab minimize` "
                    "outlives that, and makes the script short\n", done.stderr)

    def test_a_hang_is_named(self):
        self.build_with("for (volatile int i = 0;; i++) {}")
        for play, subject in (
            (self.play_one("--subject", "build/fuzz/plugin.so"), "cells (a plug-in)"),
            (self.play_one("--with", "malloc,build/fuzz/plugin.so", subcommand="diff"),
             "malloc, build/fuzz/plugin.so"),
        ):
            playing = subprocess.Popen(play, cwd=self.folder, stderr=subprocess.PIPE, text=True)
            first = self.first_line(playing.stderr)
            playing.terminate()
            _, rest = playing.communicate(timeout=20)
            which = f"heaplab {play[1]}: one.txt on subject {subject} "
            self.assertRegex(first, f"^{re.escape(which)}has been played for [5-9] s; if it "
                             "hangs: Ctrl-C, then `heaplab minimize`, which ends what takes too "
                             "long\n$")
            self.assertEqual((-signal.SIGTERM, f"{which}was being played when signal 15 came at "
                              "operation 0 (alloc)\n"), (playing.returncode, rest))

    def first_line(self, stream):
        """What it says within some seconds; nothing, if it says nothing."""
        ready, _, _ = select.select([stream], [], [], 20)
        return stream.readline() if ready else ""

    def test_what_random_found_is_said_at_once(self):
        """And that something was found outweighs Ctrl-C."""
        self.build_without_alloc()
        playing = subprocess.Popen(
            [HEAPLAB, "random", "--subject", "build/fuzz/plugin.so", "--seed", "1", "--seconds",
             "60", "--keep-going"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(playing.kill)
        first = self.first_line(playing.stdout)
        self.assertRegex(first, "^script [0-9]+ with seed 1 fails: property=")
        playing.send_signal(signal.SIGINT)
        out, _ = playing.communicate(timeout=20)
        self.assertEqual(1, playing.returncode, out)
        self.assertRegex(out, r"(?m)^\d+ scripts with seed 1, \d+ operations: failed, ended by Ctrl-C\n"
                         r" +\d+ property=")

    def test_slow_work_shows_progress_in_a_log(self):
        """Plain lines, each whole; what was found stands alone on standard output."""
        self.build_with("sleep(1);")
        self.write("one.txt", "heap dwords=4000\n" + "alloc s0 tag=0x0000 bytes=4\nfree s0\n" * 7)
        done = self.run_here(*self.play_one("--with", "build/fuzz/plugin.so,malloc",
                                            subcommand="diff"))
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r"^(diff: operation \d+ of 14\n)+$")
        self.build_with("usleep(600000); return (char *)self + 1;")
        done = self.run_here(*self.play_one("--subject", "build/fuzz/plugin.so", "-o", "small.txt",
                                            subcommand="minimize"))
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr,
                         r"^(minimize: round \d+, [a-z ]+: \d+ operations, \d+ runs\n)+$")

    def build_without_alloc(self):
        self.write("bare.c", EXAMPLE.read_text().replace(".alloc = cells_alloc, ", "")
                   .replace("static void *cells_alloc", "void *cells_alloc(void *, size_t, size_t);\n"
                            "void *cells_alloc"))
        self.assertEqual(0, self.build("bare.c").returncode)

    def test_a_table_without_alloc(self):
        self.build_without_alloc()
        done = self.random("--seconds", "1")
        self.assertEqual(1, done.returncode, done)
        self.assertIn("property=init detail=table", done.stdout)


if __name__ == "__main__":
    unittest.main()
