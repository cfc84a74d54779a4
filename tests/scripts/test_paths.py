#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The project from a checkout whose path has a space, a colon or a quote in it: a copy of the tree,
with what is built already, is made and run there. Takes some seconds:

  tests/scripts/test_paths.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from fuzz_lib import corpus, plant, targets

ODD = ("my projects", "a:b", "it's")
ALL_ODD = pathlib.PurePath(*ODD)
BUILT = "build/debug"
TARGET_C = """\
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return size > 2 && data[0] == 'a' && data[1] == 'b' ? 0 : 0;
}
"""


class Paths(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="paths-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def copy(self, name):
        """The tree in such a folder, as new as the original, so that nothing is built anew."""
        root = self.folder / name / "tree"
        for path in plant.list_files(TREE):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TREE / path, root / path)
        (root / "build").mkdir()
        subprocess.run(["cp", "-a", TREE / BUILT, root / "build"], check=True)
        return root

    def run_in(self, root, *command, status=0):
        done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        text = done.stdout.decode(errors="replace")
        self.assertEqual(status, done.returncode, f"{command}: {text}")
        return text

    def test_a_checkout(self):
        """With all of that in its path at once."""
        root = self.copy(ALL_ODD)
        (root / "fuzz/cli/show.c").touch()
        self.run_in(root, "make", "build/debug/heaplab", "build/debug/tests/test_arena")
        self.run_in(root, "make", "corpus-subjects")
        suites = self.run_in(root, "scripts/run-suites", "debug", "build/debug/tests/test_arena")
        self.assertIn(" passed, 0 failed", suites)
        self.run_in(root, "make", "attack")
        self.run_in(root, "scripts/misuse", "debug")
        self.run_in(root, "scripts/bugs", "--check")

    def test_inputs_and_outputs(self):
        """heaplab is only one program more to make; its own tests look after odd names."""
        heaplab = TREE / BUILT / "heaplab"
        script = next((TREE / "corpus/heap/seed").glob("*.txt"))
        for name in ODD:
            place = self.folder / name
            place.mkdir()
            shutil.copy(script, place / f"{name}.txt")
            self.run_in(place, heaplab, "run", f"{name}.txt")
            self.run_in(place, heaplab, "asm", place / f"{name}.txt", "-o", place / f"{name}.bin")
            self.run_in(place, heaplab, "run", place / f"{name}.bin")

    def test_reports_of_tools(self):
        """The catalogue shows the same files wherever the checkout lies, or was built."""
        loader = importlib.machinery.SourceFileLoader("misuse", str(TREE / "scripts" / "misuse"))
        misuse = importlib.util.module_from_spec(importlib.util.spec_from_loader("misuse", loader))
        loader.exec_module(misuse)
        for name in (*ODD, "plain"):
            misuse.ROOT = self.folder / name / "tree"
            for root in (misuse.ROOT, "/elsewhere"):
                report = misuse.normalize(
                    f"==1==ERROR: AddressSanitizer: use-after-poison\n"
                    f"    #0 0x55d1e0a3 in main {root}/tests/misuse/leak.c:26:17\n"
                    f"SUMMARY: AddressSanitizer: use-after-poison {root}/src/alloc/slab.c:7:1 in f\n")
                self.assertEqual("ERROR: AddressSanitizer: use-after-poison\n"
                                 "    #0 ADDRESS in main tests/misuse/leak.c:26:17\n"
                                 "SUMMARY: AddressSanitizer: use-after-poison src/alloc/slab.c in f",
                                 report)

    def test_corpora_are_merged(self):
        """libFuzzer itself does not quote what it starts."""
        for name in ODD:
            root = self.folder / name
            for folder in ("build/fuzz", "build/fuzz-corpus/heap", "build/fuzz-logs"):
                (root / folder).mkdir(parents=True)
            source = root / "target.c"
            source.write_text(TARGET_C)
            self.run_in(root, "clang-19", "-fsanitize=fuzzer", "-O1", "target.c", "-o",
                        "build/fuzz/fuzz_heap")
            for content in ("a", "ab", "abc", "abd", "x"):
                data = content.encode()
                (root / "build/fuzz-corpus/heap" / corpus.sha1(data)).write_bytes(data)
            kept = corpus.Corpus(root, targets.describe("heap"))
            log = root / "build/fuzz-logs/merge.log"
            files = kept.merge(60, log, lambda: False, None)
            self.assertIsNotNone(files, log.read_text())
            self.assertEqual(files, kept.files())


if __name__ == "__main__":
    unittest.main()
