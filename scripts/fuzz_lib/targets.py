# SPDX-License-Identifier: MIT
"""The fuzz targets and how each is run. A target exists because fuzz/targets/NAME.c does; what
differs from the defaults stands in OPTIONS. The plug-in is the target `subjects` with somebody's
allocator linked in, built and fuzzed only when it is asked for."""

import pathlib
import re
from typing import Any, Iterable, NamedTuple, Optional, Sequence

Form = tuple[str, ...]  # heaplab's options that say in which form a file is


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
    flags: tuple[str, ...] = ()  # further libFuzzer flags
    form: str = "script"  # what its inputs are, for the mutator: as the target's source says
    seeds: Optional[str] = None  # the target whose seeds it takes; None: its own
    heaplab: tuple[str, ...] = ()  # further options of heaplab for its inputs
    idle: tuple[str, ...] = ()  # counters that say nothing when they stay 0

    def options(self, form: Form) -> list[str]:
        """heaplab's options for a file of this target. `form`: BYTES, as what an engine left; TEXT;
        or nothing, which leaves it to heaplab."""
        numbered = self.form == "numbered" and form == BYTES
        return [*(NUMBERED if numbered else form), *self.heaplab]


BYTES, TEXT, NUMBERED = ("--bytes",), ("--text",), ("--numbered",)  # forms of script files

LAYOUTS = ("classic", "lean", "wide", "auto")  # as scripts say (docs/script.md)
OF_LAYOUTS = "heap"  # the target that plays the heap's layouts

HEAP_ONLY = ("moves", "vetoes", "copy", "retag")  # what only the tagged heap does
OPTIONS: dict[str, dict[str, Any]] = {
    "heap": {
        "heavy": True, "checked": True, "script": True, "runs_in_heaplab": True, "text_cases": True,
    },
    "classic": {"script": True, "text_cases": True},
    "script": {"script": True},
    "subjects": {
        "script": True, "runs_in_heaplab": True, "text_cases": True, "form": "numbered",
        "idle": HEAP_ONLY,
    },
}
PLUGIN = Target(
    "plugin", script=True, runs_in_heaplab=True, text_cases=True, form="numbered",
    seeds="subjects", heaplab=("--subject", "build/fuzz/plugin.so"), heavy=True,
    idle=(*HEAP_ONLY, "freetags", "compact", "find", "attack"),  # as its table has it
)


FORM = re.compile(r"^const lab_mutate_form lab_target_form = LAB_MUTATE_(\w+);", re.MULTILINE)


def describe(name: str) -> Target:
    return Target(name, **OPTIONS.get(name, {}))


def read_form(target: Target, source: pathlib.Path) -> Target:
    found = FORM.search(source.read_text())
    return target._replace(form=found[1].lower()) if found else target


def discover(root: pathlib.Path) -> list[Target]:
    """All targets of the tree, the heavy ones first."""
    sources = sorted((root / "fuzz" / "targets").glob("*.c"))
    targets = [read_form(describe(source.stem), source) for source in sources]
    return sorted(targets, key=lambda target: not target.heavy)


def find(name: str, targets: Iterable[Target]) -> Optional[Target]:
    """The target of that name among these, or the plug-in; None: there is none."""
    return next((target for target in [*targets, PLUGIN] if target.name == name), None)


def share_cores(targets: Sequence[Target], cores: int) -> dict[str, int]:
    """How many workers each target gets: one at least; what is left goes to the heavy ones."""
    workers = {target.name: 1 for target in targets}
    takers = [target.name for target in targets if target.heavy] or list(workers)
    for extra in range(max(0, cores - len(targets))):
        workers[takers[extra % len(takers)]] += 1
    return workers
