# SPDX-License-Identifier: MIT
"""Runs programs for a script that may itself be told to end. Signals that ask for that are handed
on to the programs; the script waits for them, finishes its work, and says how it ended.

    with children.Keeper() as keeper:
        ended = keeper.run(command, seconds=60, stdout=subprocess.PIPE)
        ...                             # keeper.asked: the signal that asked for the end, or None
    return children.shell_status(-keeper.asked) if keeper.asked else 0

After the first such signal `start` and `run` raise Interrupted, so that loops over many programs
end by themselves. What still runs after the grace time is killed, and so it is by a second signal.
A signal that was ignored when the script started stays ignored, in the programs too."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Callable, Iterable, NamedTuple, Optional

GRACE_SECONDS = 10
# timeout(1) signals us, and then our whole group: that asks once, also if the program, and with it
# one Keeper, has ended in between.
SAME_REQUEST_SECONDS = 0.5
last_seconds: dict[int, float] = {}  # when each signal came that was no repetition

Process = subprocess.Popen[Any]
Command = Iterable[object]  # words, which are paths or numbers, too

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Interrupted(Exception):
    """Nothing more is started: a signal has asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Ended(NamedTuple):
    status: int  # negative: killed by that signal
    output: Any  # of a standard output that is a pipe: bytes, or str if text was asked for; else None
    errors: Any  # the same of standard error
    hung: bool  # killed after its time


def shell_status(status: int) -> int:
    """The exit status as a shell gives it: 128 + N for what signal N ended."""
    return status if status >= 0 else 128 - status


def die_with_parent() -> None:
    """Runs in the child: it does not outlive the script, however that ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def signal_group(process: Process, number: int) -> None:
    """Signals a process that leads a group, and what it started, if it is still there."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass


def in_foreground() -> bool:
    """Does what is typed at the terminal, Ctrl-C for one, reach our whole process group?"""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


class Keeper:
    """ends: the signals that ask the script to end. passes: those that are handed on and mean
    nothing to the script. own_sessions: each program leads a session of its own, where the
    terminal's signals do not reach it, and does not outlive us; otherwise it belongs to our process
    group, as if it had been started in our place. grace_seconds: None: no limit, only a second
    signal kills. To be entered in the main thread; any thread may run programs."""

    def __init__(self, ends: Iterable[int] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
                 passes: Iterable[int] = (), own_sessions: bool = True,
                 grace_seconds: Optional[float] = GRACE_SECONDS) -> None:
        self.ends = tuple(ends)
        self.passes = tuple(passes)
        self.own_sessions = own_sessions
        self.grace_seconds = grace_seconds
        self.asked: Optional[int] = None
        self.asked_at = 0.0
        self.received: list[int] = []
        self.running: list[Process] = []
        self.before: dict[int, Any] = {}
        self.timer: Optional[threading.Timer] = None

    def __enter__(self) -> "Keeper":
        for number in (*self.ends, *self.passes):
            if signal.getsignal(number) != signal.SIG_IGN:
                # A handler, unlike "ignore", is not inherited by the programs.
                self.before[number] = signal.signal(number, self.on_signal)
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.kill()
        if self.timer is not None:
            self.timer.cancel()
        for number, handler in self.before.items():
            signal.signal(number, handler)

    # ---- signals

    def on_signal(self, number: int, _frame: Optional[FrameType]) -> None:
        if number in self.ends:
            now = time.monotonic()
            if now - last_seconds.get(number, -SAME_REQUEST_SECONDS) < SAME_REQUEST_SECONDS:
                return
            last_seconds[number] = now
            if self.asked is not None:
                if now - self.asked_at >= SAME_REQUEST_SECONDS:
                    self.kill()
                return
            self.asked, self.asked_at = number, now
            self.start_timer()
        self.received.append(number)
        for process in list(self.running):
            self.hand_on(process, number)

    def start_timer(self) -> None:
        if self.grace_seconds is not None:
            self.timer = threading.Timer(self.grace_seconds, self.kill)
            self.timer.daemon = True
            self.timer.start()

    def hand_on(self, process: Process, number: int) -> None:
        if self.own_sessions:
            signal_group(process, number)
        elif number not in (signal.SIGINT, signal.SIGQUIT) or not in_foreground():
            process.send_signal(number)

    def kill_one(self, process: Process) -> None:
        if self.own_sessions:
            signal_group(process, signal.SIGKILL)
        else:
            process.kill()

    def kill(self) -> None:
        for process in list(self.running):
            self.kill_one(process)

    # ---- programs

    def raise_if_asked(self) -> None:
        if self.asked is not None:
            raise Interrupted(self.asked)

    def start(self, command: Command, prepare: Optional[Callable[[], object]] = None,
              **options: Any) -> Process:
        """As subprocess.Popen; `prepare` runs in the child. Whoever starts one calls `finish`, or
        `running.remove` after having waited for it."""
        self.raise_if_asked()
        known = len(self.received)

        def in_child() -> None:
            if self.own_sessions:
                die_with_parent()
            if prepare is not None:
                prepare()

        process = subprocess.Popen([str(word) for word in command], preexec_fn=in_child,
                                   start_new_session=self.own_sessions, **options)
        self.running.append(process)
        for number in self.received[known:]:
            self.hand_on(process, number)
        return process

    def finish(self, process: Process, seconds: Optional[float] = None) -> Ended:
        """Waits for its end, or kills it after `seconds`."""
        hung = False
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            hung = True
            self.kill_one(process)
            output, errors = process.communicate()
        except BaseException:
            self.kill_one(process)
            process.wait()
            raise
        finally:
            self.running.remove(process)
        return Ended(process.returncode, output, errors, hung)

    def run(self, command: Command, seconds: Optional[float] = None,
            prepare: Optional[Callable[[], object]] = None, **options: Any) -> Ended:
        return self.finish(self.start(command, prepare, **options), seconds)
