#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of what services are given: the workflow files of docs/ci, and the folders for OSS-Fuzz and
ClusterFuzzLite; and of what scripts/oss-fuzz-build and scripts/oss-fuzz-check refuse. What is built is
`make oss-fuzz-check`'s. Needs build/debug/heaplab.

  tests/scripts/test_ci_files.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from common_lib.debian import Failed
from fuzz_lib import dictionary, targets

GITHUB = sorted((TREE / "docs/ci/github").glob("*.yml"))
GITLAB = TREE / "docs/ci/gitlab-ci.yml"
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
HEAPLAB = TREE / "build/debug/heaplab"


def load(name):
    """A command as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(TREE / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


CHECK = load("oss-fuzz-check")


def make_targets():
    text = subprocess.run(["make", "-s", "help"], cwd=TREE, text=True, stdout=subprocess.PIPE,
                          check=True).stdout
    return set(re.findall(r"^  make ([a-z0-9-]+)", text, re.MULTILINE))


class Commands:
    """What a workflow has a shell do."""

    def check_commands(self, text):
        done = subprocess.run(["bash", "-n"], input=text, text=True, stderr=subprocess.PIPE,
                              check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr), text)
        for goal in () if "apt-get" in text else re.findall(r"\bmake ([a-z-]+)", text):
            self.assertIn(goal, make_targets(), text)
        for path in re.findall(r"\bscripts/[a-z-]+", text):
            self.assertTrue(os.access(TREE / path, os.X_OK), path)


class Workflows(Commands, unittest.TestCase):
    def test_github(self):
        self.assertEqual(["nightly.yml", "pull-request.yml", "test.yml"],
                         [path.name for path in GITHUB])
        for path in GITHUB:
            workflow = yaml.safe_load(path.read_text())
            self.assertTrue({"name", True, "permissions", "jobs"} <= set(workflow), path)  # on
            for job in workflow["jobs"].values():
                self.assertEqual({"ubuntu-latest"}, {job["runs-on"]})
                for step in job["steps"]:
                    self.assertEqual(1, len({"uses", "run"} & set(step)), step)
                    self.assertRegex(step.get("uses", "actions/checkout@v4"),
                                     r"^actions/[a-z/-]+@v\d+$")
                    self.check_commands(EXPRESSION.sub("test", step.get("run", "")))

    def test_the_night_keeps_its_corpus_and_reports(self):
        steps = yaml.safe_load((TREE / "docs/ci/github/nightly.yml").read_text())["jobs"]["fuzz"]["steps"]
        uses = [step.get("uses", "").partition("@")[0] for step in steps]
        saved = steps[uses.index("actions/cache/save")]["with"]
        self.assertEqual(steps[uses.index("actions/cache/restore")]["with"]["path"], saved["path"])
        self.assertIn("build/fuzz-corpus", saved["path"])
        self.assertIn("build/report", steps[uses.index("actions/upload-artifact")]["with"]["path"])
        self.assertEqual("scripts/report-signatures build/triage/known.txt", steps[-1]["run"])
        self.assertEqual({"TOKEN", "API", "RUN"}, set(steps[-1]["env"]))

    def test_gitlab(self):
        pipeline = yaml.safe_load(GITLAB.read_text())
        self.assertEqual({"image", "default", "test", ".fuzz", "fuzz", "night"}, set(pipeline))
        for name in ("test", "fuzz", "night"):
            job = pipeline[name]
            for line in [*job["script"], *job.get("after_script", ())]:
                self.check_commands(line.replace("$TARGET", "test"))
        self.assertEqual("pull-push", pipeline["night"]["cache"]["policy"])
        self.assertIn("build/report", pipeline[".fuzz"]["artifacts"]["paths"])


class Services(unittest.TestCase):
    def test_both_build_in_the_same_way(self):
        ours, theirs = (TREE / folder / "build.sh" for folder in (".clusterfuzzlite", "oss-fuzz"))
        self.assertEqual(ours.read_bytes(), theirs.read_bytes())
        for path in (ours, theirs):
            self.assertTrue(os.access(path, os.X_OK))
        packages = [CHECK.dockerfile_packages((TREE / folder / "Dockerfile").read_text())
                    for folder in (".clusterfuzzlite", "oss-fuzz")]
        self.assertEqual([["make", "python3"]] * 2, packages)

    def test_projects(self):
        clusterfuzzlite, oss_fuzz = (yaml.safe_load((TREE / folder / "project.yaml").read_text())
                                     for folder in (".clusterfuzzlite", "oss-fuzz"))
        self.assertEqual("c", clusterfuzzlite["language"])
        self.assertTrue({"homepage", "main_repo", "primary_contact"} <= set(oss_fuzz))
        self.assertEqual(["address", "undefined", "memory"], oss_fuzz["sanitizers"])
        self.assertEqual(["libfuzzer", "afl", "honggfuzz"], oss_fuzz["fuzzing_engines"])


class Dictionaries(unittest.TestCase):
    def made(self, name):
        target = next(t for t in targets.discover(TREE) if t.name == name)
        return dictionary.make(TREE, target, HEAPLAB).splitlines()

    def test_operations_as_bytes(self):
        for name in ("heap", "classic", "script", "subjects"):
            made = self.made(name)
            self.assertGreater(len(made), 10, name)
            self.assertEqual(len(made), len(set(made)))
            for line in made:
                self.assertRegex(line, r'^"(?:[^"\\]|\\x[0-9A-F]{2}){2,}"$')

    def test_words(self):
        made = self.made("text")
        for word in ("alloc", "tag=", "compact", "heap"):
            self.assertIn(f'"{word}"', made)

    def test_characters(self):
        self.assertIn('"a1=1"', self.made("handles"))
        self.assertFalse(any("SPDX" in line for line in self.made("cache")))

    def test_bytes_that_are_no_text(self):
        self.assertGreater(len(self.made("resources")), 20)
        self.assertEqual([b"bcde", b"fghi"], list(dictionary.groups([b"\xffbcdefghij"])))

    def test_its_own(self):
        self.assertEqual((TREE / "fuzz/targets/synthesis.dict").read_text().splitlines(),
                         self.made("synthesis"))

    def test_each_once_the_frequent_ones_first(self):
        self.assertEqual([b"b", b"a"], dictionary.most_frequent([b"a", b"b", b"", b"b"]))
        many = [bytes([i, j]) for i in range(20) for j in range(20)]
        self.assertEqual(dictionary.ENTRIES_MAX, len(dictionary.most_frequent(many)))

    def test_escapes(self):
        self.assertEqual(r"a\x22\x5C\x00\xFF ~\x7F", dictionary.escaped(b'a"\\\x00\xff ~\x7f'))


LOADED = "INFO: Loaded 1 modules   ({} inline 8-bit counters): {} [0x55, 0x56), "


class Checks(unittest.TestCase):
    """What oss-fuzz-check makes of what is built."""

    def test_places(self):
        self.assertEqual(3414, CHECK.edges_of(LOADED.format(3414, 3414)))
        self.assertEqual(0, CHECK.edges_of("Done 4 runs"))

    def test_calls(self):
        code = "  1: call   4f00 <__{}_report>\n"
        build = CHECK.Build("libfuzzer", "address")
        enough = code.format("asan") * 1000
        CHECK.check_calls("fuzz_x", build, enough + code.format("ubsan") * 200)
        for wrong in (code.format("asan") * 999, enough + code.format("msan") * 4,
                      enough + code.format("ubsan") * 201):
            with self.assertRaises(Failed):
                CHECK.check_calls("fuzz_x", build, wrong)
        CHECK.check_calls("fuzz_x", CHECK.Build("libfuzzer", "coverage"), "")
        with self.assertRaises(Failed):
            CHECK.check_calls("fuzz_x", CHECK.Build("libfuzzer", "undefined"),
                              code.format("ubsan") * 168 + code.format("asan"))

    def test_what_stands_beside(self):
        with tempfile.TemporaryDirectory() as name:
            out = pathlib.Path(name)
            archive, options = out / "fuzz_x_seed_corpus.zip", out / "fuzz_x.options"
            with self.assertRaisesRegex(Failed, "cannot be read"):
                CHECK.check_beside(out, "fuzz_x")
            archive.write_bytes(b"PK")
            with self.assertRaisesRegex(Failed, "cannot be read"):
                CHECK.check_beside(out, "fuzz_x")
            with CHECK.zipfile.ZipFile(archive, "w"):
                pass
            with self.assertRaisesRegex(Failed, "empty"):
                CHECK.check_beside(out, "fuzz_x")
            with CHECK.zipfile.ZipFile(archive, "w") as packed:
                packed.writestr("one", b"1")
            for text in ("", "[libfuzzer]\nmax_len = 9\n", "[libfuzzer]\ndict = fuzz_x.dict\n"):
                options.write_text(text)
                with self.assertRaisesRegex(Failed, "options say"):
                    CHECK.check_beside(out, "fuzz_x")
            options.write_text("[libfuzzer]\nmax_len = 9\ndict = fuzz_x.dict\n")
            self.assertEqual(1, CHECK.check_beside(out, "fuzz_x"))
            self.assertEqual(b"1", (out / "fuzz_x-seeds/one").read_bytes())

    def test_environment(self):
        for build in CHECK.BUILDS:
            env = build.environment()
            self.assertEqual(build.engine == "libfuzzer" and build.sanitizer != "coverage",
                             "fuzzer-no-link" in env["CFLAGS"], build)


class Refusals(unittest.TestCase):
    def refused(self, *command, **environment):
        env = {name: value for name, value in os.environ.items() if name != "OUT"} | environment
        done = subprocess.run([TREE / "scripts" / command[0], *command[1:]], env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual((2, "", 1), (done.returncode, done.stdout, done.stderr.count("\n")), done)
        return done.stderr

    def test_build(self):
        self.assertIn("OUT is not set", self.refused("oss-fuzz-build"))
        self.assertIn("OUT=/no/folder is no folder", self.refused("oss-fuzz-build", OUT="/no/folder"))
        self.assertIn("now", self.refused("oss-fuzz-build", "now"))

    def test_check(self):
        self.assertIn("--only afl-memory: there are libfuzzer-address",
                      self.refused("oss-fuzz-check", "--only", "afl-memory"))


if __name__ == "__main__":
    unittest.main()
