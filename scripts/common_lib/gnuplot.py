# SPDX-License-Identifier: MIT
"""A plot as an SVG file, drawn by gnuplot."""

import pathlib
import shutil
import subprocess

from common_lib import outputs
from common_lib.script import KEEPER

STYLE = """set terminal svg size 720,420 font "sans-serif,13" background "white"
set grid
set key outside right top
"""


def is_there() -> bool:
    return shutil.which("gnuplot") is not None


def draw(path: pathlib.Path, program: str) -> str:
    """`program` is what comes after STYLE, data included; it is kept beside the plot. Returns what
    gnuplot said if it drew nothing, else an empty text."""
    source = path.with_suffix(".gnuplot")
    outputs.write_whole(source, STYLE + program)
    done = KEEPER.run(["gnuplot", str(source)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE)
    head, mark, rest = done.output.decode().partition("?>\n")
    if done.status != 0 or not mark:
        return done.errors.decode(errors="replace").strip()[-300:] or "gnuplot drew nothing"
    outputs.write_whole(path, f"{head}{mark}<!-- SPDX-License-Identifier: MIT -->\n{rest}")
    return ""
