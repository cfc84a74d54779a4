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
def main() -> int:
    {statement}
script.run("scripts/some", main)
"""
# What the options in mypy.ini must find, wherever it stands.
MISTAKES = """#!/usr/bin/python3
import json
from typing import Any
from common_lib.script import json as borrowed
base: Any = object
def unhinted(word):
    return word
def partly(word: str, other) -> str:
    return word
def generic(words: list) -> None:
    return None
def vague(text: str) -> str:
    return json.loads(text)
def calls() -> None:
    unhinted(1)
@unhinted
def decorated() -> None:
    return None
class Under(base):
    pass
"""
FOUND = {4: 'Module "common_lib.script" does not explicitly export attribute "json"',
         6: "Function is missing a type annotation",
         8: "Function is missing a type annotation for one or more arguments",
         10: 'Missing type parameters for generic type "list"',
         13: 'Returning Any from function declared to return "str"',
         15: 'Call to untyped function "unhinted" in typed context',
         16: 'Untyped decorator makes function "decorated" untyped',
         19: 'Class cannot subclass "base" (has type "Any")'}


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

    def test_a_script_is_looked_at(self):
        for statement, words in (("return children.shell_status('2')", 'expected "int"'),
                                 ("return children.shell_state(2)", "has no attribute"),
                                ("return script.KEEPER.run(['true'], 'soon').status",
                                  "incompatible type")):
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


class Everywhere(unittest.TestCase):
    """No part of scripts/ is let off: a stand-in for each of its files makes all the mistakes."""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="test_types-")
        cls.addClassCleanup(scratch.cleanup)
        cls.tree = pathlib.Path(scratch.name)
        scripts = TREE / "scripts"
        cls.commands = [path for path in sorted(scripts.iterdir()) if path.is_file()
                        and b"python" in path.read_bytes().partition(b"\n")[0]]
        modules = [path for path in sorted(scripts.glob("*_lib/*.py"))]
        cls.names = [str(path.relative_to(TREE)) for path in cls.commands + modules]
        for name in cls.names:
            path = cls.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(MISTAKES)
        shutil.copy(scripts / "mypy.ini", cls.tree / "scripts")

    def test_make_types_asks_about_every_command(self):
        """It knows them by their first line; all other Python is in folders NAME_lib."""
        self.assertGreater(len(self.commands), 20)
        for path in self.commands:
            self.assertEqual("#!/usr/bin/python3", path.read_text().partition("\n")[0], path)
        modules = {str(path.relative_to(TREE)) for path in (TREE / "scripts").rglob("*.py")}
        self.assertLessEqual(modules, set(self.names))

    def test_every_file_must_have_hints(self):
        done = subprocess.run(["mypy", "--config-file", "scripts/mypy.ini", *self.names],
                              cwd=self.tree, capture_output=True, text=True, check=False)
        said = [text.partition("  [")[0] for text in done.stdout.splitlines()]
        self.assertEqual("", done.stderr)
        for name in self.names:
            for line, words in FOUND.items():
                self.assertIn(f"{name}:{line}: error: {words}", said)


if __name__ == "__main__":
    unittest.main()
