# SPDX-License-Identifier: MIT
"""build/report: index.html and report.json, of the latest run; history.jsonl, of all of them; and
findings/."""

import contextlib
import json
import pathlib
import random
import time
from typing import Any, Optional

from common_lib.outputs import OutputError
from fuzz_lib import program, summary
from fuzz_lib.job import Job
from report_lib import evidence, history, reached, record, sample
from report_lib.page import Page
from report_lib.serve import REFRESH_SECONDS, Server

PAGE, DATA = "index.html", "report.json"
GROWTH_POINTS_KEPT = 60  # of each target, in the history
Run = dict[str, Any]


def folder_of(root: pathlib.Path) -> pathlib.Path:
    return root / "build" / "report"


def thinned(run: Run) -> Run:
    """As the history has it: with fewer points."""
    targets = {}
    for name, one in run["targets"].items():
        points = one.get("growth") or []
        step = max(1, -(-len(points) // GROWTH_POINTS_KEPT))
        kept = points[::step]
        if points and kept[-1] != points[-1]:
            kept = [*kept, points[-1]]
        targets[name] = {**one, "growth": kept}
    return {**run, "targets": targets}


def write(folder: pathlib.Path, run: Run, past: history.History,
          refresh_seconds: Optional[int] = None) -> pathlib.Path:
    """Writes page and data; returns the page's path. Raises OutputError."""
    earlier = [one for one in past.runs if one["id"] != run["id"]]
    now = time.time()
    page = Page(run, earlier, past.damage, folder).whole(now, refresh_seconds)
    data = {"version": 1, "made": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(now)),
            "run": run, "earlier_runs": len(earlier), "damage": past.damage}
    program.write_atomically(folder / DATA, json.dumps(data, indent=1) + "\n")
    program.write_atomically(folder / PAGE, page)
    return folder / PAGE


def look(run: Run, root: pathlib.Path, seconds: float = evidence.SECONDS_MAX) -> None:
    """Looks at the findings, as far as nobody has."""
    maker = evidence.Maker(root, folder_of(root), seconds)
    for one in run["findings"]:
        maker.look_at(one)
    for one in run.get("older") or []:
        maker.look_at_older(one)


def finish(job: Job, summarized: dict[str, Any]) -> pathlib.Path:
    """After a run: its line in the history, then the report. Raises OutputError, OSError."""
    folder = folder_of(job.root)
    folder.mkdir(parents=True, exist_ok=True)
    run = record.make(job, summarized)
    if job.interrupt is None and not job.broke_off:
        look(run, job.root)
        if any(target.runs_in_heaplab and target.name == "heap" for target in job.targets):
            run["pairs"] = reached.pairs(job.root)
            run["conditions"] = reached.conditions(job.root)
            seed = random.SystemRandom().getrandbits(32)
            run["sample"] = sample.take(job.root, job.seconds, seed, job.known.path)
    past = history.read(folder)
    history.append(folder, thinned(run))
    return write(folder, run, past)


def show_running(job: Job, now: float) -> None:
    """The page of a run that goes on. What cannot be written is not: the run matters more."""
    folder = folder_of(job.root)
    job.seconds = now - job.started
    run = record.make(job, {**summary.collect(job), "result": "running"})
    with contextlib.suppress(OSError, OutputError):
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, run, history.read(folder), REFRESH_SECONDS)


def watch(job: Job, port: int) -> Server:
    """Serves the report of this job from now on. Raises SetupError."""
    server = Server(port, folder_of(job.root))

    def on_tick(job: Job, now: float) -> None:
        if server.is_due(now):
            show_running(job, now)

    job.watch = on_tick
    return server


def latest(folder: pathlib.Path, past: history.History) -> Optional[Run]:
    """The last run that the history has, in full where report.json still has it."""
    if not past.runs:
        return None
    run = past.runs[-1]
    try:
        data = json.loads((folder / DATA).read_bytes())
        full = data["run"]
        if not history.fault_of(full) and full["id"] == run["id"]:
            return {**full}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return {**run}


def renew(root: pathlib.Path) -> Optional[pathlib.Path]:
    """Makes it again; None: there was no run."""
    folder = folder_of(root)
    past = history.read(folder)
    run = latest(folder, past)
    if run is None:
        return None
    look(run, root)
    run["conditions"] = reached.conditions(root) or run.get("conditions")
    return write(folder, run, past)
