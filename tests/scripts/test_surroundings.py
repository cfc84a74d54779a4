#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tests pass in whatever surroundings they are started: as nohup in the background has it, in a
strict CI service, with a terminal. Each test that was seen to depend on them is run so."""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import resource
import signal
import subprocess
import unittest

import surroundings

surroundings.make_usual()

HERE = pathlib.Path(__file__).resolve().parent
SENSITIVE = {
    "test_cli.py": ("Random",),
    "test_cli_refusals.py": ("BadOutputs",),
    "test_plugin.py": ("PluginTest.test_what_random_found_is_said_at_once",),
    "test_outputs.py": (),
    "test_children.py": (),
    "test_fuzz_parts.py": (),
}
SECONDS_MAX = 120
SMALL_FILE = 1 << 20


def ignore_all():
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1,
                   signal.SIGCHLD, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)


def be_strict():
    os.umask(0o077)
    os.close(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILE, resource.RLIM_INFINITY))
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD))


class Surroundings(unittest.TestCase):
    def check(self, prepare, **environment):
        usual = {name: os.environ[name] for name in ("PATH", "HOME", "HEAPLAB") if name in os.environ}
        for name, tests in SENSITIVE.items():
            with self.subTest(name):
                done = subprocess.run(
                    [sys.executable, HERE / name, *tests], stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=prepare,
                    env=usual | environment, check=False, timeout=SECONDS_MAX)
                self.assertEqual(0, done.returncode, done.stdout.decode(errors="replace"))

    def test_with_signals_ignored_and_unusual_variables(self):
        self.check(ignore_all, TERM="xterm", LANG="C", LC_ALL="POSIX", CDPATH="/", COLUMNS="20",
                   MAKEFLAGS="-n", ENGINE="afl", FUZZ_TIME="x", CRASH="none",
                   ASAN_OPTIONS="nonsense=1", TMPDIR="/nowhere")

    def test_where_little_is_allowed_and_nothing_is_set(self):
        self.check(be_strict)


if __name__ == "__main__":
    unittest.main()
