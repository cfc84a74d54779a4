# SPDX-License-Identifier: MIT
"""Files that a script writes: refused before the work, written beside, and renamed.

An output that is there stays as it is until the new one is complete and on the disk; whatever
happens before that, nothing of the new one is left. Devices and pipes (/dev/stdout) hold nothing
that could be lost, and are written in place. A link is followed: what it points to is replaced."""

import contextlib
import io
import itertools
import os
import pathlib
import select
import stat
from typing import Any, BinaryIO, Iterator, Union

OPEN_FILES = ("/dev/", "/proc/")  # /dev/stdout may be a file, to which others write, too
NAME_PART_MAX = 40  # of the output's name in the scratch file's, which must not become too long


AnyPath = Union[str, bytes, os.PathLike[str]]


class OutputError(Exception):
    """One line for the user: which file, and why it cannot be written."""

    def __init__(self, path: AnyPath, reason: str) -> None:
        super().__init__(f"{os.fsdecode(path)}: cannot be written: {reason}")
        self.reason = reason


class PatientFile(io.FileIO):
    """What it writes to need not block: whoever shares an open pipe or terminal with us may have
    made it so. Then it is waited for."""

    def write(self, data: Any) -> int:
        while (count := super().write(data)) is None:
            ready = select.poll()
            ready.register(self, select.POLLOUT)
            ready.poll()
        return count


def reason_of(error: Exception) -> str:
    """What an exception of the system says, without numbers and names."""
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    return getattr(error, "strerror", None) or str(error)


def is_in_place(path: AnyPath, replace: bool) -> bool:
    """Is it a device, a pipe, or an open file under another name? Raises OutputError for what can
    be no output, and for what is there already and may not be replaced."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.basename(path):
            raise OutputError(path, "it has no name") from None
        return False
    except OSError as error:
        raise OutputError(path, reason_of(error)) from None
    if stat.S_ISDIR(mode):
        raise OutputError(path, "it is a folder")
    in_place = not stat.S_ISREG(mode) or os.fsdecode(path).startswith(OPEN_FILES)
    if not in_place and not replace:
        raise OutputError(path, "it exists already")
    if not os.access(path, os.W_OK):
        raise OutputError(path, "it is write-protected")
    return in_place


def real_path(path: AnyPath) -> pathlib.Path:
    """Where the output lies, links followed."""
    try:
        return pathlib.Path(os.fsdecode(path)).resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(path, reason_of(error)) from None


def open_scratch(target: pathlib.Path) -> tuple[int, pathlib.Path]:
    """A new file beside the target, and its name. Its mode is what any new file would get, or that
    of the file that it replaces."""
    numbers = itertools.count()
    while True:
        name = f".{target.name[:NAME_PART_MAX]}.{os.getpid()}.{next(numbers)}"
        scratch = target.with_name(name)
        try:
            file = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            continue
        return file, scratch


def check(path: AnyPath, replace: bool = True) -> None:
    """Raises OutputError if there is something in the way of writing `path` later. Leaves nothing
    behind. (A disk that is full then is only noticed then.)"""
    if is_in_place(path, replace):
        return
    try:
        file, scratch = open_scratch(real_path(path))
        os.close(file)
        scratch.unlink()
    except OSError as error:
        raise OutputError(path, reason_of(error)) from None


def take_name(scratch: pathlib.Path, target: pathlib.Path, replace: bool) -> None:
    """Renames; a file that has come since is not lost."""
    if replace:
        scratch.replace(target)
        return
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        scratch.replace(target)
    except BaseException:
        target.unlink()
        raise


@contextlib.contextmanager
def open_whole(path: AnyPath, replace: bool = True, sync: bool = True) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `path` as a whole when the block is left; if it is
    left by an exception, nothing has happened. Raises OutputError; an OSError inside of the block
    is taken for the output's. `sync`: waits until it is on the disk."""
    in_place = is_in_place(path, replace)
    target = real_path(path)
    scratch = None
    try:
        if in_place:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            with PatientFile(descriptor, "wb") as file:
                yield file
            return
        descriptor, scratch = open_scratch(target)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            if sync:
                os.fsync(descriptor)
        take_name(scratch, target, replace)
    except FileExistsError:
        raise OutputError(path, "it exists already") from None
    except OSError as error:
        raise OutputError(path, reason_of(error)) from None
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


def write_whole(path: AnyPath, data: Union[str, bytes], replace: bool = True,
                sync: bool = True) -> None:
    """Writes `data` (bytes, or text as UTF-8) to `path`. Raises OutputError."""
    data = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
    with open_whole(path, replace, sync) as file:
        view = memoryview(data)
        while view:  # in place, nothing is buffered
            view = view[file.write(view):]


def copy_whole(source: AnyPath, path: AnyPath, replace: bool = True) -> None:
    """The same with what the file `source` holds. An OSError is of `source`."""
    with open(source, "rb") as data:
        write_whole(path, data.read(), replace)
