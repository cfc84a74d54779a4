#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/run-cortex and scripts/cortex-sizes, with stand-ins for qemu and the compiler,
and of scripts/run-suites --foreign. Takes seconds:

  tests/scripts/test_cortex.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = {
    "gcc": 'case "$*" in *-dumpfullversion*) echo 1.2.3 ;; *) touch "${@: -1}" ;; esac',
    "ld": 'echo "$@" >> {log}; touch "${{@: -1}}"',
    "nm": 'echo "00000000 000000c0 B heap"; echo "00000000 00000100 B index_"\n'
          'echo "00000000 00000010 T th_heap_alloc"; echo "00000000 00000010 T th_heap_only"\n'
          'echo "00000000 00000010 t th_heap_static"; echo "00000000 00000010 T th_pool_init"',
    "size": 'echo "text data bss dec hex filename"; echo "$SIZE 8 4 0 0 x"',
}


class CortexTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_cortex-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.tools = self.folder / "tools"
        self.tools.mkdir()

    def tool(self, name, text):
        path = self.tools / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def run_script(self, *command, folder=TREE, path=None, **environment):
        path = path or f"{self.tools}:{os.environ['PATH']}"
        done = subprocess.run([str(word) for word in command], cwd=folder, text=True, check=False,
                              env={**os.environ, "PATH": path, **environment},
                              stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout, done.stderr


class Running(CortexTest):
    def test_arguments_environment_and_status(self):
        self.tool("qemu-system-arm", 'printf "%s\\n" "$@"; exit 3')
        program = self.folder / "test_x"
        program.touch()
        status, out, err = self.run_script("scripts/run-cortex", program, "--list", "a,b",
                                           TH_RESULTS="/r", TH_SEED="7")
        self.assertEqual((3, ""), (status, err))
        options = out.splitlines()[out.splitlines().index("-semihosting-config") + 1]
        self.assertEqual(f"enable=on,target=native,arg={program},arg=TH_RESULTS=/r,arg=TH_SEED=7,"
                         "arg=--list,arg=a,,b", options)
        self.assertEqual(["-kernel", str(program)], out.splitlines()[-2:])

    def test_what_cannot_be_run(self):
        self.tool("qemu-system-arm", "echo ran")
        (self.folder / "a b").touch()
        for arguments, said in (([], "which program?"), (["none"], "none: there is no such"),
                                ([self.folder / "a b"], "holds a space")):
            status, out, err = self.run_script("scripts/run-cortex", *arguments)
            self.assertEqual((2, ""), (status, out))
            self.assertEqual(1, len(err.splitlines()), err)
            self.assertIn(said, err)

    def test_foreign_programs_are_listed_by_the_wrapper_too(self):
        program = self.folder / "test_foreign"  # not executable
        program.write_text('[ "$1" = --list ] && printf "foreign\\tone\\n" ||\n'
                           'printf "foreign\\tone\\tpassed\\n" > "$TH_RESULTS"\n')
        variant = f"test_cortex-{os.getpid()}"
        (TREE / "build" / variant).mkdir(parents=True)
        self.addCleanup(shutil.rmtree, TREE / "build" / variant)
        command = [TREE / "scripts/run-suites", variant, "--wrap", "bash"]
        status, out, _ = self.run_script(*command, "--foreign", program)
        self.assertEqual((0, "1 passed, 0 failed"), (status, out.splitlines()[-1]))
        status, out, err = self.run_script(*command, program)
        self.assertNotEqual(0, status, out + err)


class Sizes(CortexTest):
    def setUp(self):
        super().setUp()
        (self.folder / "scripts").mkdir()
        shutil.copytree(TREE / "scripts/common_lib", self.folder / "scripts/common_lib")
        shutil.copy(TREE / "scripts/cortex-sizes", self.folder / "scripts")
        (self.folder / "build/dist").mkdir(parents=True)
        (self.folder / "build/dist/tagheap.c").touch()
        self.log = self.folder / "log"
        for name, text in TOOLS.items():
            self.tool(f"arm-none-eabi-{name}", text.replace("{log}", str(self.log))
                      .replace("{{", "{").replace("}}", "}"))

    def sizes(self, **environment):
        return self.run_script(self.folder / "scripts/cortex-sizes", folder="/", **environment)

    def test_limits_that_are_held(self):
        status, out, err = self.sizes(SIZE="4096")
        self.assertEqual((0, ""), (status, err))
        lines = out.splitlines()
        self.assertEqual(["lean: alloc, free, compact: 4,096 of 6,144 bytes: held",
                          "lean, no index: alloc, free, compact: 4,096 of 4,096 bytes: held"],
                         lines[-2:])
        self.assertIn("arm-none-eabi-gcc 1.2.3 -mcpu=cortex-m3 -mthumb -Os", lines[0])
        self.assertRegex(out, r"TagHeap, lean +4,096 +192 +8\n")
        self.assertIn("own: 12 bytes; the index of a region of 64 KiB at alignment 4: at most 256",
                      out)
        calls = self.log.read_text().splitlines()
        self.assertTrue(calls[0].startswith("-r --gc-sections -u th_heap_alloc -u th_heap_free "
                                            "-u th_heap_compact "), calls[0])
        self.assertIn("-r --gc-sections -u th_heap_alloc -u th_heap_only /", calls[3])

    def test_limits_that_are_not(self):
        status, out, _ = self.sizes(SIZE="4097")
        self.assertEqual(1, status)
        self.assertEqual(["held", "NOT HELD"],
                         [line.rsplit(": ", 1)[1] for line in out.splitlines()[-2:]])
        status, out, _ = self.sizes(SIZE="6145")
        self.assertEqual((1, 2), (status, out.count("NOT HELD")))

    def test_what_is_missing(self):
        (self.folder / "build/dist/tagheap.c").unlink()
        self.assert_refused(self.sizes(SIZE="1"), "tagheap.c is not there: make dist")
        (self.folder / "build/dist/tagheap.c").touch()
        self.tool("arm-none-eabi-gcc", "echo 'tagheap.c:1: error: no' >&2; exit 1")
        self.assert_refused(self.sizes(SIZE="1"), "tagheap.c:1: error: no")
        (self.tools / "arm-none-eabi-gcc").unlink()
        for name in ("python3", "env"):
            (self.tools / name).symlink_to(shutil.which(name))
        self.assert_refused(self.sizes(SIZE="1", path=str(self.tools)),
                            "arm-none-eabi-gcc is missing: scripts/bootstrap cortex")

    def assert_refused(self, done, said):
        status, out, err = done
        self.assertEqual((2, ""), (status, out))
        self.assertEqual(1, len(err.splitlines()), err)
        self.assertIn(said, err)


if __name__ == "__main__":
    os.chdir(TREE)
    unittest.main()
