#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of `make install`: what is put where, that programs are built from it without a warning, and
what becomes of bad paths. Takes half a minute:

  tests/scripts/test_install.py [-v] [NAME...]

With INSTALLED=PREFIX the programs are built from what is installed there."""

import sys

sys.dont_write_bytecode = True

import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = TREE / "tests/install"
PREFIX = "/opt/tag heap"
NOBODY = 65534
C_WARNINGS = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes".split()
CXX_WARNINGS = "-std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast".split()
COMPILERS = [("gcc", "program.c", C_WARNINGS), ("clang", "program.c", C_WARNINGS),
             ("g++", "program.cpp", CXX_WARNINGS), ("clang++", "program.cpp", CXX_WARNINGS)]
VERSION = ".".join(re.findall(r"^#define TH_VERSION_[A-Z]+ (\d+)$",
                              (TREE / "include/tagheap/version.h").read_text(), re.MULTILINE))
SONAME = "libtagheap.so." + ".".join(VERSION.split(".")[:2 if VERSION.startswith("0.") else 1])
HEADERS = sorted(path.name for path in (TREE / "include/tagheap").glob("*.h"))

SCRATCH = pathlib.Path()
STAGE = pathlib.Path()  # DESTDIR
ROOT = pathlib.Path()  # the installation in it


def run(*command, folder=None, **environment):
    return subprocess.run([str(word) for word in command], cwd=folder, text=True,
                          env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def make(*arguments, target="install"):
    """heaplab is the one that is there anyway."""
    return run("make", "-s", "-C", TREE, target, "HEAPLAB=build/debug/heaplab", *arguments)


def install(prefix, *arguments, command=TREE / "scripts/install", **options):
    """scripts/install itself, with every folder in the prefix."""
    folders = [f"--{name}={prefix}/{name}" for name in
               ("bindir", "libdir", "includedir", "mandir", "docdir")]
    return subprocess.run([command, f"--prefix={prefix}", *folders, *map(str, arguments)],
                          text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, cwd="/", **options)


def setUpModule():
    global SCRATCH, STAGE, ROOT
    SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="test_install-"))
    if "INSTALLED" in os.environ:
        ROOT = pathlib.Path(os.environ["INSTALLED"])
        return
    STAGE = SCRATCH / "a stage"
    ROOT = pathlib.Path(f"{STAGE}{PREFIX}")
    done = make(f"PREFIX={PREFIX}", f"DESTDIR={STAGE}")
    assert done.returncode == 0, done.stdout


def tearDownModule():
    shutil.rmtree(SCRATCH)


def is_there(tool):
    if shutil.which(tool) is not None:
        return True
    print(f"# left out: {tool} is not there")
    return False


def contents(folder):
    """{path: mode, and what it holds}"""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = ("link", os.readlink(path))
        elif path.is_file():
            found[str(path.relative_to(folder))] = (
                oct(path.stat().st_mode), hashlib.sha256(path.read_bytes()).hexdigest())
    return found


class InstallTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))

    def assert_silent(self, *command, **environment):
        done = run(*command, **environment)
        self.assertEqual((0, ""), (done.returncode, done.stdout), command)

    def assert_runs(self, program):
        done = run(program, LD_LIBRARY_PATH=str(ROOT / "lib"))
        self.assertEqual((0, VERSION + "\n"), (done.returncode, done.stdout), program)


class Programs(InstallTest):
    """Built as their users would, without a warning."""

    def flags(self, *options):
        done = run("pkg-config", *options, "tagheap", PKG_CONFIG_PATH=str(ROOT / "lib/pkgconfig"))
        self.assertEqual(0, done.returncode, done.stdout)
        return shlex.split(done.stdout)

    def test_by_pkg_config(self):
        self.assertEqual([VERSION], self.flags("--modversion"))
        for compiler, source, warnings in COMPILERS:
            if is_there(compiler):
                with self.subTest(compiler=compiler):
                    program = self.folder / compiler
                    self.assert_silent(compiler, *warnings, PROGRAMS / source,
                                       *self.flags("--cflags", "--libs"), "-o", program)
                    self.assert_runs(program)
                    self.assertIn(SONAME, run("ldd", program).stdout)

    def test_with_the_static_library(self):
        program = self.folder / "program"
        self.assert_silent("gcc", *C_WARNINGS, PROGRAMS / "program.c", *self.flags("--cflags"),
                           ROOT / "lib/libtagheap.a", "-o", program)
        self.assert_runs(program)
        self.assertNotIn("libtagheap", run("ldd", program).stdout)
        # What only the classic names need does not come with it.
        self.assertNotIn("TH_", run("nm", "--defined-only", program).stdout)
        sections = run("size", "-A", program).stdout
        bytes_of = dict(re.findall(r"^(\.\w+) +(\d+)", sections, re.MULTILINE))
        self.assertLess(int(bytes_of[".bss"]), 100_000)  # 65,536 are the program's own

    def test_by_cmake(self):
        flags = {"C": C_WARNINGS, "CXX": CXX_WARNINGS}
        done = run("cmake", "-S", PROGRAMS, "-B", self.folder, f"-DCMAKE_PREFIX_PATH={ROOT}",
                   f"-DWANTED_VERSION={VERSION}",
                   *(f"-DCMAKE_{which}_FLAGS={' '.join(words)} -Werror"
                     for which, words in flags.items()))
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertNotIn("Warning", done.stdout)
        done = run("cmake", "--build", self.folder)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertNotIn("warning", done.stdout)
        for name, shared in (("in_c", True), ("in_cxx", True), ("in_c_static", False)):
            self.assert_runs(self.folder / name)
            self.assertEqual(shared, SONAME in run("ldd", self.folder / name).stdout, name)

    def test_from_the_two_files(self):
        dist = self.folder / "dist"
        self.assert_silent(TREE / "scripts/dist", dist)
        library = self.folder / "tagheap.o"
        self.assert_silent("gcc", *C_WARNINGS, "-c", dist / "tagheap.c", "-o", library)
        for compiler, source, warnings in COMPILERS:
            if is_there(compiler):
                program = self.folder / compiler
                self.assert_silent(compiler, *warnings, "-DTWO_FILES", f"-I{dist}",
                                   PROGRAMS / source, library, "-o", program)
                self.assert_runs(program)

    def test_constants_in_cxx(self):
        """No macro that stands for a value is a cast of C's."""
        constant = re.compile(r"^#define (TH_\w+[A-Z0-9]) +(?![ _[]|alignas).", re.MULTILINE)
        names = sorted({name for header in HEADERS
                        for name in constant.findall(
                            (ROOT / "include/tagheap" / header).read_text())})
        self.assertIn("TH_ALLOCATOR_ALIGNMENT", names)
        self.assertIn("TH_TAG_FREE", names)
        source = self.folder / "constants.cpp"
        includes = "".join(f"#include <tagheap/{header}>\n" for header in HEADERS)
        values = "".join(f"    const auto v{number} = {name};\n    (void)v{number};\n"
                         for number, name in enumerate(names))
        source.write_text(f"{includes}int main() {{\n{values}    return 0;\n}}\n")
        self.assert_silent("g++", *CXX_WARNINGS, f"-I{ROOT / 'include'}", "-fsyntax-only", source)


