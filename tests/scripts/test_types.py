#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of how `make types` checks the scripts: what it must notice, in copies of some of them. Needs
mypy. Takes some seconds:

  tests/scripts/test_types.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = "scripts/common_lib"
SCRIPT = """#!/usr/bin/python3
from common_lib import children, script
def main():
    {statement}
script.run("scripts/some", main)
"""


class Types(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="test_types-")
        cls.addClassCleanup(scratch.cleanup)
        cls.tree = pathlib.Path(scratch.name)
        shutil.copytree(TREE / FOLDER, cls.tree / FOLDER)
        shutil.copy(TREE / "scripts/mypy.ini", cls.tree / "scripts")

    def check(self, statement):
        """(exit status, what mypy says) of the library, and a script with this statement."""
        script = self.tree / "scripts" / "some"
        script.write_text(SCRIPT.format(statement=statement))
        done = subprocess.run(["mypy", "--config-file", "scripts/mypy.ini", FOLDER, script],
                              cwd=self.tree, capture_output=True, text=True, check=False)
        self.assertEqual("", done.stderr)
        return done.returncode, done.stdout

    def test_what_is_right_passes(self):
        status, said = self.check("return children.shell_status(-2)")
        files = len([*(TREE / FOLDER).glob("*.py")]) + 1  # and the script
        self.assertEqual((0, f"Success: no issues found in {files} source files\n"), (status, said))

    def test_a_script_is_looked_at_without_hints_of_its_own(self):
        for statement, words in (("return children.shell_status('2')", 'expected "int"'),
                                 ("return children.shell_state(2)", "has no attribute"),
                                 ("script.KEEPER.run(['true'], 'soon')", "incompatible type")):
            status, said = self.check(statement)
            self.assertEqual(1, status, said)
            self.assertIn("scripts/some:4: error: ", said)
            self.assertIn(words, said)

    def test_the_library_must_have_hints(self):
        path = self.tree / FOLDER / "children.py"
        text = path.read_text()
        self.addCleanup(path.write_text, text)
        path.write_text(text.replace("def shell_status(status: int) -> int:",
                                     "def shell_status(status):"))
        status, said = self.check("return 0")
        self.assertEqual(1, status, said)
        self.assertIn("children.py", said)
        self.assertIn("Function is missing a type annotation", said)


if __name__ == "__main__":
    unittest.main()
