#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/dist: the two files compile without a warning, with every compiler that is
there, and work in C and C++ programs; what cannot be joined is refused. Takes two minutes:

  tests/scripts/test_dist.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
DIST = TREE / "scripts/dist"
NAMES = ["tagheap.c", "tagheap.h"]
WARNINGS = ("-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wcast-align "
            "-Wmissing-prototypes -Werror").split()
CXX_WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
LICENCE = "/* SPDX-License-Identifier: MIT */\n"
SCRATCH = None
LIBRARIES = {}  # (compiler, flags) -> the two files as it compiles them

# What a heap of 64 KiB decided, as one number; then whether it took memory for an index.
PLAY = """#include "tagheap.h"
#include <stdio.h>
#define ROOM 65536
static _Alignas(16) unsigned char region[ROOM], copied[ROOM], memory[4096];
int main(void) {
    th_heap heap, copy;
    void *blocks[64] = {0};
    unsigned long long state = 1, sum = 0;
    th_heap_config config = {.guarding = {.level = 3}, .alignment = 16, .index = TH_HEAP_INDEX_GIVEN,
                             .index_memory = memory, .index_bytes = sizeof memory};
    th_status given = th_heap_init(&heap, region, ROOM, &config);
    config.index = TH_HEAP_INDEX_AUTO;
    if (given != TH_OK && th_heap_init(&heap, region, ROOM, &config) != TH_OK) {
        return 1;
    }
    for (int i = 0; i < 20000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        void **block = &blocks[state >> 58];
        if (*block != NULL) {
            th_heap_free(&heap, *block);
        }
        size_t bytes = (size_t)(state >> 40 & 2047) + 1;
        *block = th_heap_alloc(&heap, bytes, state >> 33 & 1 ? 0x1001 : 0x4001);
        sum = sum * 31 + (*block == NULL ? 7 : (size_t)((unsigned char *)*block - region));
    }
    if (th_heap_copy(&heap, &copy, copied) != TH_OK || th_heap_attach(&copy, copied) != TH_OK ||
        th_heap_largest_free_bytes(&copy) != th_heap_largest_free_bytes(&heap) ||
        th_heap_region_bytes(&heap) != ROOM) {
        return 2;
    }
    printf("%llu\\n%s", sum, th_status_name(given));
    printf(" %s\\n", th_status_name(th_heap_set_index(&heap, memory, sizeof memory)));
    return 0;
}
"""


def setUpModule():
    global SCRATCH
    SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="test_dist-"))
    subprocess.run([DIST, SCRATCH / "dist"], check=True)


def tearDownModule():
    shutil.rmtree(SCRATCH)


def is_there(tool):
    return shutil.which(tool) is not None


def run(*command, folder=None, **environment):
    return subprocess.run([str(word) for word in command], cwd=folder, text=True,
                          env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class DistTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))

    def assert_silent(self, *command):
        done = run(*command)
        self.assertEqual((0, ""), (done.returncode, done.stdout), command)

    def compile(self, compiler, *flags):
        """The library as an object, which is compiled once for all tests."""
        if (compiler, flags) not in LIBRARIES:
            path = SCRATCH / f"library-{len(LIBRARIES)}.o"
            self.assert_silent(compiler, *flags, "-c", SCRATCH / "dist/tagheap.c", "-o", path)
            LIBRARIES[compiler, flags] = path
        return LIBRARIES[compiler, flags]

    def assert_no_warning(self, compiler, *flags):
        """All that the compiler says, it says before it writes assembly: clang, and gcc at -O0, even
        before code is generated, which gcc's link-time optimization leaves for later."""
        source = SCRATCH / "dist/tagheap.c"
        if compiler == "clang":
            self.assert_silent(compiler, *flags, "-fsyntax-only", source)
        else:
            brief = ["-flto"] if "-O0" in flags else []
            self.assert_silent(compiler, *flags, *brief, "-S", source, "-o", os.devnull)

    def symbols(self, path, kinds):
        done = run("nm", path)
        rows = [line.split() for line in done.stdout.splitlines()]
        return {row[-1] for row in rows if row[-2] in kinds}


