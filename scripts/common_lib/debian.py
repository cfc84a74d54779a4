# SPDX-License-Identifier: MIT
"""A Debian system with nothing but what every one has, in a folder: made by debootstrap once, and
kept. Commands run inside of it, over a copy of our sources. Needs root."""

import os
import pathlib
import shutil
import subprocess
from typing import Callable, Mapping, Optional

from common_lib.script import KEEPER, SetupError

SUITE = "bookworm"
PACKAGES = "make,python3"  # what is needed to read the Makefile; all else it asks for itself
SOURCES = "/src/tagheap"
TREE = pathlib.Path(__file__).resolve().parent.parent.parent


class Failed(Exception):
    """What is not as it should be."""


class System:
    """root: the folder. mark: the file that says who has made it. group: of packages, for
    scripts/bootstrap. say: where a line for the user goes."""

    def __init__(self, root: pathlib.Path, mark: str, group: str,
                 say: Callable[[str], None]) -> None:
        if os.geteuid() != 0:
            raise SetupError(f"needs root, to make a system of its own: sudo scripts/{group}")
        self.root = root.resolve()
        self.made = self.root / mark
        self.group = group
        self.say = say

    def tool(self, name: str) -> str:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if found is None:
            raise SetupError(f"{name} is not there: `scripts/bootstrap {self.group}` installs it")
        return found

    def path(self, inside: str) -> pathlib.Path:
        """Where that path of the system is."""
        return pathlib.Path(f"{self.root}{inside}")

    def make(self, fresh: bool, emptied: tuple[str, ...]) -> None:
        """Or takes the one that is there, with these folders emptied."""
        debootstrap = self.tool("debootstrap")
        if self.root.exists() and not self.made.exists() and any(self.root.iterdir()):
            raise SetupError(f"{self.root} is there already, and no system that this script made")
        if fresh and self.made.exists():
            shutil.rmtree(self.root)
        if not self.made.exists():
            self.fill(debootstrap)
        for path in (SOURCES, *emptied):
            shutil.rmtree(self.path(path), ignore_errors=True)
            self.path(path).mkdir(parents=True)
        shutil.copyfile("/etc/resolv.conf", self.path("/etc/resolv.conf"))

    def fill(self, debootstrap: str) -> None:
        log = self.root.parent / "debootstrap.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.say(f"making a Debian system in {self.root} (log: {log})")
        with log.open("w") as output:
            ended = KEEPER.run([debootstrap, "--variant=minbase", f"--include={PACKAGES}", SUITE,
                                self.root], stdout=output, stderr=subprocess.STDOUT)
        if ended.status != 0:
            shutil.rmtree(self.root, ignore_errors=True)
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise SetupError(f"debootstrap failed ({lines[-1]})")
        self.made.touch()

    def copy_sources(self) -> None:
        """What git has here, or would take, as it is now."""
        names = subprocess.run(["git", "-C", TREE, "ls-files", "-z", "--cached", "--others",
                                "--exclude-standard"], stdout=subprocess.PIPE, check=False)
        if names.returncode != 0:
            raise SetupError(f"{TREE} is no work tree of git's, so what belongs to it is not known")
        for name in filter(None, names.stdout.decode().split("\0")):
            target = self.path(SOURCES) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (TREE / name).exists():
                shutil.copy(TREE / name, target)

    def run(self, *command: str, user: Optional[int] = None, folder: str = SOURCES,
            environment: Optional[Mapping[str, str]] = None) -> tuple[int, str]:
        """(exit status, what it printed) of a command in the system, with a /proc of its own."""
        become = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}",
                                          "--clear-groups"]
        words = [self.tool("unshare"), "--mount", "--pid", "--fork",
                 f"--mount-proc={self.root}/proc", self.tool("chroot"), self.root, *become,
                 "env", "-C", folder, *command]
        clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 "HOME": "/root", "LC_ALL": "C.UTF-8", **(environment or {})}
        ended = KEEPER.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, text=True, errors="replace", env=clean)
        return ended.status, ended.output

    def must(self, what: str, *command: str, folder: str = SOURCES,
             environment: Optional[Mapping[str, str]] = None) -> str:
        status, output = self.run(*command, folder=folder, environment=environment)
        if status != 0:
            raise Failed(f"{what} ended with status {status}:\n{output}")
        return output
