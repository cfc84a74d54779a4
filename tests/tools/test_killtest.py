#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of make kill-test: a sample says how often processes died and what of that was in a repair;
options are explained and refused. Needs build/debug/killtest, which make tools-test builds.

  tests/tools/test_killtest.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import tap
from planted import TREE, run

KILLTEST = "build/debug/killtest"
OBJECTS = Path("/dev/shm")


def children_of(process):
    """Those that are alive."""
    done = subprocess.run(["ps", "-o", "stat=,pid=", "--ppid", str(process)], text=True,
                          stdout=subprocess.PIPE, check=False)
    return [int(line.split()[1]) for line in done.stdout.splitlines() if line[0] not in "ZX"]


def is_alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.01)


def stopped_by(*numbers, whole_group=False, ignored=False):
    """killtest with its four processes at work, ended by signals, of which SIGINT may be ignored.
    (its status, its object)"""
    usual = signal.SIG_IGN if ignored else signal.SIG_DFL
    killtest = subprocess.Popen([TREE / KILLTEST, "--stride", "0"], cwd=TREE,
                                stdout=subprocess.DEVNULL, start_new_session=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, usual))
    try:
        wait_until(lambda: len(children_of(killtest.pid)) == 4)
        children = children_of(killtest.pid)
        for number in numbers:
            time.sleep(0.1)  # they come one after the other
            (os.killpg if whole_group else os.kill)(killtest.pid, number)
        status = killtest.wait(60)
        wait_until(lambda: not any(map(is_alive, children)))
    finally:
        try:
            os.killpg(killtest.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return status, OBJECTS / f"killtest-{killtest.pid}"


def test_a_sample_says_who_died():
    status, printed = run(KILLTEST, "--kills", "0", "--stride", "60", "--nested", "1", "--only", "free")
    assert status == 0, printed
    said = re.search(r"^killtest: (\d+) deaths, (\d+) of them in a repair; \d+ repairs; seed 1; ",
                     printed, re.M)
    assert said and int(said[1]) > int(said[2]) > 0, printed
    assert printed.endswith(f"\n{said[1]} passed, 0 failed\n"), printed


def test_nothing_is_left_of_one_that_is_stopped():
    for number, whole_group in ((signal.SIGINT, True), (signal.SIGTERM, False)):
        status, object_path = stopped_by(number, whole_group=whole_group)
        assert status == -number, status
        assert not object_path.exists(), object_path


def test_a_signal_that_is_ignored_stays_ignored():
    status, object_path = stopped_by(signal.SIGINT, signal.SIGTERM, ignored=True)
    assert status == -signal.SIGTERM, status
    assert not object_path.exists(), object_path


def test_children_end_with_one_that_is_killed():
    status, object_path = stopped_by(signal.SIGKILL)
    object_path.unlink(missing_ok=True)
    assert status == -signal.SIGKILL, status


def test_it_stays_in_the_group_that_it_is_started_in():
    """So that Ctrl-C in a terminal comes to it, too, through make."""
    shell = subprocess.Popen(["sh", "-c", f"{KILLTEST} --stride 0; exit $?"], cwd=TREE,
                             stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: any(len(children_of(child)) == 4 for child in children_of(shell.pid)))
        killtest, = children_of(shell.pid)
        assert os.getpgid(killtest) == shell.pid
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(60)


def test_help():
    status, printed = run(KILLTEST, "--help")
    assert status == 0
    assert re.fullmatch(r"usage: killtest \[--quick\] .*\n", printed), printed


def test_bad_options_are_refused():
    for arguments, said in ((("--fast", "1"), "there is no option --fast"),
                            (("--bogus",), "there is no option --bogus"),
                            (("--bogus", "many"), "there is no option --bogus"),
                            (("free",), "there is no option free"),
                            (("--only",), "a text must follow --only"),
                            (("--kills", "many"), "a number must follow --kills"),
                            (("--kills", "-1"), "a number must follow --kills"),
                            (("--nested", "4294967296"), "too large a number for --nested"),
                            (("--seed",), "a number must follow --seed")):
        status, printed = run(KILLTEST, *arguments)
        assert status == 2, arguments
        assert printed.startswith(f"killtest: {said}; killtest ["), printed
        assert printed.count("\n") == 1, printed


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