class TwoFiles(DistTest):
    def test_the_same_sources_give_the_same_bytes(self):
        tree = self.folder / "elsewhere"
        for part in ("include", "src"):
            shutil.copytree(TREE / part, tree / part)
        done = run(DIST, self.folder / "out", "--root", tree, folder="/", PYTHONHASHSEED="1")
        self.assertEqual((0, ""), (done.returncode, done.stdout))
        for name in NAMES:
            text = (self.folder / "out" / name).read_bytes()
            self.assertEqual((SCRATCH / "dist" / name).read_bytes(), text)
            self.assertNotIn(str(TREE).encode(), text)

    def test_every_file_stands_in_them_once(self):
        header = (SCRATCH / "dist/tagheap.h").read_text()
        source = (SCRATCH / "dist/tagheap.c").read_text()
        title = re.compile(r"^/\* ==== (\S+) =+ \*/$", re.MULTILINE)
        study = {path.stem for path in TREE.glob("src/study/*.c")}  # an archive of its own
        public = sorted(str(path.relative_to(TREE)) for path in TREE.glob("include/*/*.h")
                        if path.stem not in study)
        others = sorted(str(path.relative_to(TREE)) for path in TREE.glob("src/*/*.[ch]")
                        if path.parent.name != "study")
        self.assertEqual(public, sorted(title.findall(header)))
        self.assertEqual(others, sorted(title.findall(source)))
        self.assertEqual(1, source.count("SPDX") * header.count("SPDX"))
        self.assertEqual(['"tagheap.h"'], re.findall(r'^#include (".*")$', source, re.MULTILINE))
        self.assertEqual([], re.findall(r'^#include ".*"$', header, re.MULTILINE))

    def test_the_options_are_those_of_the_sources(self):
        option = re.compile(r"^#ifndef (TH_\w+)\n#define \1\b", re.MULTILINE)
        texts = [path.read_text() for path in TREE.glob("src/*/*.h")]
        found = {name for text in texts for name in option.findall(text)
                 if not name.endswith("_H")} | {"TH_COMPILER_GNU", "TH_COMPILER_SSE2"}
        comment = (SCRATCH / "dist/tagheap.c").read_text().split("*/")[1]
        told = set(re.findall(r"^ \*   -D(\w+)=", comment, re.MULTILINE))
        tuning = {name for name in found if name.startswith("TH_INDEX_")}  # for tests of the index
        self.assertEqual(found - tuning | {"TH_OS", "TH_INTERNAL", "TH_CLASSIC"}, told)

    def test_without_a_warning(self):
        fast, plain = ["-O0"], ["-O0", "-DTH_COMPILER_GNU=0", "-fno-strict-aliasing"]
        guarded = ["-DTH_GUARD=3", "-DTH_ASSERTS=1"]
        cases = [("gcc", ["-O2", *WARNINGS]), ("gcc", ["-O2", *guarded, *WARNINGS]),
                 ("gcc", [*plain, *guarded, *WARNINGS]), ("gcc", [*fast, "-m32", *WARNINGS]),
                 ("clang", ["-O2", *WARNINGS]), ("clang", ["-O2", *guarded, *WARNINGS]),
                 ("clang", ["-O2", *guarded, "-fsanitize=address,undefined", *WARNINGS]),
                 ("musl-gcc", [*fast, *guarded, *WARNINGS]), ("tcc", ["-Wall", "-Werror"]),
                 ("tcc", ["-Wall", "-Werror", *guarded]),
                 ("gcc", [*fast, "-DTH_CLASSIC=0", "-DTH_LAYOUTS=2", *WARNINGS])]
        knobs = [[f"-DTH_LAYOUTS={which}"] for which in range(1, 7)] + [["-DTH_CLASSIC=0"]]
        knobs += [[f"-DTH_GUARD={level}", more] for level in (0, 1, 2, 3)
                  for more in ("-DTH_OS=0", "-DTH_INTERNAL=", "-DTH_INDEX=0")]
        # What is left unused, clang tells before it generates code, and gcc only after.
        cases += [("clang", [*more, *WARNINGS]) for more in knobs]
        cases += [("gcc", ["-fsyntax-only", *more, *WARNINGS]) for more in knobs]
        for compiler, flags in cases:
            if is_there(compiler):
                with self.subTest(compiler=compiler, flags=flags):
                    if compiler == "tcc":  # which writes objects only
                        self.compile(compiler, "-std=c11", *flags)
                    else:
                        self.assert_no_warning(compiler, "-std=c11", *flags)
            else:
                print(f"# left out: {compiler} is not there")

    def test_what_others_see(self):
        """No name but the library's own, and none that the header does not declare."""
        header = (SCRATCH / "dist/tagheap.h").read_text()
        declared = set(re.findall(r"\b(\w+)\(", header))
        external = self.symbols(self.compile("gcc", "-std=c11", "-O1"), "TDBRCVW")
        self.assertIn("th_heap_alloc", external)
        self.assertEqual(set(), external - declared)
        self.assertEqual([], [name for name in external if not re.match("th_|TH_", name)])
        opened = self.symbols(self.compile("gcc", "-std=c11", "-O1", "-DTH_INTERNAL="), "TDBRCVW")
        self.assertLess(external, opened)
        self.assertIn("th_chain_replace", opened)

    def test_what_the_header_defines(self):
        def macros(text):
            done = subprocess.run(["gcc", "-std=c11", "-dM", "-E", f"-I{SCRATCH / 'dist'}", "-"],
                                  input=text, text=True, capture_output=True, check=True)
            return set(re.findall(r"^#define (\w+)", done.stdout, re.MULTILINE))

        systems = re.findall(r"^#include <.*>$", (SCRATCH / "dist/tagheap.h").read_text(),
                             re.MULTILINE)
        self.assertEqual(sorted(systems), systems)
        ours = macros('#include "tagheap.h"\n') - macros("\n".join(systems) + "\n")
        self.assertIn("TAGHEAP_H", ours)
        self.assertEqual([], sorted(name for name in ours if not re.match("TH_|TAGHEAP_", name)))
        self.assertEqual([], [name for name in ours if re.match("TH_(GUARD|OS|INTERNAL|CLASSIC)$", name)])

    def test_without_the_classic_names(self):
        """Which is all that is left out."""
        whole = self.symbols(self.compile("gcc", "-std=c11", "-O1"), "TDBRCVW")
        rest = self.symbols(self.compile("gcc", "-std=c11", "-O1", "-DTH_CLASSIC=0"), "TDBRCVW")
        self.assertEqual({name for name in whole if not name.startswith("TH_")}, rest)

    def test_without_an_operating_system(self):
        allowed = (TREE / "scripts/check-freestanding").read_text()
        allowed = re.search(r'ALLOWED="([^"]*)"', allowed)[1].split()
        # The two files then have no shared heaps: there are no processes.
        allowed = [name for name in allowed if not name.startswith("th_process_")]
        built = self.compile("gcc", "-std=c11", "-O1", "-DTH_OS=0", "-ffreestanding",
                             "-fno-builtin", "-fno-stack-protector")
        self.assertEqual(sorted(allowed), sorted(self.symbols(built, "U")))

    def test_without_an_index_it_decides_the_same(self):
        source, program = self.folder / "program.c", self.folder / "program"
        source.write_text(PLAY)
        said = []
        for flags in ([], ["-DTH_INDEX=0"]):
            library = self.compile("gcc", "-std=c11", "-O1", "-DTH_GUARD=3", *flags)
            self.assert_silent("gcc", "-Wall", f"-I{SCRATCH / 'dist'}", source, library, "-o",
                               program)
            done = run(program)
            self.assertEqual(0, done.returncode, done.stdout)
            said.append(done.stdout.splitlines())
        self.assertEqual(said[0][0], said[1][0])
        self.assertEqual(["TH_OK TH_OK", "TH_ERR_CONFIG TH_ERR_CONFIG"],
                         [lines[1] for lines in said])
        bare = self.compile("gcc", "-std=c11", "-O1", "-DTH_INDEX=0")
        self.assertEqual(set(), {"th_index_insert", "th_index_up", "th_index_check"} &
                         self.symbols(bare, "Tt"))

    def link_and_run(self, compiler, source, *objects):
        program = self.folder / f"{pathlib.Path(source).name}-{compiler}"
        self.assert_silent(compiler, source, *objects, "-o", program)
        done = run(program, folder=self.folder)
        self.assertEqual(0, done.returncode, done.stdout)

    def test_the_examples_are_built_from_them(self):
        for header in TREE.glob("examples/*.h"):
            shutil.copy(header, self.folder)
        for name in NAMES:
            shutil.copy(SCRATCH / "dist" / name, self.folder)
        examples = [path for path in sorted(TREE.glob("examples/*.c"))
                    if re.search(r"^int main\b", path.read_text(), re.MULTILINE)]
        self.assertGreater(len(examples), 3)
        library = self.compile("gcc", "-std=c11", "-O1")
        guarded = self.compile("gcc", "-std=c11", "-O1", "-DTH_GUARD=3")
        for path in examples:
            text = re.sub(r'^#include ["<]tagheap/.*[">]$', '#include "tagheap.h"',
                          path.read_text(), flags=re.MULTILINE)
            (self.folder / path.name).write_text(text)
            for built in (library, guarded):
                with self.subTest(example=path.name, library=built.name):
                    self.link_and_run("gcc", self.folder / path.name, built)

    def test_in_a_program_in_cxx(self):
        source = self.folder / "program.cpp"
        source.write_text("""#include "tagheap.h"
#include "tagheap.h"
#include <new>
#include <cstdint>
struct point { int x, y; };
static std::uint32_t memory[1024];
static th_heap heap;
int main() {
    if (th_heap_init(&heap, memory, sizeof memory, nullptr) != TH_OK) { return 1; }
    void *at = th_heap_alloc(&heap, sizeof(point), 0x1001);
    point *made = at != nullptr ? new (at) point{1, 2} : nullptr;
    th_pool pool;
    (void)sizeof pool;
    return made != nullptr && made->y == 2 && th_heap_free(&heap, made) > 0 ? 0 : 1;
}
""")
        library = self.compile("gcc", "-std=c11", "-O1")
        for compiler in ("g++", "clang++"):
            for standard in ("c++11", "c++17"):
                program = self.folder / "program"
                self.assert_silent(compiler, f"-std={standard}", *CXX_WARNINGS,
                                   f"-I{SCRATCH / 'dist'}", source, library, "-o", program)
                self.assertEqual(0, run(program).returncode)


