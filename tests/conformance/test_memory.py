"""The components in memory keep the contracts that every plugin's are held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersioner
from stackyard.components.monitor import Monitor
from stackyard.components.registry import Registry
from stackyard.components.server import Server
from stackyard.components.tracker import Tracker
from stackyard.components.validator import Validator
from stackyard.testing import (
    DataVersionerContract,
    MemoryDataVersioner,
    MemoryMonitor,
    MemoryRegistry,
    MemoryServer,
    MemoryTracker,
    MemoryValidator,
    MonitorContract,
    RegistryContract,
    ReviewedRegistry,
    ServerContract,
    StoredRun,
    TrackerContract,
    ValidatorContract,
)
from stackyard.testing.server_case import Models


class TestMemoryTracker(TrackerContract):
    """The tracker's contract."""

    def connect(self, context: Context) -> Tracker:
        return MemoryTracker(None, context)

    def read(self, tracker: Tracker, tracking_id: str) -> StoredRun:
        assert isinstance(tracker, MemoryTracker)
        run = tracker.run(tracking_id)
        return StoredRun(run.params, run.metrics, run.tags, run.artifacts, run.status, run.ended)


class TestMemoryRegistry(RegistryContract):
    """The registry's contract."""

    @pytest.fixture(autouse=True)
    def _backend(self) -> None:
        self.backend = MemoryRegistry()

    def connect(self, context: Context) -> Registry:
        return self.backend.of(context)


class TestReviewedRegistry(RegistryContract):
    """The registry's contract, of one that is asked for an alias."""

    @pytest.fixture(autouse=True)
    def _backend(self) -> None:
        self.backend = ReviewedRegistry()

    def connect(self, context: Context) -> Registry:
        return self.backend.of(context)

    def decide(self, registry: Registry, id: str, grant: bool, reason: str) -> None:
        self.backend.decide(id, grant=grant, reason=reason)


class TestMemoryServer(ServerContract):
    """The server's contract."""

    backend = MemoryServer()

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def others(cls, models: Models) -> Iterator[None]:
        """What else is served stays, and nothing else does."""
        cls.backend.deploy(models(1), "others", "1")
        yield
        assert [endpoint.name for endpoint in cls.backend.list()] == ["others"]

    def connect(self, context: Context) -> Server:
        return self.backend.of(context)


class TestMemoryDataVersioner(DataVersionerContract):
    """The data versioner's contract."""

    @pytest.fixture(autouse=True)
    def _backend(self) -> None:
        self.backend = MemoryDataVersioner()

    def connect(self, context: Context) -> DataVersioner:
        return self.backend.of(context)

    def elsewhere(self, context: Context) -> DataVersioner:
        return self.backend.of(context, elsewhere=True)


class TestMemoryValidator(ValidatorContract):
    """The validator's contract, without the proposing of suites."""

    def connect(self, context: Context) -> Validator:
        return MemoryValidator(None, context)


class TestMemoryMonitor(MonitorContract):
    """The monitor's contract, without a page."""

    def connect(self, context: Context) -> Monitor:
        return MemoryMonitor(None, context)


def test_a_step_is_tested_as_a_function(tmp_path: Path) -> None:
    """What it logged is there as attributes."""
    tracker = MemoryTracker()
    (tmp_path / "plot.txt").write_text("a curve")
    tracker.log_params({"depth": 6})
    tracker.log_metrics({"loss": 1.0})
    tracker.log_metrics({"loss": 0.5}, step=1)
    tracker.set_tags({"team": "flights"})
    tracker.log_artifact(tmp_path / "plot.txt", "plots/plot.txt")
    tracker.log_text("hello", "notes/a.txt")
    assert tracker.params == {"depth": "6"}
    assert tracker.metrics == {"loss": 0.5}
    assert tracker.history("loss") == [(0, 1.0), (1, 0.5)]
    assert tracker.tags == {"team": "flights"}
    assert tracker.artifacts == {"plots/plot.txt": b"a curve", "notes/a.txt": b"hello"}
