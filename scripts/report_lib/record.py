# SPDX-License-Identifier: MIT
"""What is kept of a run: the summary and more, as one JSON object (docs/report.md)."""

import hashlib
import json
import pathlib
import time
from typing import Any, Iterable, Optional

from fuzz_lib import afl, findings, program
from fuzz_lib.findings import Finding
from fuzz_lib.job import Job
from fuzz_lib.targets import Target
from fuzz_lib.worker import Worker
from report_lib import environment

SEEDS_MAX = 64  # of the engine's, that are kept
Record = dict[str, Any]


def stability_of(workers: Iterable[Worker]) -> Optional[float]:
    """In per cent, which only AFL++ measures; None: not measured."""
    values = []
    for worker in workers:
        if isinstance(worker, afl.AflWorker):
            for line in afl.read(worker.out / "fuzzer_stats").splitlines():
                name, _, value = line.partition(b":")
                text = value.strip().rstrip(b"%").decode("ascii", "replace")
                if name.strip() == b"stability" and text.replace(".", "", 1).isdigit():
                    values.append(float(text))
    return min(values) if values else None


def target_of(job: Job, target: Target, summarized: dict[str, Any]) -> dict[str, Any]:
    workers = job.workers_of(target)
    growth = job.growth[target.name]
    now = growth.latest.seconds if growth.latest is not None else 0

    def most(name: str) -> Optional[int]:
        found = (getattr(worker, name) for worker in workers)
        values: list[int] = [value for value in found if value is not None]
        return max(values) if values else None

    return {
        "executions": summarized["executions"],
        "rate": summarized["executions_per_second"],
        "checked": summarized["checked_operations"],
        "workers": summarized["workers"],
        "starts": summarized["starts"],
        "corpus_start": job.corpus_start[target.name],
        "corpus": summarized["corpus_files"],
        "edges_start": most("coverage_start"),
        "edges": summarized["coverage"],
        "features_start": most("features_start"),
        "features": summarized["features"],
        "since_find": None if growth.last_find is None else round(now - growth.last_find, 1),
        "stability": stability_of(workers),
        "peak_mb": most("peak_mb"),
        "slowest_seconds": most("slowest_seconds"),
        "timeouts": sum(found.seen for found in job.store.of(target)
                        if found.failure.kind == "timeout"),
        "growth": [list(point) for point in growth.whole()],
    }


def finding_of(job: Job, found: Finding) -> dict[str, Any]:
    dates = findings.read_words(found.folder / "dates")
    return {
        "signature": found.failure.signature,
        "kind": found.failure.kind,
        "target": found.target.name,
        "folder": program.shown(found.folder, job.root),
        "new": found.folder.name not in job.known_before,
        "seen": found.seen,
        "seen_in_all_runs": found.total,
        "first_seen": dates[0] if dates else None,
        "last_seen": dates[-1] if dates else None,
        "engines": findings.read_words(found.folder / "engines"),
        "input_bytes": found.bytes,
        "command": found.command(job.root),
    }


def make(job: Job, summarized: dict[str, Any]) -> Record:
    """Of a run that has ended, or goes on: then `result` says so."""
    seeds = sorted({seed for worker in job.workers for seed in worker.seeds})
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(job.started_at))
    name = hashlib.sha256(json.dumps([job.started_at, str(job.root), seeds]).encode()).hexdigest()
    return {
        "id": f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(job.started_at))}-{name[:6]}",
        "started": started,
        "result": summarized["result"],
        "seconds": summarized["seconds"],
        "seconds_asked": summarized["seconds_asked"],
        "processor_seconds": None if job.processor is None else round(job.processor, 1),
        "cores": summarized["cores"],
        "engine": summarized["engine"],
        "layout": job.settings.layout,
        "interrupted_by": summarized["interrupted_by"],
        "problems": summarized["problems"],
        "known": summarized["known"],
        "seeds": seeds[:SEEDS_MAX],
        "seeds_more": max(0, len(seeds) - SEEDS_MAX),
        **environment.describe(job.root),
        "canary": None if job.watchman is None else job.watchman.as_json(),
        "targets": {target.name: target_of(job, target, summarized["targets"][target.name])
                    for target in job.targets},
        "findings": [finding_of(job, found) for found in job.store.findings.values()],
        "older": [older_of(folder, job.root) for folder in job.store.older()],
    }


def older_of(folder: pathlib.Path, root: pathlib.Path) -> dict[str, Any]:
    """A finding that earlier runs have seen, and this one has not."""
    dates = findings.read_words(folder / "dates")
    return {
        "signature": " ".join(findings.read_words(folder / "signature")),
        "target": folder.name.split("-")[0],
        "folder": program.shown(folder, root),
        "last_seen": dates[-1] if dates else None,
    }
