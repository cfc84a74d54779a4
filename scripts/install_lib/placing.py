# SPDX-License-Identifier: MIT
"""Puts files in place, all or none: they are written beside their places first, and renamed when
the last one is there."""

import contextlib
import os
import pathlib

from common_lib import outputs
from install_lib.plan import Entry

FOLDER_MODE = 0o755


def staged(destdir: str, target: pathlib.Path) -> pathlib.Path:
    """Where the file goes now: in a package's tree, if DESTDIR names one."""
    return pathlib.Path(f"{destdir}{target}")


class Placing:
    """Files on their way. Left by an exception, nothing of them stays."""

    def __init__(self) -> None:
        self.scratches: list[tuple[pathlib.Path, pathlib.Path]] = []  # where, and what it will be
        self.created: list[pathlib.Path] = []  # folders

    def make_folder(self, folder: pathlib.Path) -> None:
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir()
            self.created.append(each)
            each.chmod(FOLDER_MODE)  # whatever the umask is

    def write(self, target: pathlib.Path, mode: int, data: bytes) -> None:
        file, scratch = outputs.open_scratch(target)
        self.scratches.append((scratch, target))
        with open(file, "wb") as stream:
            stream.write(data)
            os.fchmod(stream.fileno(), mode)

    def link(self, target: pathlib.Path, to: str) -> None:
        file, scratch = outputs.open_scratch(target)
        os.close(file)
        scratch.unlink()
        scratch.symlink_to(to)
        self.scratches.append((scratch, target))

    def add(self, entry: Entry, target: pathlib.Path) -> None:
        data = b""
        if entry.source is not None:
            data = entry.source.read_bytes()  # what is missing here is named so
        try:
            self.make_folder(target.parent)
            if target.is_dir() and not target.is_symlink():
                raise outputs.OutputError(target, "it is a folder")
            if entry.link is not None:
                self.link(target, entry.link)
            else:
                self.write(target, entry.mode, data if entry.text is None else entry.text.encode())
        except OSError as error:
            raise outputs.OutputError(target, outputs.reason_of(error)) from None

    def finish(self) -> None:
        for scratch, target in self.scratches:
            scratch.replace(target)

    def undo(self) -> None:
        for scratch, _ in self.scratches:
            scratch.unlink(missing_ok=True)
        for folder in reversed(self.created):
            with contextlib.suppress(OSError):
                folder.rmdir()


def install(entries: list[Entry], destdir: str) -> None:
    placing = Placing()
    try:
        for entry in entries:
            placing.add(entry, staged(destdir, entry.target))
        placing.finish()
    except BaseException:
        placing.undo()
        raise


def uninstall(entries: list[Entry], folders: list[pathlib.Path], destdir: str) -> int:
    """Returns how many files there were."""
    count = 0
    for entry in entries:
        target = staged(destdir, entry.target)
        try:
            target.unlink()
            count += 1
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise outputs.OutputError(target, outputs.reason_of(error)) from None
    for folder in folders:
        with contextlib.suppress(OSError):  # it holds something else, or is not there
            staged(destdir, folder).rmdir()
    return count
