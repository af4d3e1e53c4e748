"""What is different between two runs of a pipeline, and the first step where it shows.

The parts of each step's cache key are compared, ancestors first, so that a cause stands before what
follows from it: an input that changed because an earlier step changed is no cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from stackyard.display import plain
from stackyard.errors import UsageError
from stackyard.graph import Graph
from stackyard.period import short_periods
from stackyard.store import cachekey
from stackyard.store.records import AttemptRecord, RunRecord

if TYPE_CHECKING:
    from stackyard.store.store import Store

Area: TypeAlias = Literal["code", "packages", "data", "parameters", "stack"]
AREAS: tuple[Area, ...] = ("code", "packages", "data", "parameters", "stack")
_AREA: dict[str, Area] = {
    "package": "packages",
    "python": "packages",
    "fingerprint": "data",
    "parameter": "parameters",
    "component": "stack",
}
SAME_KEY = "gives another result with the same code, packages, parameters and inputs"


@dataclass(frozen=True)
class Change:
    """Something that differs, and the steps that it concerns; none for the run as a whole."""

    area: Area
    what: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepDifference:
    """A step of either run. ``same``: whether it gave the same; None where one has no result.

    ``first`` and ``second``: its status; "not reached" where that run's pipeline has it but did
    not get there, empty where it does not have it.
    """

    name: str
    first: str
    second: str
    same: bool | None
    why: str = ""


@dataclass(frozen=True)
class Difference:
    """All that differs between two runs, causes in order of the graph."""

    first: str
    second: str
    pipeline: str
    changes: tuple[Change, ...]
    steps: tuple[StepDifference, ...]

    @property
    def begins(self) -> StepDifference | None:
        """The first step, ancestors first, that was done otherwise or gave something else."""
        return next((s for s in self.steps if s.why or s.same is False), None)

    def to_json(self) -> dict[str, Any]:
        """The document that ``stackyard runs diff --json`` prints."""
        begins = self.begins
        return {**asdict(self), "first_different_step": begins.name if begins else None}

    def lines(self) -> Iterator[str]:
        """What ``stackyard runs diff`` prints before its table of steps."""
        if not self.changes:
            yield f"runs {self.first} and {self.second} differ in nothing that was recorded"
        for area in AREAS:
            for number, change in enumerate(c for c in self.changes if c.area == area):
                where = f"  ({', '.join(change.steps)})" if change.steps else ""
                yield f"{area if number == 0 else '':<11} {plain(change.what)}{where}"
        begins = self.begins
        if begins is not None:
            yield f"\nfirst different step: {begins.name}: {plain(begins.why or 'another result')}"


def compare(store: Store, first: str, second: str) -> Difference:
    """Compare two runs of one pipeline; ``first`` is the earlier state of things.

    Raises:
        ArtifactNotFound: the store has no such run.
        UsageError: they are of different pipelines.
    """
    records = store.records
    old, new = records.run(first), records.run(second)
    if old.pipeline != new.pipeline:
        raise UsageError(
            f"run {first} is of pipeline {old.pipeline!r} and {second} of {new.pipeline!r}; "
            "only runs of one pipeline can be compared"
        )
    olds, news = records.latest(first), records.latest(second)
    graphs = Graph.from_json(old.graph), Graph.from_json(new.graph)
    names = dict.fromkeys(s.name for graph in reversed(graphs) for s in graph.steps)
    steps: list[StepDifference] = []
    found: dict[tuple[Area, str], list[str]] = {}
    for area, what in _graphs(*graphs):
        found[area, what] = []
    for name in names:
        before, after = olds.get(name), news.get(name)
        own = list(_changes(before, after))
        for area, what in own:
            found.setdefault((area, what), []).append(name)
        why = "; ".join(what for _, what in own) or _follows(before, after)
        there = [any(step.name == name for step in graph.steps) for graph in graphs]
        if not all(there):
            why = "new step" if there[1] else "step is gone"
        states = [_status(a, t) for a, t in zip((before, after), there, strict=True)]
        steps.append(StepDifference(name, states[0], states[1], _same(before, after), why))
    for area, what in _runs(old, new, [what for area, what in found if area == "packages"]):
        found.setdefault((area, what), [])
    changes = [Change(area, what, tuple(where)) for (area, what), where in found.items()]
    changes.sort(key=lambda change: AREAS.index(change.area))
    return Difference(first, second, new.pipeline, tuple(changes), tuple(steps))


def _changes(
    before: AttemptRecord | None, after: AttemptRecord | None
) -> Iterator[tuple[Area, str]]:
    """What differs in a step by itself, not because of the steps before it."""
    if before is None or after is None or not before.key_parts or not after.key_parts:
        return
    old, new = before.key_parts, after.key_parts
    whole = {p: "" for p in {*old, *new} if p.startswith("module ")}
    changed = sorted(p for p in {*old, *new} if old.get(p) != new.get(p))
    for part in changed:
        kind = part.partition(" ")[0]
        if kind == "input":
            continue
        # The names of modules that count whole keep what is below them from being told as well.
        one = [{**whole, **({part: side[part]} if part in side else {})} for side in (old, new)]
        if part in whole:
            one = [{part: side[part]} if part in side else {} for side in (old, new)]
        what = _explain(*one)
        if what:
            yield _AREA.get(kind, "code"), what
    if before.key == after.key and _same(before, after) is False:
        yield "data", SAME_KEY


def _follows(before: AttemptRecord | None, after: AttemptRecord | None) -> str:
    """Why a step differs that did not change by itself."""
    if before is None or after is None:
        return ""
    return _explain(_inputs(before.key_parts), _inputs(after.key_parts))


def _explain(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """What changed between parts of keys; empty where nothing did that counts."""
    said = cachekey.explain(old, new)
    return "" if said == cachekey.explain({}, {}) else said


def _inputs(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parts.items() if name.startswith("input ")}


def _graphs(old: Graph, new: Graph) -> Iterator[tuple[Area, str]]:
    olds, news = ({s.name: s for s in graph.steps} for graph in (old, new))
    for name in [n for n in news if n not in olds]:
        yield "code", f"step {name} is new"
    for name in [n for n in olds if n not in news]:
        yield "code", f"step {name} is gone"
    for name in [n for n in news if n in olds]:
        before, after = olds[name], news[name]
        if (before.inputs, before.after) != (after.inputs, after.after):
            yield "code", f"step {name} is wired otherwise"


def _runs(old: RunRecord, new: RunRecord, told: list[str]) -> Iterator[tuple[Area, str]]:
    """What differs between the runs as wholes; ``told`` is known of packages that steps use."""
    for key in ("commit", "dirty"):
        if old.git.get(key) != new.git.get(key):
            yield "code", f"git {key}: {_shown(old.git, key)} -> {_shown(new.git, key)}"
    if old.python != new.python:
        yield "packages", f"python: {old.python} -> {new.python}"
    names = sorted(n for n in {*old.packages, *new.packages} if _differs(old, new, n))
    others = [n for n in names if not any(line.startswith((f"{n}:", f"{n} ")) for line in told)]
    if others:
        shown = [f"{n} {_shown(old.packages, n)} -> {_shown(new.packages, n)}" for n in others[:5]]
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        yield "packages", f"installed, not known to be used: {', '.join(shown)}{more}"
    for name in [*new.params, *(n for n in old.params if n not in new.params)]:
        if old.params.get(name) != new.params.get(name):
            before, after = short_periods(_shown(old.params, name), _shown(new.params, name))
            yield "parameters", f"parameter {name}: {before} -> {after}"
    if old.stack != new.stack:
        yield "stack", f"stack: {old.stack} -> {new.stack}"
    befores, afters = _flat(old.components), _flat(new.components)
    for key in sorted(befores.keys() | afters.keys()):
        if befores.get(key) != afters.get(key):
            yield "stack", f"{key}: {_shown(befores, key)} -> {_shown(afters, key)}"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _differs(old: RunRecord, new: RunRecord, package: str) -> bool:
    return old.packages.get(package) != new.packages.get(package)


def _same(before: AttemptRecord | None, after: AttemptRecord | None) -> bool | None:
    if before is None or after is None or not (before.finished and after.finished):
        return None
    digests = [{n: r.digest for n, r in a.outputs.items()} for a in (before, after)]
    return digests[0] == digests[1]


def _status(attempt: AttemptRecord | None, there: bool) -> str:
    if attempt is None:
        return "not reached" if there else ""
    return attempt.status


def _shown(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return "none" if value is None else str(value)
