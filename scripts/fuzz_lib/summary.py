# SPDX-License-Identifier: MIT
"""The end of a run: its result, as text and as build/fuzz-summary.json."""

import json
import signal
import time
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, Sequence

from common_lib import outputs
from fuzz_lib import duration, known, program
from fuzz_lib.targets import Target
from fuzz_lib.worker import Worker

if TYPE_CHECKING:
    from fuzz_lib.job import Job  # which imports this

# After so many checked operations every counter that a target publishes must have moved.
CHECKED_BEFORE_COUNTERS_COUNT = 1_000_000


class Summary(NamedTuple):
    status: int  # exit status
    data: dict[str, Any]
    lines: list[str]


def conclude(job: "Job") -> tuple[str, int]:
    """(result, exit status): findings and a dead harness outrank an interruption."""
    if job.store.findings:
        return "findings", 1
    if job.problems:
        return "broken", 1
    if job.interrupt is not None:
        return "interrupted", 128 + job.interrupt
    return "clean", 0


def coverage(workers: Sequence[Worker]) -> int:
    """The engines count different things: libFuzzer's count is given if it is there."""
    measured = [worker for worker in workers if worker.engine == "libfuzzer"] or workers
    return max(worker.coverage for worker in measured)


def make(job: "Job") -> Summary:
    path = job.build / "fuzz-summary.json"
    shown = program.shown(path, job.root)
    data = collect(job)
    try:
        program.write_atomically(path, json.dumps(data, indent=2) + "\n")
    except outputs.OutputError as error:
        job.problem(str(error))
        data, shown = collect(job), "in no file"
    return Summary(data["exit_status"], data, as_text(job, data, shown))


def collect(job: "Job") -> dict[str, Any]:
    result, status = conclude(job)
    return {
        "result": result,
        "exit_status": status,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(job.started_at)),
        "seconds": round(job.seconds, 1),
        "seconds_asked": job.settings.seconds,
        "interrupted_by": job.interrupt and signal.Signals(job.interrupt).name,
        "cores": job.settings.cores,
        "engine": job.settings.engine,
        "problems": job.problems,
        "known": job.known.met([job.total(target).counters for target in job.targets]),
        "targets": {target.name: describe(job, target) for target in job.targets},
        "older_findings": [program.shown(folder, job.root) for folder in job.store.older()],
    }


def describe(job: "Job", target: Target) -> dict[str, Any]:
    done = job.total(target)
    workers = [worker for worker in job.workers if worker.target is target]
    checked = done.counters.get("checked", 0) if target.checked else None
    seconds = max(job.seconds, 0.001)
    return {
        "workers": len(workers),
        "starts": sum(worker.starts for worker in workers),
        "executions": done.executions,
        "executions_by_engine": by_engine(workers),
        "executions_per_second": round(done.executions / seconds),
        "checked_operations": checked,
        "checked_per_second": None if checked is None else round(checked / seconds),
        "counters": {name: value for name, value in done.counters.items()
                     if not name.startswith(known.COUNTER)},
        "coverage": coverage(workers),
        "features": max(worker.features for worker in workers),
        "corpus_files": job.corpora[target.name].files(),
        "late_inputs": len(job.late[target.name]),
        "findings": [found.as_json(job.root) for found in job.store.of(target)],
    }


def by_engine(workers: Iterable[Worker]) -> dict[str, int]:
    executions = {worker.engine: 0 for worker in workers}
    for worker in workers:
        executions[worker.engine] += worker.total().executions
    return executions


def as_text(job: "Job", data: dict[str, Any], path: str) -> list[str]:
    asked = duration.show(job.settings.seconds)
    how = f", interrupted by {data['interrupted_by']}" if job.interrupt else ""
    lines = ["", f"SUMMARY after {duration.show(job.seconds)} of {asked}{how}"]
    for name, target in data["targets"].items():
        checked = target["checked_operations"]
        lines.append(
            f"  {name}: {target['executions']:,} executions"
            + (f", {checked:,} checked operations" if checked is not None else "")
            + f", cov {target['coverage']:,} ft {target['features']:,}"
            + f", corpus {target['corpus_files']:,}"
            + f", findings {len(target['findings'])}"
        )
    for target in data["targets"].values():
        for found in target["findings"]:
            lines.append(f"  finding, seen {found['seen']}x: {found['signature']}")
            lines.append(f"    {program.command_shown(found['command'], job.root)}")
    if late := sum(target["late_inputs"] for target in data["targets"].values()):
        lines.append(f"  late inputs that end in time when they are played alone: {late} "
                     "(other programs have the processors)")
    for signature, met in data["known"].items():
        words = f"known, met {met:,}x" if met else "known, not met (mended?)"
        lines.append(f"  {words}: {signature}")
    lines += [f"  problem: {text}" for text in data["problems"]]
    if older := data["older_findings"]:
        lines.append(f"  {len(older)} findings of earlier runs are still in build/findings")
    results = {
        "clean": "clean: nothing found",
        "findings": "FAILED: the findings above",
        "broken": "FAILED: the harness did not do its work, so this run proves nothing",
        "interrupted": "interrupted: nothing found so far",
    }
    return lines + [f"  result: {results[data['result']]} ({path})"]