@unittest.skipIf("INSTALLED" in os.environ, "only the programs were asked for")
class Places(InstallTest):
    """Which files there are."""

    def test_what_is_there(self):
        found = contents(ROOT)
        self.assertEqual(("link", SONAME), found["lib/libtagheap.so"])
        self.assertEqual(("link", f"libtagheap.so.{VERSION}"), found[f"lib/{SONAME}"])
        for name in (f"lib/libtagheap.so.{VERSION}", "lib/libtagheap.a",
                     "lib/libtagheap-study.a",
                     "lib/pkgconfig/tagheap.pc", "lib/cmake/tagheap/tagheap-config.cmake",
                     "lib/cmake/tagheap/tagheap-config-version.cmake",
                     "share/doc/tagheap/LICENSE", "share/man/man1/heaplab.1",
                     "share/man/man3/tagheap.3"):
            self.assertEqual("0o100644", found[name][0], name)
        self.assertEqual("0o100755", found["bin/heaplab"][0])
        headers = [name for name in found if name.startswith("include/")]
        self.assertEqual([f"include/tagheap/{name}" for name in HEADERS], sorted(headers))
        self.assertEqual({"bin", "include", "lib", "share"},
                         {name.split("/")[0] for name in found})
        self.assertIn("heaplab run", run(ROOT / "bin/heaplab", "help").stdout)

    def test_no_file_says_where_it_was_staged(self):
        for path in ROOT.rglob("*"):
            if path.is_file() and path.suffix in (".pc", ".cmake", ".1", ".3", ".h"):
                text = path.read_text()
                self.assertNotIn(str(STAGE), text, path)
                self.assertNotIn("@", text if path.suffix in (".pc", ".cmake") else "", path)

    def test_only_the_public_functions_are_visible(self):
        done = run("nm", "-D", "--defined-only", ROOT / "lib/libtagheap.so")
        rows = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual({"T"}, {row[-2] for row in rows})
        visible = {row[-1] for row in rows}
        self.assertEqual([], [name for name in visible if not re.match("(th|TH)_", name)])
        declared = {name for header in HEADERS for name in
                    re.findall(r"\b((?:th|TH)_\w+)\(", (ROOT / "include/tagheap" / header).read_text())}
        self.assertEqual(set(), visible - declared)
        self.assertLessEqual({"th_heap_alloc", "TH_alloc", "th_version", "th_file_map_open"}, visible)

    def test_the_soname_is_of_the_version(self):
        dynamic = run("readelf", "-d", ROOT / "lib/libtagheap.so").stdout
        self.assertEqual([SONAME], re.findall(r"Library soname: \[(.*)\]", dynamic))
        self.assertEqual(["libc.so.6"], re.findall(r"Shared library: \[(.*)\]", dynamic))

    def test_the_manual(self):
        pages = {path.name for path in (ROOT / "share/man/man3").iterdir()}
        for header in HEADERS:
            self.assertIn(f"th_{header[:-2]}.3", pages)
        done = run("nm", "-D", "--defined-only", ROOT / "lib/libtagheap.so")
        functions = {line.split()[-1] for line in done.stdout.splitlines()}
        self.assertEqual([], [name for name in functions if f"{name}.3" not in pages])
        heap = (ROOT / "share/man/man3/th_heap.3").read_text()
        self.assertIn("void *th_heap_alloc(th_heap *heap, size_t bytes, uint32_t tag);", heap)
        self.assertEqual(".so man3/th_heap.3\n",
                         (ROOT / "share/man/man3/th_heap_alloc.3").read_text())
        heaplab = (ROOT / "share/man/man1/heaplab.1").read_text().replace("\\-", "-")
        for name in re.findall(r"^  heaplab (\S+)", run(ROOT / "bin/heaplab", "help").stdout,
                               re.MULTILINE):
            if name != "help":
                self.assertIn(f'.SS "heaplab {name}"\n', heaplab)
        self.assertIn("--keep-going", heaplab)

    def test_the_manual_is_well_formed(self):
        if is_there("groff"):
            pages = sorted([*ROOT.glob("share/man/man3/t*.3"), *ROOT.glob("share/man/man1/*.1")])
            text = "".join(path.read_text() for path in pages
                           if not path.read_text().startswith(".so"))
            self.assertGreater(text.count(".TH "), 20)
            (self.folder / "all.man").write_text(text)
            self.assert_silent("groff", "-man", "-ww", "-z", "-Tutf8", self.folder / "all.man")


