# SPDX-License-Identifier: MIT
"""The report as a page: a run, and the runs before it, put into report.html."""

import pathlib
import time
from typing import Any, Iterable, Optional, Sequence

from fuzz_lib import duration
from report_lib import charts, reached, sample
from report_lib.template import Html, Template, join

HERE = pathlib.Path(__file__).resolve().parent
RUNS_SHOWN = 30
SCRIPT_LINES_MAX = 400
NOT_MEASURED = "not measured"
Run = dict[str, Any]

HEADLINES = {
    "clean": ("good", "Nothing found"),
    "findings": ("bad", "Findings"),
    "broken": ("bad", "The harness did not do its work: this run proves nothing"),
    "interrupted": ("warn", "Interrupted; nothing found so far"),
    "running": ("warn", "Running"),
}


def count(value: Optional[float]) -> str:
    return NOT_MEASURED if value is None else f"{value:,}"


def plural(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def share(value: float) -> str:
    return "0" if value == 0 else f"{value:.1%}" if value >= 0.01 else f"{value:.2g}"


def span(seconds: Optional[float]) -> str:
    return NOT_MEASURED if seconds is None else duration.show(round(seconds))


def started(run: Run) -> str:
    return str(run["started"])[:16].replace("T", " ")


def short_commit(run: Run) -> str:
    commit = run.get("commit")
    if not isinstance(commit, str):
        return "not known"
    return commit[:10] + (" + changes" if run.get("changed") else "")


# ---- the head


def headline(run: Run) -> tuple[str, str]:
    mood, text = HEADLINES.get(run["result"], ("warn", run["result"]))
    if run["result"] == "findings":
        new = sum(bool(one.get("new")) for one in run["findings"])
        text = f"{plural(len(run['findings']), 'finding')}, {new} new"
    return mood, text


def lead(run: Run) -> str:
    executions = sum(one["executions"] for one in run["targets"].values())
    checked = sum(one.get("checked") or 0 for one in run["targets"].values())
    older = run.get("older") or []
    states = [one.get("status", "not tried") for one in older]
    words = [f"{span(run['seconds'])} on {plural(run.get('cores') or 0, 'core')}, "
             f"{executions:,} inputs executed, {checked:,} operations checked."]
    if older:
        words.append(f"Of {plural(len(older), 'finding')} of earlier runs that were not met: "
                     f"{states.count('fixed')} fixed, {states.count('open')} open, "
                     f"{states.count('flaky')} flaky, {states.count('not tried')} not tried.")
    known = run.get("known") or {}
    if known:
        met = sum(value > 0 for value in known.values())
        words.append(f"{plural(len(known), 'known failure')} listed, {met} met.")
    return " ".join(words)


def harness(run: Run) -> tuple[str, str]:
    canary = run.get("canary")
    if not isinstance(canary, dict) or not canary.get("tries"):
        return "warn", ("Is the harness alive? Not measured in this run: no planted bug was fuzzed "
                        "beside it to its end. Runs of an hour or more do that, and "
                        "make fuzz-canary.")
    last = canary["tries"][-1]
    missed = [one for one in canary["tries"] if not one.get("found")]
    if missed:
        return "bad", (f"The harness is dead: of {len(canary['tries'])} planted bugs "
                       f"{len(missed)} were not found; {missed[0]['bug']} not in "
                       f"{span(missed[0]['seconds'])}.")
    age = run["seconds"] - last["at"]
    return "good", (f"The harness is alive: {plural(len(canary['tries']), 'planted bug')} found by "
                    f"this run's own build chain, the last one ({last['bug']}) after "
                    f"{last['found_after']:.1f} s, {span(max(0, age))} before the end.")


# ---- findings


class Page:
    def __init__(self, run: Run, earlier: Sequence[Run], damage: Sequence[str],
                 folder: pathlib.Path) -> None:
        """`earlier`: the runs before, the oldest first. `folder`: the report's, where what belongs
        to findings lies."""
        self.run = run
        self.earlier = earlier
        self.damage = damage
        self.folder = folder
        self.template = Template(HERE / "report.html")

    def fill(self, part: str, **values: object) -> Html:
        return self.template.fill(part, **values)

    def paragraphs(self, *texts: str) -> Html:
        return join(self.fill("paragraph", text=text) for text in texts)

    def items(self, texts: Iterable[str]) -> Html:
        return join(self.fill("item", text=text) for text in texts)

    def findings(self) -> Html:
        shown = [self.finding(one, "open") for one in self.run["findings"]]
        shown += [self.finding(one, one.get("status", "not tried"))
                  for one in self.run.get("older") or []]
        return join(shown) if shown else self.paragraphs(
            "None, in this run or kept from earlier ones.")

    def range_of(self, finding: dict[str, Any]) -> str:
        """The commits between which it came, as far as runs tell."""
        runs = [*self.earlier, self.run]
        seen = [index for index, run in enumerate(runs)
                if any(one["signature"] == finding["signature"] for one in run["findings"])]
        if not seen:
            return ""
        first = runs[seen[0]]
        before = [run for run in runs[:seen[0]] if finding["target"] in run["targets"]]
        words = f" First met at commit {short_commit(first)}"
        if before:
            words += f"; the last run before that without it: {short_commit(before[-1])}"
        return words + "."

    def words_of(self, one: dict[str, Any]) -> str:
        words = [f"Target {one['target']}."]
        if one.get("seen"):
            words.append(f"Met {one['seen']:,} times in this run, "
                         f"{one.get('seen_in_all_runs') or one['seen']:,} in all.")
        if one.get("first_seen"):
            words.append(f"First seen {one['first_seen']}, last {one['last_seen']}.")
        elif one.get("last_seen"):
            words.append(f"Last seen {one['last_seen']}.")
        again = one.get("again")
        words.append(f"Replayed: fails {again[0]} of {again[1]} times." if again
                     else "Replayed: not tried.")
        return " ".join(words) + self.range_of(one)

    def badge_of(self, one: dict[str, Any], status: str) -> tuple[str, str]:
        if status == "open" and one.get("new"):
            return "open", "new"
        return status if status != "not tried" else "untried", status

    def finding(self, one: dict[str, Any], status: str) -> Html:
        kind, badge = self.badge_of(one, status)
        files = one.get("files") or {}
        picture = Html("")
        if "picture" in files:
            picture = self.fill("picture", source=files["picture"],
                                link=files.get("view", files["picture"]),
                                alt=f"the memory where {one['signature']} shows")
        names = (("view", "play it, operation by operation"), ("script", "script"),
                 ("program", "C program"), ("log", "log"))
        links = [self.fill("link", href=files[name], text=text)
                 for name, text in names if name in files]
        return self.fill(
            "finding", anchor=pathlib.PurePath(one["folder"]).name, kind=kind, badge=badge,
            signature=one["signature"], words=self.words_of(one), picture=picture,
            links=join(links), command=one.get("command") or "no command is kept",
            script_part=self.script_of(one))

    def script_of(self, one: dict[str, Any]) -> Html:
        name = (one.get("files") or {}).get("script")
        if name is None:
            return Html("")
        try:
            lines = (self.folder / name).read_text(errors="replace").splitlines()
        except OSError:
            return Html("")
        more = len(lines) - SCRIPT_LINES_MAX
        rest = [f"... {more} more lines"] if more > 0 else []
        text = "\n".join(lines[:SCRIPT_LINES_MAX] + rest)
        shrunk = "shrunk script" if one.get("shrunk") else "script, not shrunk"
        opened = Html(" open") if len(lines) <= 20 else Html("")
        return self.fill("script_part", open=opened, text=text,
                         summary=f"The {shrunk}, {plural(len(lines), 'line')}")

    # ---- targets

    def targets(self) -> Html:
        rows = []
        for name, one in self.run["targets"].items():
            found = sum(each["target"] == name for each in self.run["findings"])
            slowest = one.get("slowest_seconds")
            stability = one.get("stability")
            rows.append(self.fill(
                "target", name=name, executions=count(one["executions"]),
                rate=count(one.get("rate")),
                edges=from_to(one.get("edges_start"), one["edges"]),
                corpus=from_to(one.get("corpus_start"), one["corpus"]),
                find="none" if one.get("since_find") is None else span(one["since_find"]) + " ago",
                stability="-" if stability is None else f"{stability:g} %",
                memory="-" if one.get("peak_mb") is None else f"{one['peak_mb']:,} MB",
                slowest="-" if slowest is None else ("< 1 s" if slowest == 0 else f"{slowest} s"),
                timeouts=count(one.get("timeouts")), findings=found))
        return join(rows)

    def targets_note(self) -> str:
        return ("Edges and corpus: what the run started with, and what it ended with. Last find: "
                "before the end of the run, the last time that coverage grew; none: it did not "
                "grow in this run. Memory: of one worker, at most. Slowest: one input, in whole "
                "seconds, as libFuzzer counts. Stability is measured by AFL++ only. -: not measured.")

    # ---- growth

    def band_of(self, name: str, seconds: float) -> tuple[Optional[charts.Band], int]:
        """From the lowest to the highest of the earlier runs, so long after their start."""
        curves = [run["targets"][name].get("growth") or [] for run in self.earlier
                  if name in run["targets"]]
        curves = [curve for curve in ([[p[0], p[2]] for p in each if p[2] > 0] for each in curves)
                  if len(curve) >= 2]
        if len(curves) < 2:
            return None, len(curves)
        times = [seconds * i / 48 for i in range(49)]
        low, high = [], []
        for at in times:
            values = [value_at(curve, at) for curve in curves
                      if curve[0][0] <= at <= curve[-1][0]]
            if len(values) >= 2:
                low.append((at, min(values)))
                high.append((at, max(values)))
        return (charts.Band(low, high) if len(low) >= 2 else None), len(curves)

    def growths(self) -> Html:
        return join(self.growth(name, one) for name, one in self.run["targets"].items())

    def growth(self, name: str, one: dict[str, Any]) -> Html:
        curve = [(point[0], point[2]) for point in one.get("growth") or [] if point[2] > 0]
        if len(curve) < 2:
            return self.fill("growth", name=name, chart=Html(""),
                             words="Too short to draw: fewer than two points.")
        first, last = curve[0][1], curve[-1][1]
        since = one.get("since_find")
        learning = ("No coverage was added in this run." if since is None
                    else f"The last find came {span(since)} before the end.")
        words = f"{first:,} edges after {curve[0][0]:g} s, {last:,} at the end. {learning}"
        band, runs = self.band_of(name, curve[-1][0])
        if band:
            words += f" Band: {plural(runs, 'earlier run')}."
        chart = charts.growth(curve, band, f"Edges of {name} over time: {words}", "edges")
        return self.fill("growth", name=name, words=words, chart=chart)

    # ---- the rest

    def risk(self) -> Html:
        taken = self.run.get("sample")
        if not isinstance(taken, dict):
            return self.paragraphs(f"{NOT_MEASURED.capitalize()}: no random scripts were played "
                                   "after this run.")
        low, high = sample.interval(taken["failed"], taken["scripts"])
        one_in = f" (at most one in {round(1 / high):,})" if taken["failed"] == 0 else ""
        return self.paragraphs(
            f"{taken['scripts']:,} random scripts ({taken['operations']:,} operations, seed "
            f"{taken['seed']}) were played on the heap after the run: {taken['failed']} failed. "
            f"With 95 % confidence the share of such scripts that fail lies between {share(low)} and "
            f"{share(high)}{one_in}.",
            "This sample depends on the seed alone, not on what fuzzing found: that is what makes "
            "the interval one. It is about scripts as heaplab random makes them, which are made "
            "from each other and so are not quite independent, and about what the checks can see. "
            "It says nothing about scripts that the generator does not make.")

    def coverage(self) -> Html:
        return Html(self.conditions() + self.pairs())

    def before(self, name: str) -> Optional[dict[str, Any]]:
        """What the latest run that has it knew of it."""
        found = (run[name] for run in reversed(self.earlier) if isinstance(run.get(name), dict))
        return next(found, None)

    def never(self, name: str, now: dict[str, Any], what: str, since: str) -> Html:
        """The list, and what is another one than it was."""
        parts = []
        before = self.before(name)
        if before is not None and reached.is_list_of_words(before.get("never")):
            gained, lost = reached.changes(before["never"], now["never"])
            parts.append(self.paragraphs(f"Since {since}: {len(gained)} reached for the first time, "
                                         f"{len(lost)} not reached any more."))
            parts += [self.fill("details_list", summary=f"{plural(len(some), what)} {words}",
                                items=self.items(some))
                      for some, words in ((gained, "new"), (lost, "lost")) if some]
        if now["never"]:
            parts.append(self.fill("details_list", items=self.items(now["never"]),
                                   summary=f"{plural(len(now['never']), what)} never reached"))
        return join(parts)

    def conditions(self) -> Html:
        now = self.run.get("conditions")
        if not reached.are_conditions(now):
            return self.paragraphs(f"Conditions: {NOT_MEASURED}; make coverage-heap measures which "
                                   "sides of branches the corpus has not taken, and make report "
                                   "then shows them.")
        return Html(self.paragraphs(
            f"Of {now['all']:,} sides of branches of the heap the corpus alone, without any suite, "
            f"takes {now['taken']:,} ({now['taken'] / max(1, now['all']):.1%}), as make "
            f"coverage-heap measured on {now['made'].replace('T', ' ')[:16]}.")
            + self.never("conditions", now, "side", "the run before that knew them"))

    def pairs(self) -> Html:
        now = self.run.get("pairs")
        if not reached.are_pairs(now):
            return self.paragraphs(f"Pairs of operations: {NOT_MEASURED} in this run.")
        return Html(self.paragraphs(
            f"Of {now['all']:,} pairs of operations, one after the other, {now['all'] - len(now['never']):,} "
            f"stand in the heap's corpus ({now['scripts']:,} scripts, {now['operations']:,} "
            "operations).") + self.never("pairs", now, "pair", "the run before that counted them"))

    def runs(self) -> Html:
        shown = [*self.earlier, self.run][-RUNS_SHOWN:]
        rows = []
        for run in reversed(shown):
            targets = run["targets"].values()
            executions = sum(one["executions"] for one in targets)
            rows.append(self.fill(
                "run", mark=Html(' class="now"') if run is self.run else Html(""),
                started=started(run), result=run["result"], commit=short_commit(run),
                seconds=span(run["seconds"]), executions=count(executions),
                rate=count(round(executions / max(run["seconds"], 0.1))),
                edges=count(sum(one["edges"] for one in targets)),
                corpus=count(sum(one["corpus"] for one in targets)),
                findings=len(run["findings"])))
        total = len(self.earlier) + 1
        caption = f"The latest {len(shown)} of {plural(total, 'run')}, the newest first."
        damage = self.fill("problems", items=self.items(self.damage)) if self.damage else Html("")
        return Html(damage + self.fill("runs", caption=caption, rows=join(rows),
                                       trends=self.trends(shown)))

    def trends(self, shown: Sequence[Run]) -> Html:
        items = []
        for name in self.run["targets"]:
            values = [run["targets"][name]["edges"] for run in shown if name in run["targets"]]
            if len(values) >= 2:
                words = f"edges of {name} over {len(values)} runs: {values[0]:,} to {values[-1]:,}"
                chart = charts.spark(values, words)
                items.append(self.fill("fact", name=words, value=chart))
        return self.fill("trends", items=join(items)) if items else Html("")

    def facts(self) -> Html:
        run = self.run
        seeds = ", ".join(str(seed) for seed in run.get("seeds") or []) or "not known"
        more = run.get("seeds_more") or 0
        facts = [
            ("run", run["id"]), ("started", run["started"]),
            ("commit", (run.get("commit") or "not known")
             + (", with changes that are not committed" if run.get("changed") else "")),
            ("compiler", run.get("compiler") or "not known"),
            ("machine", run.get("machine") or "not known"),
            ("cores", f"{run.get('cores') or 'not known'} used, "
                      f"{run.get('machine_cores') or 'not known'} there"),
            ("engine", run.get("engine") or "not known"),
            ("wall time", f"{run['seconds']:,} s of {run.get('seconds_asked') or '?'} s asked for"),
            ("processor time", f"{run['processor_seconds']:,} s"
             if run.get("processor_seconds") is not None else NOT_MEASURED),
            ("seeds of the engine", seeds + (f" and {more} more" if more else "")),
        ]
        if run.get("layout"):
            facts.append(("layout", f"{run['layout']} only"))
        return join(self.fill("fact", name=name, value=value) for name, value in facts)

    def whole(self, made_at: float, refresh_seconds: Optional[int] = None) -> str:
        run = self.run
        mood, head = headline(run)
        harness_mood, harness_words = harness(run)
        problems = list(run.get("problems") or [])
        return self.template.whole(
            refresh=self.fill("refresh", seconds=refresh_seconds) if refresh_seconds else Html(""),
            title=f"{head} - fuzzing, {started(run)}",
            style=Html((HERE / "report.css").read_text(encoding="utf-8")),
            script=Html((HERE / "report.js").read_text(encoding="utf-8")),
            mood=mood, headline=head, lead=lead(run), harness_mood=harness_mood,
            harness=harness_words,
            problems=self.fill("problems", items=self.items(problems)) if problems else Html(""),
            findings=self.findings(), targets=self.targets(), targets_note=self.targets_note(),
            growth_note="Edges that libFuzzer counts, over the time of the run; where there are "
                        "two earlier runs or more, the range of theirs. Runs go on from the corpus "
                        "of those before: they are no independent trials.",
            growths=self.growths(), risk=self.risk(), coverage=self.coverage(), runs=self.runs(),
            facts=self.facts(),
            made=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made_at)))


def from_to(start: Optional[int], end: int) -> str:
    return count(end) if start is None else f"{start:,} \N{RIGHTWARDS ARROW} {end:,}"


def value_at(curve: Sequence[Sequence[float]], at: float) -> float:
    """Of a curve that is a step at each of its points."""
    value = curve[0][1]
    for x, y in curve:
        if x > at:
            break
        value = y
    return value
