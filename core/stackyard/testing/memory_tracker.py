"""A tracker in memory: what a step logged, as attributes; and the smallest full implementation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.tracker import (
    Entry,
    LoggedArtifact,
    LoggedMetric,
    LoggedParam,
    LoggedTag,
    RunFacts,
    RunStatus,
    Tracker,
    TrackingRun,
)
from stackyard.errors import NotFound


@dataclass
class MemoryRun:
    """One run of a ``MemoryTracker``; ``metrics`` are (step, seconds since the epoch, value)."""

    run_id: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    status: RunStatus = "running"
    ended: float | None = None


class MemoryTracker(Tracker):
    """Keeps what is logged. ``MemoryTracker()`` is all that a step's test needs."""

    def __init__(self, config: Any = None, context: Context | None = None) -> None:
        context = context or Context(name="tracker")
        self.entries: list[Entry] = []
        self.runs: dict[str, MemoryRun] = {}
        self._kept: dict[str, dict[str, bytes]] = {}
        self._steps: dict[tuple[str, str], str] = {}
        self._made = 0
        if context.journal is None:
            context = replace(context, journal=self)
        super().__init__(config, context)

    # What a step logged

    @property
    def params(self) -> dict[str, str]:
        """Logged params; the first value counts."""
        return {e.key: e.value for e in reversed(self.entries) if isinstance(e, LoggedParam)}

    @property
    def metrics(self) -> dict[str, float]:
        """Logged metrics, each with its last value."""
        return {e.key: e.value for e in self.entries if isinstance(e, LoggedMetric)}

    @property
    def tags(self) -> dict[str, str]:
        """Logged tags."""
        return {e.key: e.value for e in self.entries if isinstance(e, LoggedTag)}

    @property
    def artifacts(self) -> dict[str, bytes]:
        """Bytes of logged files, by path; a folder's files each."""
        found: dict[str, bytes] = {}
        for entry in self.entries:
            if isinstance(entry, LoggedArtifact):
                found |= _placed(entry.path, self._kept[entry.digest])
        return found

    def history(self, key: str) -> list[tuple[int, float]]:
        """(step, value) of every point of a metric, as logged."""
        metrics = (e for e in self.entries if isinstance(e, LoggedMetric))
        return [(e.step, e.value) for e in metrics if e.key == key]

    def add(self, entry: Entry) -> None:
        """Take an entry, as a journal does."""
        self.entries.append(entry)

    def keep(self, path: Path) -> str:
        """Take a file or folder, as a journal does."""
        import blake3

        files = _read(path)
        hashed = blake3.blake3(repr(sorted(files.items())).encode()).hexdigest()
        self._kept[hashed] = files
        return hashed

    # The contract

    def open(self, run: RunFacts, tracking_id: str | None) -> TrackingRun:
        """Return the run with ``tracking_id``, or the one made for ``run`` before, or a new one."""
        self._steps = {
            (e.key, e.value): step.name
            for step in reversed(run.steps)
            for e in step.entries
            if isinstance(e, LoggedParam)
        }
        if tracking_id is None:
            tracking_id = next((i for i, r in self.runs.items() if r.run_id == run.run_id), None)
        if tracking_id is None:
            self._made += 1
            tracking_id = str(self._made)
            self.runs[tracking_id] = MemoryRun(run.run_id)
        found = self._run(tracking_id)
        found.tags |= {**run.tags, "stackyard.run_id": run.run_id}
        for key, value in run.params.items():
            found.params.setdefault(key, value)
        return TrackingRun(tracking_id)

    def write(self, tracking_id: str, entries: Sequence[Entry]) -> None:
        """Write ``entries``; what is there already stays as it is."""
        run = self._run(tracking_id)
        for entry in entries:
            if isinstance(entry, LoggedParam):
                if run.params.setdefault(entry.key, entry.value) != entry.value:
                    step = self._steps.get((entry.key, entry.value), "other")
                    run.tags[f"{step}.{entry.key}"] = entry.value
            elif isinstance(entry, LoggedMetric):
                points = run.metrics.setdefault(entry.key, [])
                point = (entry.step, entry.time, entry.value)
                if repr(point) not in map(repr, points):  # NaN does not equal itself
                    points.append(point)
            elif isinstance(entry, LoggedTag):
                run.tags[entry.key] = entry.value
            else:
                run.artifacts |= _placed(entry.path, self._files(entry.digest))

    def finish(self, tracking_id: str, run: RunFacts) -> None:
        """Set status and end time."""
        found = self._run(tracking_id)
        found.status, found.ended = run.status, run.ended

    def discard(self, tracking_id: str) -> None:
        """Forget the run."""
        self.runs.pop(tracking_id, None)

    def run(self, tracking_id: str) -> MemoryRun:
        """Return a copy of what was written."""
        return copy.deepcopy(self._run(tracking_id))

    def _run(self, tracking_id: str) -> MemoryRun:
        try:
            return self.runs[tracking_id]
        except KeyError:
            have = ", ".join(self.runs) or "none"
            raise NotFound(f"there is no tracking run {tracking_id!r}. Runs: {have}") from None

    def _files(self, digest: str) -> dict[str, bytes]:
        if digest in self._kept or self.context.fetch is None:
            return self._kept[digest]
        return _read(self.context.fetch(digest))


def _read(path: Path) -> dict[str, bytes]:
    """Bytes of a file under the name "", or of a folder's files under their relative paths."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in files}


def _placed(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}/{k}" if k else name: v for k, v in files.items()}