HEADER = """/* SPDX-License-Identifier: MIT */
/* Things: they are
 * counted. Not kept.
 *
 *   [ thing ][ thing ]
 *
 * Errors: none.
 * 'quoted' \\ is this. */
#ifndef TAGHEAP_THING_H
#define TAGHEAP_THING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- counting ---------------------------------------------------------------------------------
 *
 * By hand. */

/* How
 * .many. */
size_t th_things(const th_thing *thing,
                 size_t most);
int th_thing_first(void);

typedef struct th_thing {
    int x; /* across */

    int y;
} th_thing;

#define TH_THING_ROUND_(a) (a)
#define TH_THING(a) \\
    TH_THING_ROUND_(a)
#define TH_THINGS 3

#ifdef __cplusplus
}
#endif
#endif
"""


class Manual(InstallTest):
    """What becomes of a header, and of one that is none."""

    def pages(self, text, *others):
        (self.folder / "include/tagheap").mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / "include/tagheap/version.h", self.folder / "include/tagheap")
        (self.folder / "include/tagheap/thing.h").write_text(text)
        return run(TREE / "scripts/manual", "--root", self.folder, self.folder / "man", *others)

    def test_what_a_page_says(self):
        done = self.pages(HEADER)
        self.assertEqual((0, ""), (done.returncode, done.stdout))
        page = (self.folder / "man/th_thing.3").read_text()
        for text in ('.TH TH_THING 3 "" "TagHeap ' + VERSION, "th_thing \\- Things: they are counted\n",
                     "\n#include <tagheap/thing.h>\n",
                     "\nsize_t th_things(const th_thing *thing, size_t most);\n"
                     "int th_thing_first(void);\n.ft P\n",
                     "\n.nf\n  [ thing ][ thing ]\n.fi\n", '\n.B "Errors:"\nnone.\n',
                     "\n\\&'quoted' \\e is this.\n", '\n.SS "counting"\n.RS\n.PP\nBy hand.\n.RE\n',
                     "\n    int x; /* across */\n\n    int y;\n} th_thing;\n",
                     "\n.PP\nHow\n\\&.many.\n",
                     "\n#define TH_THING(a)\n#define TH_THINGS 3\n.ft P\n"):
            self.assertIn(text, page)
        for text in ("__cplusplus", "TH_THING_ROUND_", "stddef", "---"):
            self.assertNotIn(text, page)
        for name in ("th_things", "th_thing_first"):
            self.assertEqual(".so man3/th_thing.3\n", (self.folder / f"man/{name}.3").read_text())
        self.assertIn("Things: they are counted.\n", (self.folder / "man/tagheap.3").read_text())

    def test_headers_that_are_none(self):
        for text in (HEADER.replace("SPDX", "SPD"), HEADER.replace("#define TAGHEAP", "#define TAG"),
                     "/* SPDX-License-Identifier: MIT */\nint x;\n"):
            done = self.pages(text)
            self.assertEqual((2, 1), (done.returncode, len(done.stdout.splitlines())), done.stdout)
            self.assertIn("thing.h: is no header with an opening comment", done.stdout)
            self.assertFalse((self.folder / "man").exists())

    def test_a_heaplab_that_speaks_otherwise(self):
        program = self.folder / "heaplab"
        for text, said in (("exit 3", "exit status 3"), ("echo hello", "says no exit status"),
                           ("echo '  heaplab run'", "heaplab run --help does not say usage")):
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
            done = self.pages(HEADER, "--heaplab", program)
            self.assertEqual((2, 1), (done.returncode, len(done.stdout.splitlines())), done.stdout)
            self.assertIn(said, done.stdout)


