# SPDX-License-Identifier: MIT
"""A mistake planted in a copy of src/, and how the programs over it are run."""

import shutil
import subprocess
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent


def run(*command):
    done = subprocess.run(command, cwd=TREE, text=True, timeout=280, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def plant(folder, path, old, new):
    """Copies src/ into the folder, with `old`, which stands once in one of its files, replaced."""
    shutil.copytree(TREE / "src", folder / "src")
    source = folder / "src" / path
    text = source.read_text()
    assert text.count(old) == 1, (path, old, text.count(old))
    source.write_text(text.replace(old, new))
