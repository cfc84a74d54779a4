# SPDX-License-Identifier: MIT
"""Running the built programs: environment, time limits, paths for people."""

import os
import pathlib
import shlex
import shutil
import subprocess
from typing import IO, NamedTuple, Optional, Union

from common_lib import outputs
from common_lib.children import Command, Process, die_with_parent
from common_lib.script import KEEPER


def symbolizer() -> Optional[str]:
    """llvm-symbolizer; without it reports name no source lines."""
    if found := shutil.which("llvm-symbolizer"):
        return found
    versions = sorted(pathlib.Path("/usr/lib").glob("llvm-*/bin/llvm-symbolizer"))
    return str(versions[-1]) if versions else None


def environment(stats: Optional[pathlib.Path] = None, known: Optional[pathlib.Path] = None,
                layout: Optional[str] = None) -> dict[str, str]:
    """The workers' environment. What the caller set in *SAN_OPTIONS comes last and so wins."""
    env = dict(os.environ)
    for name in ("LAB_STATS", "LAB_KNOWN", "LAB_LAYOUT"):
        env.pop(name, None)
    asan = ["detect_leaks=1", "symbolize=1"]
    if path := symbolizer():
        asan.append(f"external_symbolizer_path={path}")
    ubsan = ["print_stacktrace=1", "halt_on_error=1"]
    for name, ours in (("ASAN_OPTIONS", asan), ("UBSAN_OPTIONS", ubsan)):
        env[name] = ":".join(ours + [env[name]] if env.get(name) else ours)
    if stats is not None:
        env["LAB_STATS"] = str(stats)
    if known is not None:
        env["LAB_KNOWN"] = str(known)
    if layout is not None:
        env["LAB_LAYOUT"] = layout
    return env


def be_nice(nice: int) -> None:
    """Runs in the child. Where the kernel groups processes by session (autogroup), a process's own
    niceness counts only inside its session: the session's has to be set too."""
    os.nice(nice)
    try:
        with open("/proc/self/autogroup", "w") as autogroup:
            autogroup.write(str(nice))
    except OSError:
        pass  # no such grouping here


def start(arguments: Command, log: IO[bytes], cwd: pathlib.Path, env: dict[str, str],
          nice: int = 0) -> Process:
    """A process of its own session (a terminal's Ctrl-C does not reach it), output to `log`. It
    does not outlive us; whoever starts it ends it."""
    KEEPER.raise_if_asked()

    def prepare() -> None:
        die_with_parent()
        if nice:
            be_nice(nice)

    return subprocess.Popen(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=env,
        start_new_session=True,
        preexec_fn=prepare,
    )


class Outcome(NamedTuple):
    status: int  # negative: killed by that signal
    text: str  # standard output and standard error
    hung: bool


def run(arguments: Command, cwd: pathlib.Path, seconds: Optional[float] = 60,
        stderr: int = subprocess.STDOUT) -> Outcome:
    """Runs a program to its end, or kills it after `seconds`."""
    ended = KEEPER.run(arguments, seconds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=stderr, cwd=cwd, env=environment())
    return Outcome(ended.status, ended.output.decode("utf-8", "replace"), ended.hung)


def shown(path: pathlib.Path, root: pathlib.Path) -> str:
    """The path as commands printed for the user have it: from the tree's root if inside."""
    try:
        return str(path.relative_to(root))
    except ValueError:
        return str(path)


def is_here(root: pathlib.Path) -> bool:
    """Is the tree's root the current folder, as the commands in findings want it?"""
    return pathlib.Path.cwd() == root


def command_shown(command: str, root: pathlib.Path) -> str:
    """A command that is meant for the tree's root, so that it works from the current folder."""
    if is_here(root):
        return command
    return f"(cd {shlex.quote(shown(root, pathlib.Path.cwd()))} && {command})"


def write_atomically(path: pathlib.Path, data: Union[str, bytes]) -> None:
    """Of many small files none is waited for."""
    outputs.write_whole(path, data, sync=False)
