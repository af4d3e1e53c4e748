"""The tracker kind: what a run logged, kept in an experiment tracking tool.

In a step, ``tracker.log_metrics({"auc": 0.8})`` writes into the journal of the step's record; the
tracker is a *projection* of the records. Core calls ``open``, ``write`` and ``finish`` when the run
ends, and again for ``stackyard publish``, so all three are idempotent: the same call twice leaves
what one call leaves. A tracker with the capability ``live`` is also written to while steps run.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from stackyard.components.base import Component
from stackyard.errors import InvalidInput


@dataclass(frozen=True)
class LoggedParam:
    """A setting of the step: logged once, never changed."""

    key: str
    value: str


@dataclass(frozen=True)
class LoggedMetric:
    """A number. ``step`` counts training iterations; ``time`` is seconds since the epoch."""

    key: str
    value: float
    step: int
    time: float


@dataclass(frozen=True)
class LoggedTag:
    """A label, replaced when logged again."""

    key: str
    value: str


@dataclass(frozen=True)
class LoggedArtifact:
    """A file or folder in the run's store under ``digest``; ``path`` is its name in the tracker."""

    path: str
    digest: str


Entry: TypeAlias = LoggedParam | LoggedMetric | LoggedTag | LoggedArtifact
RunStatus: TypeAlias = Literal["running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class StepFacts:
    """One step of a run as a tracker sees it."""

    name: str
    status: str
    seconds: float
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class RunFacts:
    """A run as a tracker sees it. Times are seconds since the epoch."""

    run_id: str
    pipeline: str
    stack: str
    status: RunStatus
    started: float
    ended: float | None = None
    actor: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepFacts, ...] = ()


@dataclass(frozen=True)
class TrackingRun:
    """The tracker's own run: its id there, and the page that shows it.

    Without a server there is no page: ``url`` may then be the command that shows the run.
    """

    id: str
    url: str = ""


class Tracker(Component):
    """Contract of an experiment tracker."""

    kind: ClassVar[str] = "tracker"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {"live": ("live",)}

    @abstractmethod
    def open(self, run: RunFacts, tracking_id: str | None) -> TrackingRun:
        """Return the tracker's run for ``run``: the one with ``tracking_id``, or a new one.

        Raises:
            Unavailable: the backend did not answer within ``context.deadline``.
        """

    @abstractmethod
    def write(self, tracking_id: str, entries: Sequence[Entry]) -> None:
        """Write ``entries``; the same entry again changes nothing.

        Files of ``LoggedArtifact`` are read through ``context.fetch(digest)``.
        """

    @abstractmethod
    def finish(self, tracking_id: str, run: RunFacts) -> None:
        """Give the tracker's run its final status and end time."""

    @abstractmethod
    def discard(self, tracking_id: str) -> None:
        """Remove a run made by ``open`` whose claim another process won."""

    def live(self, entry: Entry) -> None:
        """Take an entry as it is logged, in the step's process (capability ``live``).

        Best effort: it never raises and hardly waits; the projection writes the entry anyway.
        """

    # What steps call. These write into the journal, and live where the tracker can.

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log settings; values are kept as text."""
        for key, value in params.items():
            self._journal(LoggedParam(_key(key), str(value)))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers at training iteration ``step``.

        Raises:
            InvalidInput: a value is not a number.
        """
        now = round(time.time(), 3)
        for key, value in metrics.items():
            try:
                number = float(value)
            except (TypeError, ValueError) as exc:
                raise InvalidInput(f"metric {key!r}: {value!r} is not a number") from exc
            self._journal(LoggedMetric(_key(key), number, step, now))

    def log_metric(self, key: str, value: float, step: int = 0) -> None:
        """Log one number at training iteration ``step``."""
        self.log_metrics({key: value}, step)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Label the run."""
        for key, value in tags.items():
            self._journal(LoggedTag(_key(key), str(value)))

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file or folder with the run; ``name`` is its path in the tracker.

        Raises:
            InvalidInput: there is no such file, or the name leaves the run's folder.
        """
        source = Path(path)
        if not source.exists():
            raise InvalidInput(f"log_artifact: {source} does not exist")
        target = name or source.name
        if target.startswith("/") or ".." in Path(target).parts or "\\" in target:
            raise InvalidInput(f"log_artifact: name {target!r} must stay inside the run's folder")
        journal = self.context.journal
        if journal is not None:
            self._journal(LoggedArtifact(target, journal.keep(source)))

    def log_text(self, text: str, name: str) -> None:
        """Keep ``text`` as the file ``name`` with the run."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "text"
            file.write_text(text, encoding="utf-8")
            self.log_artifact(file, name)

    def _journal(self, entry: Entry) -> None:
        if self.context.journal is not None:
            self.context.journal.add(entry)
            self.live(entry)


def _key(key: str) -> str:
    if not key or len(key) > 250 or any(c in key for c in "\n\r\0"):
        raise InvalidInput(f"key {key!r}: use 1 to 250 characters on one line")
    return key