HEADER = LICENCE + "#ifndef {guard}\n#define {guard}\n{text}\n#endif\n"


class SmallTrees(DistTest):
    """What scripts/dist makes of small libraries."""

    def tree(self, **files):
        """Writes the files, module__name_h for module/name.h; headers are given without guard. What
        every library needs is added."""
        (self.folder / "include/tagheap").mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / "include/tagheap/compiler.h", self.folder / "include/tagheap")
        for name, text in files.items():
            module, name = name.split("__")
            name = name[:-2] + "." + name[-1]
            folder = self.folder / ("include" if module == "tagheap" else "src") / module
            folder.mkdir(parents=True, exist_ok=True)
            text = HEADER.format(guard=f"{module}_{name[:-2]}_H".upper(), text=text) \
                if name.endswith(".h") else LICENCE + text
            (folder / name).write_text(text)

    def dist(self):
        return run(DIST, self.folder / "out", "--root", self.folder)

    def assert_refused(self, *parts):
        done = self.dist()
        self.assertEqual(2, done.returncode)
        lines = done.stdout.splitlines()
        self.assertEqual(1, len(lines), lines)
        for part in ("scripts/dist: ", *parts):
            self.assertIn(part, lines[0])
        self.assertFalse((self.folder / "out").exists())

    def made(self):
        done = self.dist()
        self.assertEqual((0, ""), (done.returncode, done.stdout))
        return [(self.folder / "out" / name).read_text() for name in NAMES]

    def value(self):
        """What th_main() of the small library returns."""
        source, _ = self.made()
        (self.folder / "main.c").write_text('#include "out/tagheap.h"\n'
                                            "int main(void) { return th_main(); }\n")
        self.assert_silent("gcc", "-std=c11", *WARNINGS, self.folder / "out/tagheap.c",
                           self.folder / "main.c", "-o", self.folder / "program")
        return run(self.folder / "program").returncode, source

    def test_each_source_has_its_own_names(self):
        """Functions, objects, types, tags, constants and macros, all with equal names; names of
        members, of what is declared inside functions, and in texts stay."""
        body = """
#define NUMBER {n}
typedef struct pair {{ int same, other[2]; struct pair *next; }} pair;
typedef int (*action)(int same);
enum {{ ONE = {n}, TWO }};
union box {{ int same; }};
static int count = 1, more[2] = {{NUMBER, ONE}};
static int same(int x);
static int twice(int x) {{ return 2 * same(x); }}
TH_OUR_PART int same(int x) {{ return x + NUMBER; }}
TH_OUR_PART int part(int x) {{ return x; }}
int {name}(void) {{
    static const action table[] = {{same, twice}};
    pair made = {{.same = 1, .other = {{TWO, count}}}};
    union box held = {{.same = 0}};
    made.next = &made;
    const char *text = "same"; /* same */
    int sum = part(0) + table[0](made.next->same) + more[1] + held.same + made.other[0];
    return sum + text[0] - 's';
}}
"""
        self.tree(tagheap__all_h="int th_main(void);",
                  one__own_h="#define TH_OUR_PART static\nint th_other(void);",
                  one__first_c='#include "one/own.h"\n' + body.format(n=3, name="th_other"),
                  two__second_c='#include "one/own.h"\n#include "tagheap/all.h"\n' +
                  body.format(n=10, name="th_ten") .replace(
                      "int th_ten", "static int ten") + """
int th_main(void) { return ten() + th_other() + twice(0); }
""")
        value, source = self.value()
        self.assertEqual((1 + 10) + 10 + 11 + (1 + 3) + 3 + 4 + 20, value)
        for text in ("first_same(", "second_part(", "struct second_pair {", "first_ONE = 3",
                     '"same"; /* same */', ".same = 1", "#undef NUMBER"):
            self.assertIn(text, source)
        self.assertIn("TH_INTERNAL int th_other(void);", source)

    def test_headers_come_once_and_in_order(self):
        self.tree(tagheap__b_h='#include <stddef.h>\n#include "tagheap/c.h"\ntypedef th_c th_b;',
                  tagheap__c_h="#include <stdbool.h>\ntypedef int th_c;",
                  tagheap__a_h='#include "tagheap/b.h"\nth_b th_main(void);',
                  low__z_h='#include "low/zz.h"\nenum { TH_Z = TH_ZZ + 1 };',
                  low__zz_h="enum { TH_ZZ = 4 };",
                  high__a_c='#include "tagheap/a.h"\n#include "low/z.h"\n'
                            "int th_main(void) { return TH_Z; }\n")
        value, source = self.value()
        self.assertEqual(5, value)
        header = (self.folder / "out/tagheap.h").read_text()
        self.assertEqual(["stdbool.h", "stddef.h"], re.findall("#include <(.*)>", header))
        self.assertLess(header.index("typedef int th_c"), header.index("typedef th_c th_b"))
        self.assertEqual(1, source.count("TH_ZZ = 4"))

    def test_includes_on_a_condition_stay_and_others_after_it_do_not(self):
        self.tree(tagheap__a_h="int th_main(void);",
                  one__b_h="#if 1\n#define TH_X (UCHAR_MAX - 250)\n#endif\n#include <stdalign.h>\n"
                           "#if 1\n#include <limits.h>\n#endif\n",
                  one__a_c="#if 0\n#error no\n#endif\n#include \"one/b.h\"\n"
                           "#include \"tagheap/a.h\"\nint th_main(void) { return TH_X; }\n")
        value, source = self.value()
        self.assertEqual(5, value)
        self.assertLess(source.index("#include <stdalign.h>"), source.index("src/one/b.h"))
        self.assertLess(source.index("src/one/b.h"), source.index("#include <limits.h>"))

    def test_what_needs_the_system_can_be_left_out(self):
        self.tree(tagheap__a_h="int th_main(void);\nint th_file(void);",
                  os__own_h="int th_os(void);",
                  os__file_c='#define _POSIX_C_SOURCE 200112L\n#include "os/own.h"\n'
                             '#include "tagheap/a.h"\nint th_os(void) { return 3; }\n'
                             "int th_file(void) { return th_os(); }\n",
                  top__file2_c='#define _POSIX_C_SOURCE 200809L\n#include <unistd.h>\n'
                               "int th_two(void);\nint th_two(void) { return (int)getpid(); }\n",
                  top__main_c='#include "tagheap/a.h"\nint th_main(void) { return 7; }\n')
        value, source = self.value()
        self.assertEqual(7, value)
        self.assertEqual(["200809L"], re.findall("#define _POSIX_C_SOURCE (.*)", source))
        built = self.folder / "bare.o"
        self.assert_silent("gcc", "-std=c11", *WARNINGS, "-DTH_OS=0", "-c",
                           self.folder / "out/tagheap.c", "-o", built)
        self.assertEqual({"th_main"}, self.symbols(built, "T"))

    def test_a_name_that_is_taken(self):
        self.tree(tagheap__a_h="int th_main(void);",
                  one__a_c='#include "tagheap/a.h"\nstatic int b;\nint th_main(void)'
                           " { int a_b = 0; return a_b + b; }\n")
        self.assert_refused("src/one/a.c: b would become a_b", "rename")

    def test_two_sources_of_one_name(self):
        self.tree(one__a_c="", two__a_c="")
        self.assert_refused("src/one/a.c: ", "called a.c, too")

    def test_a_private_name_in_a_public_header(self):
        for text in ("int helper(void);", "#define HELPER 1", "typedef int helper;",
                     "struct helper { int x; };", "enum { HELPER };",
                     "typedef struct th_x { int x; } *helper;"):
            with self.subTest(text):
                self.tree(tagheap__a_h=text, one__a_c="")
                self.assert_refused("include/tagheap/a.h: declares ", "th_")

    def test_headers_that_cannot_be_ordered(self):
        self.tree(one__a_h='#include "one/b.h"\n', one__b_h='#include "one/a.h"\n', one__a_c="")
        self.assert_refused("one/a.h needs one/b.h needs one/a.h")
        self.tree(one__b_h="", two__c_h='#include "one/b.h"\n', one__a_h='#include "two/c.h"\n')
        self.assert_refused("one needs two needs one")

    def test_includes_that_cannot_be_followed(self):
        self.tree(one__a_c='#include "one/none.h"\n')
        self.assert_refused("src/one/a.c: includes one/none.h")
        self.tree(one__b_h="", one__a_c='#if 1\n#include "one/b.h"\n#endif\n')
        self.assert_refused("src/one/a.c: includes one/b.h on a condition")

    def test_headers_without_a_guard_or_a_licence(self):
        self.tree(one__a_c="", one__b_h="")
        (self.folder / "src/one/b.h").write_text(LICENCE + "#define TH_X 1\n")
        self.assert_refused("src/one/b.h: has no include guard")
        (self.folder / "src/one/b.h").write_text("")
        self.assert_refused("src/one/b.h: does not begin with")
        (self.folder / "src/one/b.h").write_bytes(LICENCE.encode() + b"\xff")
        self.assert_refused("src/one/b.h: is no UTF-8")

    def test_a_tree_without_sources(self):
        self.assert_refused("holds no sources")

    def test_bad_options_and_folders(self):
        self.tree(one__a_c="")
        for arguments, said in ((["--no-such"], "--no-such"), (["a", "b"], "b"),
                                (["/proc/none"], "/proc/none")):
            done = run(DIST, *arguments, folder=self.folder)
            self.assertEqual(2, done.returncode, done.stdout)
            self.assertEqual(1, len(done.stdout.splitlines()), done.stdout)
            self.assertIn(said, done.stdout)
        (self.folder / "full/tagheap.h").mkdir(parents=True)
        done = run(DIST, self.folder / "full", "--root", self.folder)
        self.assertEqual(2, done.returncode)
        self.assertIn("tagheap.h: cannot be written: it is a folder", done.stdout)
        self.assertEqual(["tagheap.h"], os.listdir(self.folder / "full"))


if __name__ == "__main__":
    unittest.main()
