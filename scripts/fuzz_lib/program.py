# SPDX-License-Identifier: MIT
"""Running the built programs: environment, time limits, paths for people."""

import os
import pathlib
import shlex
import shutil
import signal
import subprocess
from typing import NamedTuple

from common_lib.children import die_with_parent, signal_group


class SetupError(Exception):
    """What keeps a job from starting: one line for the user, exit status 2."""


def symbolizer():
    """llvm-symbolizer; without it reports name no source lines."""
    if found := shutil.which("llvm-symbolizer"):
        return found
    versions = sorted(pathlib.Path("/usr/lib").glob("llvm-*/bin/llvm-symbolizer"))
    return str(versions[-1]) if versions else None


def environment(stats=None, known=None):
    """The workers' environment. What the caller set in *SAN_OPTIONS comes last and so wins."""
    env = dict(os.environ)
    env.pop("LAB_STATS", None)
    env.pop("LAB_KNOWN", None)
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
    return env


def be_nice(nice):
    """Runs in the child. Where the kernel groups processes by session (autogroup), a process's own
    niceness counts only inside its session: the session's has to be set too."""
    os.nice(nice)
    try:
        with open("/proc/self/autogroup", "w") as autogroup:
            autogroup.write(str(nice))
    except OSError:
        pass  # no such grouping here


def start(arguments, log, cwd, env, nice=0):
    """A process of its own session (a terminal's Ctrl-C does not reach it), output to `log`."""

    def prepare():
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


def run(arguments, cwd, seconds=60, stderr=subprocess.STDOUT):
    """Runs a program to its end, or kills it after `seconds`."""
    process = subprocess.Popen(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=cwd,
        env=environment(),
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    hung = False
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        hung = True
        signal_group(process, signal.SIGKILL)
        output, _ = process.communicate()
    except BaseException:
        signal_group(process, signal.SIGKILL)
        process.wait()
        raise
    return Outcome(process.returncode, output.decode("utf-8", "replace"), hung)


def shown(path, root):
    """The path as commands printed for the user have it: from the tree's root if inside."""
    try:
        return str(path.relative_to(root))
    except ValueError:
        return str(path)


def is_here(root):
    """Is the tree's root the current folder, as the commands in findings want it?"""
    return pathlib.Path.cwd() == root


def command_shown(command, root):
    """A command that is meant for the tree's root, so that it works from the current folder."""
    if is_here(root):
        return command
    return f"(cd {shlex.quote(shown(root, pathlib.Path.cwd()))} && {command})"


def write(stream, text):
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
        return error.strerror
    return None


def write_atomically(path, data):
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.replace(scratch, path)
