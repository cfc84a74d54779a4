# SPDX-License-Identifier: MIT
"""What scripts share that run somebody's program with a preload library of ours: a folder for what
it leaves, a path that LD_PRELOAD can name, and the run itself."""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Mapping, Optional

from common_lib import children
from common_lib.script import SetupError

# Handed on to the program, which does with them what it likes. SIGTERM asks us to end, too.
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

# LD_PRELOAD parts its files at these, and replaces what begins with $.
NOT_PRELOADABLE = re.compile(r"[\s:$]")
LINK_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")

# Other users may come under our folder if they know the name in it: a program that becomes another
# user and then replaces itself by exec opens the file again.
FOLDER_MODE, FILE_MODE = 0o711, 0o666


class Workplace:
    """A folder for what the library leaves, and, where the library's own path cannot stand in
    LD_PRELOAD, one for a link to it. Both go away, but not what is all there is of a run."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.folders: list[str] = []
        self.keep = False

    def __enter__(self) -> "Workplace":
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self.folders:
            if self.keep and folder == self.folders[0]:
                os.chmod(folder, 0o700)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def make(self, parent: Optional[str] = None) -> Path:
        try:
            folder = tempfile.mkdtemp(prefix=self.prefix, dir=parent)
        except OSError as error:
            raise SetupError(f"no temporary folder: {error.strerror}") from error
        self.folders.append(folder)
        os.chmod(folder, FOLDER_MODE)
        return Path(folder).absolute()

    def preloadable(self, library: Path) -> Path:
        """A path of the library that LD_PRELOAD can name."""
        if not NOT_PRELOADABLE.search(str(library)):
            return library
        for parent in (tempfile.gettempdir(), *LINK_FOLDERS):
            if not NOT_PRELOADABLE.search(parent) and os.access(parent, os.W_OK):
                link = self.make(parent) / library.name
                link.symlink_to(library)
                return link
        raise SetupError(f"{library}: LD_PRELOAD cannot name a path with a space or a colon; set "
                         "TMPDIR to a folder without")


def own_name() -> str:
    """Our process number and its namespace, as the library reads them. A program can make a
    namespace, in which the same numbers are given out again."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"{os.getpid()}:{namespace}"


def run(command: list[str], keeper: children.Keeper, library: Path, process_variable: str,
        variables: Mapping[str, str]) -> int:
    """Runs the program to its end; returns its status as a shell would give it."""
    def prepare() -> None:
        # Here, in the child, which alone knows its number before the program begins.
        preloaded = os.environ.get("LD_PRELOAD")
        os.environ["LD_PRELOAD"] = f"{library}:{preloaded}" if preloaded else str(library)
        os.environ.update(variables)
        os.environ[process_variable] = own_name()

    try:
        ended = keeper.run(command, prepare=prepare, close_fds=False)
    except OSError as error:
        raise SetupError(f"{command[0]}: {error.strerror}") from error
    return children.shell_status(ended.status)