@unittest.skipIf("INSTALLED" in os.environ, "only the programs were asked for")
class Again(InstallTest):
    def test_twice_is_the_same(self):
        before = contents(STAGE)
        done = make(f"PREFIX={PREFIX}", f"DESTDIR={STAGE}")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(before, contents(STAGE))

    def test_uninstalled_nothing_is_left_but_others_files(self):
        stage = self.folder / "stage"
        where = (f"prefix={PREFIX}", f"DESTDIR={stage}")
        self.assertEqual(0, make(*where).returncode)
        (stage / "opt/tag heap/include/tagheap/mine.h").write_text("mine")
        (stage / "opt/tag heap/lib/libother.a").write_text("other")
        done = make(*where, target="uninstall")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn(f"{len(contents(ROOT))} files removed", done.stdout)
        self.assertEqual({"opt/tag heap/include/tagheap/mine.h", "opt/tag heap/lib/libother.a"},
                         set(contents(stage)))
        self.assertFalse((stage / "opt/tag heap/lib/cmake/tagheap").exists())
        done = make(*where, target="uninstall")
        self.assertEqual((0, True), (done.returncode, "  0 files removed" in done.stdout))

    def test_the_library_alone_and_other_folders(self):
        stage = self.folder / "stage"
        done = make("PREFIX=/usr", f"DESTDIR={stage}", "libdir=/usr/lib/x86_64-linux-gnu",
                    "includedir=/srv/my headers", target="install-lib")
        self.assertEqual(0, done.returncode, done.stdout)
        found = contents(stage)
        self.assertNotIn("usr/bin/heaplab", found)
        self.assertNotIn("usr/share/man/man1/heaplab.1", found)
        self.assertIn("srv/my headers/tagheap/heap.h", found)
        config = (stage / "usr/lib/x86_64-linux-gnu/pkgconfig/tagheap.pc").read_text()
        self.assertIn("\nprefix=${pcfiledir}/../../..\n", config)
        self.assertIn("\nlibdir=${pcfiledir}/..\n", config)
        self.assertIn("\nincludedir=/srv/my\\ headers\n", config)

    def test_whatever_the_umask_is(self):
        stage = self.folder / "stage"
        done = run("sh", "-c", 'umask 077; exec "$@"', "sh", "make", "-s", "-C", TREE, "install",
                   "HEAPLAB=build/debug/heaplab", f"PREFIX={PREFIX}", f"DESTDIR={stage}")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(contents(STAGE), contents(stage))
        self.assertEqual({0o40755}, {path.stat().st_mode for path in stage.rglob("*")
                                     if path.is_dir()})


