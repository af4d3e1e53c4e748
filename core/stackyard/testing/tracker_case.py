"""What the tests of a tracker's contract are made of: a run, its facts, what is kept of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.tracker import Entry, LoggedMetric, RunFacts, StepFacts, Tracker
from stackyard.store.records import new_run_id
from stackyard.testing.component import ComponentContract
from stackyard.testing.stand_ins import Files, StoredRun

NOW = 1767225600.125  # seconds since the epoch, with the milliseconds that every tracker keeps


class TrackerCase(ComponentContract):
    """How the tracker under test is made, used and read back."""

    kind = "tracker"

    @abstractmethod
    def read(self, tracker: Tracker, tracking_id: str) -> StoredRun:
        """Read a run back through the tool's own interface."""

    def ask(self, component: Tracker) -> object:
        """Open a run."""
        return component.open(facts(), None)

    def before_at_once(self, component: Tracker, token: str) -> None:
        """The run is open."""
        component.open(facts(run_id=token), None)

    @classmethod
    def do_at_once(cls, component: Tracker, number: int, token: str) -> Any:
        """Find the run and write into it, a metric for each process."""
        opened = component.open(facts(run_id=token), None)
        for i in range(5):
            component.write(opened.id, [LoggedMetric(f"m{number}", 1.0, i, NOW)])
        return opened.id

    def check_at_once(self, component: Tracker, results: list[Any], token: str) -> None:
        """Both found the same run, and it has all that they wrote."""
        assert results[0] == results[1]
        metrics = self.read(component, results[0]).metrics
        assert [len(metrics[f"m{number}"]) for number in (0, 1)] == [5, 5]

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it; override to put more into it."""
        return Context(name="tracker", project=tmp_path, deadline=30.0)

    @pytest.fixture
    def files(self, tmp_path: Path) -> Files:
        """A store of files."""
        return Files(tmp_path / "kept")

    @pytest.fixture
    def tracker(self, context: Context, files: Files) -> Any:
        """The component under test."""
        made = self.connect(replace(context, fetch=files.fetch))
        yield made
        made.close()

    def project(self, tracker: Tracker, entries: Sequence[Entry], **changes: Any) -> StoredRun:
        """Project one step's entries as core does, and read the run back."""
        steps = (StepFacts("train", "succeeded", 1.0, tuple(entries)),)
        run = facts(steps=steps, **changes)
        opened = tracker.open(run, None)
        tracker.write(opened.id, entries)
        tracker.finish(opened.id, run)
        return self.read(tracker, opened.id)


def facts(**changes: Any) -> RunFacts:
    """Facts of a new run."""
    made = RunFacts(
        run_id=new_run_id(),
        pipeline="conformance",
        stack="local",
        status="succeeded",
        started=NOW,
        ended=NOW + 60,
        actor="somebody",
        params={"depth": "6"},
        tags={"stackyard.reason": "manual"},
    )
    return replace(made, **changes)
