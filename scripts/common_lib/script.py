# SPDX-License-Identifier: MIT
"""How every script begins and ends.

    if __name__ == "__main__":
        script.run("scripts/name", main, sys.argv[1:])

SIGINT, SIGTERM and SIGHUP end the script in order: what it runs gets the signal and is waited for,
nothing more is started, temporary files go, and the exit status is 128 + the signal's number, if
nothing worse has come to light. One that was ignored when the script was started stays ignored, as
nohup has it. Whatever a user can cause is said in one line, with exit status 2."""

import contextlib
import io
import os
import sys
import time
from types import FrameType
from typing import Any, Callable, Iterator, NoReturn, Optional, TextIO

from common_lib import children, outputs
from common_lib.children import Interrupted

EXIT_REFUSED = 2

Main = Callable[..., Optional[int]]  # a script's work: its exit status, of which 0 may be left out
Handler = Callable[[int, Optional[FrameType]], object]  # of a signal


class SetupError(Exception):
    """What keeps a script from its work: one line for the user, exit status 2."""


class ScriptKeeper(children.Keeper):
    """The one keeper of a script's programs."""

    def __init__(self) -> None:
        super().__init__()
        self.handler: Optional[Handler] = None
        self.starting = 0

    @contextlib.contextmanager
    def left_to(self, handler: Handler) -> Iterator[None]:
        """In the block, requests to end are for `handler`(number, frame), which ends what runs in
        its own way, and may start more."""
        self.handler = handler
        try:
            yield
        finally:
            self.handler = None

    def on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        first = self.asked is None
        again = not first and time.monotonic() - self.asked_at > children.SAME_REQUEST_SECONDS
        if self.handler is not None:
            if first:
                self.asked, self.asked_at = number, time.monotonic()
            if first or again:
                self.handler(number, frame)
            return
        busy = self.running or self.starting
        super().on_signal(number, frame)
        if not busy and (first or again):
            raise Interrupted(self.asked or number)

    def raise_if_asked(self) -> None:
        if self.handler is None:
            super().raise_if_asked()

    def start(self, command: children.Command, prepare: Optional[Callable[[], object]] = None,
              **options: Any) -> children.Process:
        self.starting += 1
        try:
            return super().start(command, prepare, **options)
        finally:
            self.starting -= 1

    def finish(self, process: children.Process, seconds: Optional[float] = None) -> children.Ended:
        """What a program came to that was told to end says nothing."""
        ended = super().finish(process, seconds)
        self.raise_if_asked()
        return ended


KEEPER = ScriptKeeper()


def write(stream: Optional[TextIO], text: str) -> Optional[str]:
    """Writes out `text` at once. Returns None, or why that failed."""
    if stream is None:
        return "it is closed"
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What is still buffered goes nowhere, or Python's own flush at the end would fail again.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        return error.strerror or str(error)
    return None


def complain(name: str, text: object) -> None:
    line = " ".join(str(text).split("\n"))
    write(sys.stderr, f"{name}: {line}\n")


def prepared(stream: Optional[TextIO]) -> Any:
    """The same standard stream, if there is one. Names of files that are no text must not stop what
    is printed, nor a pipe that is full and does not block."""
    if stream is None:
        return None
    file = outputs.PatientFile(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(file), encoding=stream.encoding,
                            errors="backslashreplace", line_buffering=bool(stream.line_buffering))


def prepare_streams() -> None:
    """The numbers of closed streams must not become those of other files."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdout, sys.stderr = prepared(sys.stdout), prepared(sys.stderr)


def explain(error: OSError) -> str:
    """An exception of the system in words."""
    if error.filename is None:
        trouble = write(sys.stdout, "")
        return (f"standard output cannot be written: {trouble}" if trouble is not None
                else f"the system refuses: {error.strerror or error}")
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def attempt(name: str, main: Main, arguments: tuple[Any, ...]) -> int:
    try:
        if sys.stdout is None:
            raise SetupError("standard output is closed: give it a file or a terminal")
        with KEEPER:
            status = main(*arguments)
        return status or (128 + KEEPER.asked if KEEPER.asked is not None else 0)
    except (SetupError, outputs.OutputError) as error:
        complain(name, error)
    except OSError as error:
        complain(name, explain(error))
    except (Interrupted, KeyboardInterrupt) as end:
        return 128 + getattr(end, "number", 2)
    return EXIT_REFUSED


def run(name: str, main: Main, *arguments: Any) -> NoReturn:
    """Runs main(*arguments), which returns the exit status, and ends the process."""
    prepare_streams()
    status = attempt(name, main, arguments)
    trouble = write(sys.stdout, "") if sys.stdout is not None else None
    if trouble is not None:
        complain(name, f"standard output cannot be written: {trouble}")
        status = status or EXIT_REFUSED
    sys.exit(status)
