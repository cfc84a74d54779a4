#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/common_lib/children.py: how scripts run programs, and end."""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import pty
import select
import signal
import subprocess
import time
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "scripts"))

from common_lib import children

# Counts the signals that it gets, says so after half a second without one, ends at the third.
COUNTS = """
import signal, sys, time
seen = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, lambda n, _: seen.append(n))
print("ready", flush=True)
while not seen:
    time.sleep(0.01)
time.sleep(0.5)
print("seen", *[signal.Signals(n).name for n in seen], flush=True)
sys.exit(7)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""

# A script as they all are: runs a program, finishes its work, says how it ended.
SCRIPT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from common_lib import children
with children.Keeper({options}) as keeper:
    ended = keeper.run([sys.executable, "-c", sys.argv[2]])
    try:
        keeper.run(["echo", "started another"])
    except children.Interrupted as interrupted:
        print("not started:", interrupted, flush=True)
print("finished", ended.status, keeper.asked, flush=True)
sys.exit(children.shell_status(-keeper.asked) if keeper.asked else 0)
"""
IN_GROUP = "own_sessions=False, ends=(signal.SIGTERM,), passes=(signal.SIGINT, signal.SIGUSR1)"
IGNORED_FIRST = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def words(options, program):
    return [sys.executable, "-c", SCRIPT.format(options=options), str(TREE / "scripts"), program]


class Handing(unittest.TestCase):
    def start(self, options="", program=COUNTS, ignored=()):
        """A shell without job control may have started us: what it ignores is set back."""

        def prepare():
            for number in IGNORED_FIRST:
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        process = subprocess.Popen(words(options, program), stdout=subprocess.PIPE, text=True,
                                   start_new_session=True, preexec_fn=prepare)
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
        self.assertEqual("ready\n", process.stdout.readline())
        return process

    def finish(self, process):
        output, _ = process.communicate(timeout=20)
        return process.returncode, output.splitlines()

    def test_what_asks_for_the_end_is_handed_on_and_the_work_is_finished(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            process = self.start()
            process.send_signal(number)
            name = signal.Signals(number).name
            self.assertEqual((128 + number, [f"seen {name}", f"not started: ended by {name}",
                                             f"finished 7 {number}"]), self.finish(process))

    def test_a_signal_to_the_whole_group_asks_once(self):
        process = self.start()
        process.terminate()
        os.killpg(process.pid, signal.SIGTERM)
        self.assertEqual("seen SIGTERM", self.finish(process)[1][0])

    def test_a_late_repetition_is_none_for_the_next_keeper(self):
        for pause, asked in ((0.1, None), (children.SAME_REQUEST_SECONDS + 0.1, signal.SIGUSR2)):
            with children.Keeper(ends=(signal.SIGUSR2,)) as first:
                os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(pause)
            with children.Keeper(ends=(signal.SIGUSR2,)) as second:
                os.kill(os.getpid(), signal.SIGUSR2)
            self.assertEqual((signal.SIGUSR2, asked), (first.asked, second.asked))
            time.sleep(children.SAME_REQUEST_SECONDS)

    def test_a_second_signal_kills(self):
        process = self.start("grace_seconds=None", STUBBORN)
        process.terminate()
        time.sleep(children.SAME_REQUEST_SECONDS + 0.2)
        process.terminate()
        self.assertEqual("finished -9 15", self.finish(process)[1][-1])

    def test_the_grace_time_kills(self):
        process = self.start("grace_seconds=0.3", STUBBORN)
        process.terminate()
        self.assertEqual("finished -9 15", self.finish(process)[1][-1])

    def test_what_is_ignored_stays_so(self):
        process = self.start(ignored=(signal.SIGHUP,))
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        process.terminate()
        self.assertEqual((143, "seen SIGTERM"), (lambda end: (end[0], end[1][0]))(
            self.finish(process)))

    def test_what_is_passed_is_no_request(self):
        for number in (signal.SIGUSR1, signal.SIGINT):
            process = self.start(IN_GROUP)
            process.send_signal(number)
            self.assertEqual((0, [f"seen {signal.Signals(number).name}", "started another",
                                  "finished 7 None"]), self.finish(process))

    def test_a_terminal_has_sent_it_already(self):
        child, terminal = pty.fork()
        if child == 0:
            for number in IGNORED_FIRST:
                signal.signal(number, signal.SIG_DFL)
            os.execv(sys.executable, words(IN_GROUP, COUNTS))
        text = b""
        while select.select([terminal], [], [], 20)[0]:
            try:
                text += os.read(terminal, 4096)
            except OSError:  # the other side is closed
                break
            if text.endswith(b"ready\r\n"):
                os.write(terminal, b"\x03")
        os.close(terminal)
        os.waitpid(child, 0)
        self.assertIn(b"seen SIGINT\r\n", text)

    def test_nothing_is_left_running(self):
        with self.assertRaises(ZeroDivisionError), children.Keeper() as keeper:
            process = keeper.start(["sleep", "60"])
            1 / 0
        self.assertEqual(-signal.SIGKILL, process.wait(timeout=5))

    def test_too_long_is_killed(self):
        with children.Keeper() as keeper:
            ended = keeper.run(["sh", "-c", "echo some; exec sleep 60"], seconds=0.5,
                               stdout=subprocess.PIPE)
        self.assertEqual((-signal.SIGKILL, b"some\n", None, True), ended)

    def test_handlers_are_put_back(self):
        before = signal.getsignal(signal.SIGTERM)
        with children.Keeper():
            self.assertNotEqual(before, signal.getsignal(signal.SIGTERM))
        self.assertEqual(before, signal.getsignal(signal.SIGTERM))


if __name__ == "__main__":
    unittest.main()
