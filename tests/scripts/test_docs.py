#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that what the documents name is there: the targets of make, and the files of links.

  tests/scripts/test_docs.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import re
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [TREE / "README.md", TREE / "fuzz" / "bugs" / "README.md",
             *sorted((TREE / "docs").glob("*.md"))]
# In text between backticks; in code at the start of a line.
COMMAND = re.compile(r"(?:`|^(?:    )?(?:\$ )?)make((?: [a-z][a-z0-9-]*\b(?!=))+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


class Documents(unittest.TestCase):
    def test_what_make_is_asked_for_is_there(self):
        makefile = (TREE / "Makefile").read_text()
        named = {(path.name, target) for path in DOCUMENTS
                 for words in COMMAND.findall(path.read_text()) for target in words.split()}
        self.assertIn(("README.md", "fuzz"), named)
        self.assertIn(("workflow.md", "triage"), named)
        there = set(re.findall(r"^## ([a-z0-9-]+): ", makefile, re.MULTILINE))
        self.assertEqual([], sorted(use for use in named if use[1] not in there))

    def test_links_lead_to_files(self):
        links = [(path, link) for path in DOCUMENTS for link in LINK.findall(path.read_text())]
        self.assertGreater(len(links), 10)
        dead = [f"{path.name}: {link}" for path, link in links
                if not (path.parent / link).exists()]
        self.assertEqual([], dead)


if __name__ == "__main__":
    unittest.main()