@unittest.skipIf("INSTALLED" in os.environ, "only the programs were asked for")
class Refused(InstallTest):
    """In one line, with exit status 2, and nothing is changed."""

    def assert_refused(self, done, *said):
        lines = [line for line in done.stdout.splitlines() if not line.startswith("make: ***")]
        self.assertEqual((2, 1), (done.returncode, len(lines)), done.stdout)
        for text in said:
            self.assertIn(text, lines[0])

    def test_something_in_the_way(self):
        stage = self.folder / "stage"
        shutil.copytree(STAGE, stage, symlinks=True)
        pool = stage / "opt/tag heap/share/man/man3/th_pool.3"
        pool.unlink()
        pool.mkdir()
        (stage / "opt/tag heap/lib/libtagheap.a").write_text("older")
        before = contents(stage)
        done = make(f"PREFIX={PREFIX}", f"DESTDIR={stage}")
        self.assert_refused(done, "th_pool.3: cannot be written: it is a folder")
        self.assertEqual(before, contents(stage))
        shutil.rmtree(stage)
        (stage / "opt/tag heap").mkdir(parents=True)
        (stage / "opt/tag heap/share").write_text("a file")
        self.assert_refused(make(f"PREFIX={PREFIX}", f"DESTDIR={stage}"), "tag heap/share")
        self.assertEqual([stage / "opt", stage / "opt/tag heap", stage / "opt/tag heap/share"],
                         sorted(stage.rglob("*")))

    def test_without_rights(self):
        """As somebody who may read what was built, and write nothing."""
        tree, closed = self.folder / "tree", self.folder / "closed"
        for name in ("common_lib", "dist_lib", "manual_lib", "install_lib"):
            shutil.copytree(TREE / "scripts" / name, tree / "scripts" / name)
        shutil.copytree(ROOT / "include", tree / "include")
        shutil.copy(TREE / "scripts/install", tree / "scripts")
        shutil.copy(TREE / "LICENSE", tree)
        shutil.copytree(ROOT / "lib", tree / "lib")
        manual = tree / "man"
        shutil.copytree(ROOT / "share/man/man3", manual)
        closed.mkdir()
        closed.chmod(0o555)
        for each in (SCRATCH, self.folder):
            each.chmod(0o755)
        done = install(f"{closed}/usr", f"--library={tree / 'lib'}", f"--manual={manual}",
                       "--only=library", command=tree / "scripts/install",
                       user=NOBODY if os.geteuid() == 0 else None)
        self.assert_refused(done, f"{closed}/usr/", "cannot be written: Permission denied")
        self.assertEqual([], os.listdir(closed))

    def test_bad_folders(self):
        for folder, said in (("relative/folder", "is no absolute path"),
                             ('/opt/"quoted"', "holds '\"'"), ("/opt/a;b", "holds ';'")):
            self.assert_refused(install(folder, "--destdir", self.folder), said, folder)
        self.assert_refused(install(PREFIX, "--destdir", "/proc/none", "--only=library",
                                    f"--library={ROOT / 'lib'}",
                                    f"--manual={ROOT / 'share/man/man3'}"),
                            "/proc/none")
        self.assert_refused(make("PREFIX=relative/folder", f"DESTDIR={self.folder}"),
                            "prefix=relative/folder: is no absolute path")
        self.assertEqual({}, contents(self.folder))

    def test_what_is_not_built_or_does_not_run_here(self):
        done = install(f"{self.folder}/usr", "--library", self.folder / "none")
        self.assert_refused(done, f"{self.folder}/none/libtagheap.so: No such file")
        self.assertEqual([], os.listdir(self.folder))
        self.assert_refused(run(TREE / "scripts/install"), "--prefix is not given")
        self.assert_refused(run(TREE / "scripts/manual", "--heaplab", TREE / "LICENSE",
                                self.folder / "man"), "LICENSE: does not run here")
        self.assert_refused(run(TREE / "scripts/manual", "/proc/none"), "/proc/none")
        self.assertEqual([], os.listdir(self.folder))


if __name__ == "__main__":
    unittest.main()
