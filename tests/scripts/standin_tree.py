# SPDX-License-Identifier: MIT
"""What the tests of scripts/fuzz, regress and triage share: a small tree of its own whose fuzz
targets (standin.c) have known bugs. Needs clang."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

TARGETS = ("heap", "script", "text")
FLAGS = ["-std=c11", "-O1", "-g", f"-I{TREE}/fuzz", "-fno-sanitize-recover=all"]
ENGINES = TREE / "fuzz" / "engines"
SCRIPT = TREE / "fuzz" / "script"
PROGRAMS = {}  # name -> path of the compiled stand-in
SCRATCH = None


def setUpModule():
    global SCRATCH
    SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="test-fuzz-"))
    for name, engine, more in (
        ("fuzz", "fuzzer", []),
        ("replay", "fuzzer-no-link", [ENGINES / "replay.c", *sorted(SCRIPT.glob("*.c"))]),
    ):
        PROGRAMS[name] = SCRATCH / name
        sources = [HERE / "standin.c", ENGINES / "stats.c", *more]
        checks = f"-fsanitize={engine},address,undefined"
        subprocess.run(["clang", *FLAGS, checks, *sources, "-o", PROGRAMS[name]], check=True)


def tearDownModule():
    shutil.rmtree(SCRATCH)


class TreeTest(unittest.TestCase):
    """A tree with three stand-in targets, fresh for each test."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        self.build = self.root / "build"
        (self.root / "fuzz" / "targets").mkdir(parents=True)
        (self.build / "fuzz").mkdir(parents=True)
        for name in TARGETS:
            shutil.copy(HERE / "standin.c", self.root / "fuzz" / "targets" / f"{name}.c")
            for kind, path in PROGRAMS.items():
                os.link(path, self.build / "fuzz" / f"{kind}_{name}")
        shutil.copy(HERE / "standin_heaplab", self.build / "fuzz" / "heaplab")

    def start(self, *arguments, script="fuzz", bugs=None, **options):
        env = {name: value for name, value in os.environ.items()
               if name not in ("FUZZ_TIME", "ENGINE", "KNOWN", "LAYOUT", "SERVE",
                               "SYNC", "HOST_NAME")}
        env.update({f"STANDIN_{name}": words for name, words in (bugs or {}).items()})
        env.update(options.pop("env", {}))
        command = [TREE / "scripts" / script, "--root", self.root, *arguments]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, env=env, cwd=self.root, text=True, **options)

    def run_script(self, *arguments, **options):
        """(exit status, standard output, standard error)"""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=60)
        self.assertNotIn("Traceback", err)
        return process.returncode, out, err

    def run_until(self, counts, *arguments, bugs):
        """Runs scripts/fuzz until each of the findings was seen so often (or much too long), then
        ends it by Ctrl-C; status and output as run_script."""
        process = self.start("--time", "120", *arguments, bugs=bugs)
        end = time.monotonic() + 100
        while time.monotonic() < end and process.poll() is None:
            if all(self.count(name) >= count for name, count in counts.items()):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual("", err)
        return process.returncode, out

    def count(self, name):
        """How often the finding TARGET-KIND was seen; 0 until it is complete."""
        for folder in (self.build / "findings").glob(f"{name}-*"):
            if (folder / "command").exists():
                return int((folder / "count").read_text())
        return 0

    def summary(self):
        return json.loads((self.build / "fuzz-summary.json").read_text())

    def found(self):
        return sorted(path.name for path in (self.build / "findings").glob("*"))

    def seed(self, target, name, data):
        path = self.build / "corpus" / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def assert_no_workers(self):
        """Nothing of this tree is still running."""
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(f"{self.root}/build/fuzz/", path.read_text(errors="replace"))
            except OSError:
                pass  # it has ended meanwhile

    def assert_one_line(self, err, *words):
        self.assertEqual(1, len(err.splitlines()), err)
        for word in words:
            self.assertIn(word, err)
