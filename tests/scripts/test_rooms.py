#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that no folder of src/ and fuzz/ holds a circle: of files, none calls another that, by way
of others or not, calls it back; of folders, none does that either. What several files need lies in
a file that needs none of them. Calls are read from the symbols of build/debug (`make build`).

  tests/scripts/test_rooms.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import collections
import pathlib
import subprocess
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
OBJECTS = TREE / "build" / "debug" / "obj"

# Circles of folders that are meant, with the reason. One that is gone has to go here, too.
FOLDERS = {
    "fuzz/engines fuzz/targets": "an engine plays inputs on the target, which counts for "
                                 "what the engine says in the end",
    "src/base src/os": "an assertion that fails ends by the port, which is the system's",
}


def calls(objects):
    """{name: {name that it needs: symbols}} of {name: [paths]}. Weak symbols are a default, and no
    need. nm is called once: there are many objects."""
    names = {str(path): name for name, paths in objects.items() for path in paths}
    out = subprocess.run(["nm", "-A", "-P", *names], stdout=subprocess.PIPE, text=True, check=True)
    owner, needed = {}, []
    for line in out.stdout.splitlines():
        path, rest = line.split(": ", 1)
        symbol, kind = rest.split()[:2]
        if kind == "U":
            needed.append((names[path], symbol))
        elif kind in "TDBRC":
            owner[symbol] = names[path]
    edges = collections.defaultdict(lambda: collections.defaultdict(set))
    for name, symbol in needed:
        if owner.get(symbol, name) != name:
            edges[name][owner[symbol]].add(symbol)
    return edges


def circles(edges):
    """The sets of names that reach each other, as sorted names with spaces between."""
    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for name in edges.get(todo.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return seen

    reach = {name: reached(name) for name in list(edges)}
    return {" ".join(sorted(other for other in reach[name] if name in reach.get(other, ())))
            for name in reach if name in reach[name]}


def told(edges, names):
    """Who calls whom in a circle, for a person."""
    names = names.split()
    return "\n".join(f"  {name} -> {other}: {', '.join(sorted(edges[name][other]))}"
                     for name in names for other in sorted(edges[name]) if other in names)


def folders():
    found = sorted(path for top in ("src", "fuzz") for path in (OBJECTS / top).iterdir())
    return [path.relative_to(OBJECTS) for path in found if path.is_dir()]


def objects_of(folder):
    """Those of sources that are still there."""
    return [OBJECTS / path.relative_to(TREE).with_suffix(".o")
            for path in sorted((TREE / folder).glob("*.c"))
            if (OBJECTS / path.relative_to(TREE).with_suffix(".o")).exists()]


def setUpModule():
    if not (OBJECTS / "fuzz").exists():
        sys.exit(f"{OBJECTS} is missing: `make build` builds it")


class Rooms(unittest.TestCase):
    def check(self, where, edges, allowed):
        found = circles(edges)
        for names in sorted(found - set(allowed)):
            self.fail(f"{where}: a circle of calls:\n{told(edges, names)}")
        self.assertEqual(set(), set(allowed) - found, f"{where}: no circle any more")

    def test_files(self):
        checked = 0
        for folder in folders():
            with self.subTest(folder=str(folder)):
                objects = {path.stem: [path] for path in objects_of(folder)}
                checked += len(objects)
                self.check(folder, calls(objects), {})
        self.assertGreater(checked, 150)

    def test_folders(self):
        self.check("the tree", calls({str(folder): objects_of(folder) for folder in folders()}),
                   FOLDERS)


class Itself(unittest.TestCase):
    """The check finds what it is for."""

    def circles_of(self, **sources):
        with tempfile.TemporaryDirectory() as folder:
            objects = {}
            for name, text in sources.items():
                source = pathlib.Path(folder, name + ".c")
                source.write_text(text)
                objects[name] = [source.with_suffix(".o")]
                subprocess.run(["gcc", "-c", source, "-o", objects[name][0]], check=True)
            return circles(calls(objects))

    def test_a_circle_of_three_is_found(self):
        self.assertEqual({"a b c"}, self.circles_of(
            a="void b(void); void a(void) { b(); }", b="extern int c; void b(void) { c++; }",
            c="void a(void); int c; void c_calls(void) { a(); }",
            d="void a(void); void d(void) { a(); }"))

    def test_a_leaf_is_no_circle(self):
        self.assertEqual(set(), self.circles_of(
            a="void b(void); void c(void); void a(void) { b(); c(); }",
            b="void c(void); void b(void) { c(); }", c="void c(void) { }"))


if __name__ == "__main__":
    unittest.main()
