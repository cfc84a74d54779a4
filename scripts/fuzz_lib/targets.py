# SPDX-License-Identifier: MIT
"""The fuzz targets and how each is run. A target exists because fuzz/targets/NAME.c does; what
differs from the defaults stands in OPTIONS."""

import re
from typing import NamedTuple


class Target(NamedTuple):
    name: str
    max_len: int = 4096  # bytes; longer seeds are cut to it
    timeout: int = 10  # seconds for one input
    rss_limit_mb: int = 2048
    heavy: bool = False  # gets the cores left over, and is never niced
    checked: bool = False  # publishes checked operations (the counter "checked")
    script: bool = False  # its inputs are scripts, which `heaplab show` can print
    runs_in_heaplab: bool = False  # `heaplab run` plays its inputs
    text_cases: bool = False  # what it fails on is adopted as a script in text form
    flags: tuple = ()  # further libFuzzer flags
    form: str = "script"  # what its inputs are, for the mutator: as the target's source says


OPTIONS = {
    "heap": {
        "heavy": True, "checked": True, "script": True, "runs_in_heaplab": True, "text_cases": True,
    },
    "classic": {"script": True, "text_cases": True},
    "script": {"script": True},
}


FORM = re.compile(r"^const lab_mutate_form lab_target_form = LAB_MUTATE_(\w+);", re.MULTILINE)


def describe(name):
    return Target(name, **OPTIONS.get(name, {}))


def read_form(target, source):
    found = FORM.search(source.read_text())
    return target._replace(form=found[1].lower()) if found else target


def discover(root):
    """All targets of the tree, the heavy ones first."""
    sources = sorted((root / "fuzz" / "targets").glob("*.c"))
    targets = [read_form(describe(source.stem), source) for source in sources]
    return sorted(targets, key=lambda target: not target.heavy)


def share_cores(targets, cores):
    """How many workers each target gets: one at least; what is left goes to the heavy ones."""
    workers = {target.name: 1 for target in targets}
    takers = [target.name for target in targets if target.heavy] or list(workers)
    for extra in range(max(0, cores - len(targets))):
        workers[takers[extra % len(takers)]] += 1
    return workers
