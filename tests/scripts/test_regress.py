#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/regress, on the small tree of test_fuzz.py. Needs clang. Takes some seconds:

  tests/scripts/test_regress.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import resource
import unittest

import surroundings

surroundings.make_usual()

from standin_tree import TreeTest
from standin_tree import setUpModule, tearDownModule  # which unittest calls


class Regress(TreeTest):
    def setUp(self):
        super().setUp()
        self.crash = self.build / "findings" / "heap-blocks-12345678" / "input"
        self.crash.parent.mkdir(parents=True)
        self.crash.write_bytes(b"B1x")

    def regress(self, *arguments, bugs=None, env=None, **options):
        options |= {"bugs": bugs or {"heap": "bug1 bug2", "text": "bug1 leak"}, "env": env or {}}
        return self.run_script(*arguments, script="regress", **options)

    def adopted(self):
        return sorted(path for path in (self.root / "corpus").rglob("*") if path.is_file())

    def assert_refused(self, *arguments, words=(), **options):
        before = self.adopted()
        status, out, err = self.regress(*arguments, **options)
        self.assertEqual((2, ""), (status, out), err)
        self.assert_one_line(err, *words)
        self.assertEqual(before, self.adopted())
        self.assertEqual([], [*self.build.glob("regress-*"), *self.build.glob("case-*")])

    def test_adopts_a_script_once(self):
        status, out, err = self.regress(self.crash)
        self.assertEqual((0, ""), (status, err))
        (path,) = self.adopted()
        self.assertRegex(
            str(path.relative_to(self.root)),
            r"^corpus/heap/regress/\d{4}-\d\d-\d\d-property-blocks-detail-size-"
            r"[0-9a-f]{8}\.txt$",
        )
        text = path.read_text()
        self.assertIn("property=blocks detail=size", text)
        self.assertTrue(text.endswith("heap standin\nbyte 42\nbyte 31\nbyte 78\n"))
        self.assertIn(str(path.relative_to(self.root)), out)
        self.assertIn("make test", out)
        self.assert_refused(self.crash, words=["in the corpus already", path.name])
        self.assert_refused(path, "--target", "heap", words=["in the corpus already"])
        self.assertEqual(text, path.read_text())

    def test_adopts_nothing_on_a_full_disk(self):
        self.crash.write_bytes(b"B1" + b"x" * 5000)
        full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
        self.assert_refused(self.crash, "--target", "text", preexec_fn=full,
                            words=["/corpus/text/regress/", "cannot be written: File too large"])

    def test_adopts_raw_bytes_for_other_targets(self):
        self.crash.write_bytes(b"B1\0\xff")
        status, _, err = self.regress(self.crash, "--target", "text")
        self.assertEqual((0, ""), (status, err))
        (path,) = self.adopted()
        self.assertRegex(str(path), "/corpus/text/regress/.*[.]bin$")
        self.assertEqual(b"B1\0\xff", path.read_bytes())
        self.assert_refused(self.crash, "--target", "text", words=["in the corpus already"])

    def test_adopts_what_only_the_engine_notices(self):
        self.crash.write_bytes(b"LK")
        status, out, _ = self.regress(self.crash, "--target", "text")
        self.assertEqual(0, status)
        (path,) = self.adopted()
        self.assertIn("leak", path.name)

    def test_refuses_what_does_not_fail(self):
        self.assert_refused(self.crash, bugs={"heap": "bug2"}, words=["does not fail"])

    def test_refuses_a_text_form_that_fails_differently(self):
        self.assert_refused(self.crash, bugs={"heap": "bug1 drift"}, words=["fails differently"])

    def test_form_of_the_input(self):
        other = self.root / "crash-of-mine"
        other.write_bytes(b"# B1")
        bugs = {"heap": "comment"}
        hint = "(if it is bytes that look like text, use scripts/regress --bytes)"
        self.assert_refused(other, "--target", "heap", bugs=bugs, words=[f"{other}:1:1: ", hint])
        self.assert_refused(other, "--target", "heap", "--text", bugs=bugs, words=[":1:1: "])
        named = other.with_name("crash.txt")
        named.write_bytes(b"B1")
        self.assert_refused(named, "--target", "heap", bugs=bugs, words=["crash.txt:1:1: "])
        status, _, err = self.regress(other, "--target", "heap", "--bytes", bugs=bugs)
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(1, len(self.adopted()))

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            status, _, err = self.regress(self.crash, stdout=full)
        self.assertEqual(2, status)
        (path,) = self.adopted()
        self.assert_one_line(err, path.name, "is adopted", "No space left on device")

    def test_refuses_bad_files(self):
        self.assert_refused(self.root / "nowhere", words=["nowhere", "No such file"])
        self.assert_refused(self.root, words=["is a folder"])
        self.assert_refused(self.crash.parent, words=["is a folder", f"mean {self.crash}?"])
        self.assert_refused("/dev/zero", words=["no regular file"])
        self.crash.write_bytes(b"")
        self.assert_refused(self.crash, words=["is empty"])

    def test_asks_for_the_target(self):
        other = self.root / "crash"
        other.write_bytes(b"B1")
        self.assert_refused(other, words=["TARGET=", "heap, script, text"])
        seed = self.root / "corpus" / "heap" / "seed" / "passing.txt"
        seed.parent.mkdir(parents=True)
        seed.write_text("heap standin\nbyte 00\n")
        self.assert_refused(seed, words=["does not fail", "nothing written"])
        self.assert_refused(other, env={"TARGET": "pile"}, words=["unknown target 'pile'"])
        self.assertEqual(0, self.regress(other, env={"TARGET": "heap"})[0])

    def test_what_is_a_plugins(self):
        """Which is offered as little as it is adopted."""
        other = self.root / "crash"
        other.write_bytes(b"B1")
        for target in ("", "pile"):
            _, _, err = self.regress(other, env={"TARGET": target})
            self.assertIn("script, text\n", err)
            self.assertNotIn("plugin", err)
        words = ["is a plug-in's, and not for this tree"]
        self.assert_refused(other, "--target", "plugin", words=words)
        found = self.build / "findings" / "plugin-x-12345678" / "input"
        found.parent.mkdir()
        found.write_bytes(b"B1")
        self.assert_refused(found, words=words)
        for name, comment in (("script.txt", "# one\n"), ("script", "")):
            script = self.root / name
            script.write_text(f"{comment}heap dwords=64 subject=plugin\nalloc s0 bytes=8\n")
            for target in ("heap", "subjects"):
                (self.root / "fuzz" / "targets" / "subjects.c").touch()
                self.assert_refused(script, env={"TARGET": target}, words=[
                    *words, "heaplab minimize --subject ./PATH.so"])

    def test_needs_the_programs(self):
        (self.build / "fuzz" / "heaplab").unlink()
        self.assert_refused(self.crash, words=["heaplab", "missing"])


if __name__ == "__main__":
    unittest.main()
