#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that what the documents name is there: the targets of make, the files and headings of links,
and the files that comments and CONTRIBUTING.md name; that the programs in them compile; and that
docs/script.md has the operations that heaplab has.

  tests/scripts/test_docs.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
HEAPLAB = os.environ.get("HEAPLAB", str(TREE / "build" / "debug" / "heaplab"))
DOCUMENTS = [TREE / "README.md", TREE / "CONTRIBUTING.md", TREE / "fuzz" / "bugs" / "README.md",
             *sorted((TREE / "docs").rglob("*.md"))]
# In text between backticks; in code at the start of a line.
COMMAND = re.compile(r"(?:`|^(?:    )?(?:\$ )?)make((?: [a-z][a-z0-9-]*\b(?!=))+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# With a folder, from the tree's root, include/, src/, fuzz/ or the file's own folder.
NAMED_FILE = re.compile(r"(?<![\w./<*-])(?!build/)((?:[a-z][\w-]*/)*[a-z_]\w*\.(?:c|h|md|mk|def|tsv))\b(?![*(])")
# Not files of this tree: other people's, the user's own, and those that a command makes.
OTHERS_FILES = {"custom_mutators.md", "link.h", "sanitizer_allocator_secondary.h", "tagheap.c",
                "tagheap.h"}
FOLDERS = ("include", "src", "fuzz", "tests", "bench", "examples", "sanitize")
SOURCES = [path for folder in FOLDERS for path in sorted((TREE / folder).rglob("*.[ch]"))]
# Programs in C. One without an #include is a part of one: what surrounds it on its page.
PROGRAM = re.compile(r"^```c\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SURROUNDINGS = {
    "handles.md": """
        #include "tagheap/handles.h"
        enum { TAG_SPRITES = 1 };
        void draw(const unsigned char *pixels);
        void part(th_heap heap);
        void part(th_heap heap) {""",
    "cache.md": """
        #include "tagheap/cache.h"
        enum { TAG_LUMPS = 1 };
        void part(th_heap heap, th_handles handles, th_cache cache, uint64_t number, size_t bytes,
                  th_cache_load_fn read_lump, void *wad);
        void part(th_heap heap, th_handles handles, th_cache cache, uint64_t number, size_t bytes,
                  th_cache_load_fn read_lump, void *wad) {""",
    "tracker.md": """
        #include <stdio.h>
        #include "tagheap/arena.h"
        #include "tagheap/tracker_write.h"
        void play_level(void);
        void part(th_arena arena, th_tracker_change_fn print_change, th_tracker_write_fn print_text);
        void part(th_arena arena, th_tracker_change_fn print_change, th_tracker_write_fn print_text) {""",
}
COMPILE = ("gcc", "-std=c11", "-D_DEFAULT_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra",
           "-Wpedantic", "-Wconversion", "-Wshadow", "-Wno-unused-but-set-variable",
           "-Wno-unused-variable", "-Werror", f"-I{TREE / 'include'}", "-fsyntax-only", "-xc", "-")


def anchor(heading):
    """What a link to the heading is called."""
    text = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).strip().lower()
    return re.sub(r"[^\w -]", "", text).replace(" ", "-")


def anchors(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return {anchor(heading) for heading in HEADING.findall(text)}


class Documents(unittest.TestCase):
    def test_what_make_is_asked_for_is_there(self):
        rules = [TREE / "Makefile", *(TREE / "sanitize").glob("*.mk")]
        named = {(path.name, target) for path in DOCUMENTS
                 for words in COMMAND.findall(path.read_text()) for target in words.split()}
        self.assertIn(("README.md", "fuzz"), named)
        self.assertIn(("workflow.md", "triage"), named)
        there = {target for path in rules
                 for target in re.findall(r"^## ([a-z0-9-]+): ", path.read_text(), re.MULTILINE)}
        self.assertEqual([], sorted(use for use in named if use[1] not in there))
        listed = subprocess.run([TREE / "scripts" / "help", *rules], capture_output=True, text=True,
                                check=True).stdout
        self.assertEqual(there, set(re.findall(r"^  make ([a-z0-9-]+) ", listed, re.MULTILINE)))

    def test_links_lead_to_files(self):
        links = [(path, link) for path in DOCUMENTS for link, _ in LINK.findall(path.read_text())]
        self.assertGreater(len(links), 100)
        dead = [f"{path.name}: {link}" for path, link in links
                if not (path.parent / link).exists()]
        self.assertEqual([], dead)

    def test_links_lead_to_headings(self):
        links = [(path, link, name) for path in DOCUMENTS
                 for link, name in LINK.findall(path.read_text()) if name]
        self.assertGreater(len(links), 3)
        dead = [f"{path.name}: {link}#{name}" for path, link, name in links
                if name not in anchors(path.parent / link if link else path)]
        self.assertEqual([], dead)

    def test_every_page_is_found(self):
        """From docs/README.md."""
        index = TREE / "docs" / "README.md"
        named = {(index.parent / link).resolve() for link, _ in LINK.findall(index.read_text())}
        self.assertEqual([], [str(path.relative_to(TREE)) for path in DOCUMENTS
                              if path not in named | {index, TREE / "README.md"}])

    def test_files_that_comments_name_are_there(self):
        roots = [TREE / root for root in (".", "include", "include/tagheap", "src", "fuzz", "tests")]
        names = {path.name for folder in FOLDERS for path in (TREE / folder).rglob("*.*")}
        dead = []
        for path in SOURCES:
            for comment in COMMENT.findall(path.read_text()):
                for name in NAMED_FILE.findall(comment):
                    there = any((root / name).exists() for root in [path.parent, *roots])
                    if not there and ("/" in name or name not in names | OTHERS_FILES):
                        dead.append(f"{path.relative_to(TREE)}: {name}")
        self.assertEqual([], dead)

    def test_what_a_change_touches_is_there(self):
        """The lists of CONTRIBUTING.md: each file exists, names the list's example or is named for
        it, and there are no more of them than a change may cost."""
        text = (TREE / "CONTRIBUTING.md").read_text()
        lists = re.findall(r"^### An? ([^\n]*): `([\w-]+)`$(.*?)(?=^#|^A suite)", text,
                           re.MULTILINE | re.DOTALL)
        self.assertEqual(5, len(lists))
        most = {"operation of the script language": 6, "allocator": 12, "attack": 4,
                "build variant": 3, "planted bug": 1}
        for what, example, rows in lists:
            # What follows a semicolon or a colon in a row is made, or is no file.
            files = re.findall(r"^- ([^:]*):", rows, re.MULTILINE)
            files = [name for row in files for name in re.findall(r"`([^`]+)`", row)]
            self.assertLessEqual(len(files), most[what], what)
            more = re.findall(r"; `([\w/.-]+\.\w+)`", rows)
            for name in files + more:
                with self.subTest(what=what, name=name):
                    self.assertTrue((TREE / name).is_file(), name)
                    self.assertIn(example, f"{name} {(TREE / name).read_text()}".lower())

    def test_section_rules(self):
        """A rule above a section is one line, or text comes after it: the formatter breaks in two
        one that is too long."""
        rules = 0
        for path in SOURCES:
            for rule in re.findall(r"^/\* ---- .*?\*/$", path.read_text(), re.MULTILINE | re.DOTALL):
                rules += 1
                with self.subTest(path=path.relative_to(TREE), rule=rule):
                    self.assertTrue("\n" not in rule or re.search(r"\n.*\w", rule))
        self.assertGreater(rules, 500)

    def test_programs_compile(self):
        count = 0
        for path in DOCUMENTS:
            for program in PROGRAM.findall(path.read_text()):
                count += 1
                if "#include" not in program:
                    program = f"{SURROUNDINGS[path.name]}\n{program}}}\n"
                with self.subTest(path=path.name, program=program):
                    done = subprocess.run(COMPILE, input=program, capture_output=True, text=True,
                                          check=False)
                    self.assertEqual("", done.stderr)
        self.assertGreater(count, 10)

    def test_script_language(self):
        """The page is what the tables say; one that is not is noticed, and mended."""
        def call(*arguments, tree=TREE):
            command = [tree / "scripts" / "script-docs", *arguments, HEAPLAB]
            return subprocess.run(command, capture_output=True, text=True, check=False)
        done = call("--check")
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            shutil.copytree(TREE / "scripts", tree / "scripts")
            (tree / "docs").mkdir()
            page = tree / "docs" / "script.md"
            text = (TREE / "docs" / "script.md").read_text()
            page.write_text(text.replace("| `free sN` |", "| `release sN` |"))
            self.assertNotEqual(text, page.read_text())
            done = call("--check", tree=tree)
            self.assertEqual(1, done.returncode)
            self.assertIn("run scripts/script-docs", done.stderr)
            self.assertEqual(0, call(tree=tree).returncode)
            self.assertEqual(text, page.read_text())
            page.write_text(text.replace("operations: attacks", "operations: attack"))
            done = call(tree=tree)
            self.assertEqual(2, done.returncode)
            self.assertRegex(done.stderr, r"^scripts/script-docs: .*: has places for .*\n$")


if __name__ == "__main__":
    unittest.main()
