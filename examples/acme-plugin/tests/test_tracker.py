"""The tracker keeps its contract, and what Acme promises beside it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from acme_stackyard.tracker import AcmeTracker, AcmeTrackerConfig
from stackyard.components.base import Context
from stackyard.components.tracker import LoggedArtifact, LoggedMetric, LoggedParam, RunFacts
from stackyard.errors import InvalidInput, Unavailable
from stackyard.testing import StoredRun, TrackerContract

DEADLINE = 1.0  # seconds


class TestAcmeTracker(TrackerContract):
    """Every test of the contract is inherited."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the tracker."""
        return {"flavor": "acme", "database": "runs.db"}

    def read(self, tracker: AcmeTracker, tracking_id: str) -> StoredRun:
        """Read a run back with SQL, as people do."""
        return stored(tracker.context.project / "runs.db", tracking_id)


def stored(database: Path, run: str) -> StoredRun:
    """What the database has of a run."""
    metrics: dict[str, list[tuple[int, float, float]]] = {}
    with closing(sqlite3.connect(database)) as db:
        points = "SELECT key, step, time, value FROM metrics WHERE run = ? ORDER BY step, time"
        for key, step, at, value in db.execute(points, (run,)):
            metrics.setdefault(key, []).append((step, at, float("nan") if value is None else value))
        params = dict(db.execute("SELECT key, value FROM params WHERE run = ?", (run,)))
        tags = dict(db.execute("SELECT key, value FROM tags WHERE run = ?", (run,)))
        files = dict(db.execute("SELECT path, content FROM files WHERE run = ?", (run,)))
        ending = db.execute("SELECT status, ended FROM runs WHERE id = ?", (run,)).fetchone()
    return StoredRun(params, metrics, tags, files, *ending)


@pytest.fixture
def tracker(tmp_path: Path) -> AcmeTracker:
    """One over a database of the project."""
    context = Context(project=tmp_path, deadline=DEADLINE, fetch=lambda digest: tmp_path / digest)
    return AcmeTracker(AcmeTrackerConfig("deep/runs.db"), context)


def facts(run_id: str = "a") -> RunFacts:
    """A run."""
    return RunFacts(run_id, "orders", "local", "running", started=1.0)


@contextmanager
def held(database: Path, how: str) -> Iterator[None]:
    """The database while somebody else works in it."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute(f"BEGIN {how}")
        db.execute("SELECT * FROM runs").fetchone()
        yield


@pytest.mark.parametrize("how", ["EXCLUSIVE", "DEFERRED"], ids=["a writer", "a reader"])
def test_a_locked_database_is_unavailable_in_time(tracker: AcmeTracker, how: str) -> None:
    """Every call; and ``check`` tells it, with a cure."""
    run = facts()
    opened = tracker.open(run, None)
    calls = [
        lambda: tracker.open(run, None),
        lambda: tracker.write(opened.id, [LoggedMetric("loss", 1.0, 0, 1.0)]),
        lambda: tracker.finish(opened.id, run),
        lambda: tracker.discard(opened.id),
    ]
    database = tracker.context.project / "deep/runs.db"
    with held(database, how):
        for call in calls:
            start = time.monotonic()
            with pytest.raises(Unavailable, match=r"runs\.db: database is locked"):
                call()
            assert time.monotonic() - start < DEADLINE
        (finding,) = tracker.check()
        assert not finding.ok and "'database'" in finding.cure
    tracker.write(opened.id, [])


@pytest.mark.parametrize("how", ["EXCLUSIVE", "IMMEDIATE"])
def test_what_is_locked_for_a_moment_is_waited_for(tracker: AcmeTracker, how: str) -> None:
    """As by another run that ends now."""
    import threading

    tracker.open(facts(), None)
    begun = threading.Event()

    def hold() -> None:
        with held(tracker.context.project / "deep/runs.db", how):
            begun.set()
            time.sleep(DEADLINE / 4)

    other = threading.Thread(target=hold)
    other.start()
    assert begun.wait(10)
    tracker.open(facts("b"), None)
    other.join()


def test_a_write_that_fails_leaves_nothing(tracker: AcmeTracker) -> None:
    """Not the half of it."""
    opened = tracker.open(facts(), None)
    with pytest.raises(InvalidInput, match="too large"):
        tracker.write(opened.id, [LoggedParam("depth", "6"), LoggedMetric("loss", 1.0, 2**70, 1.0)])
    assert stored(tracker.context.project / "deep/runs.db", opened.id).params == {}


def test_a_file_that_is_no_database(tracker: AcmeTracker) -> None:
    """It is refused, not overwritten."""
    database = tracker.context.project / "deep/runs.db"
    database.parent.mkdir()
    database.write_text("somebody's notes, which are longer than the head of a database" * 9)
    with pytest.raises(InvalidInput, match=r"runs\.db: file is not a database"):
        tracker.open(facts(), None)
    (finding,) = tracker.check()
    assert not finding.ok
    assert database.read_text().startswith("somebody's notes")


def test_doctor_makes_no_database(tracker: AcmeTracker) -> None:
    """It says what will be made, and later what there is."""
    (finding,) = tracker.check()
    assert finding.ok and "will be made" in finding.what
    assert list(tracker.context.project.iterdir()) == []
    tracker.open(facts(), None)
    (finding,) = tracker.check()
    assert finding.ok and finding.what.endswith("runs: 1")


def test_a_discarded_run_leaves_no_rows(tracker: AcmeTracker) -> None:
    """In no table."""
    (tracker.context.project / "1").write_text("a file")
    opened = tracker.open(facts(), None)
    point = LoggedMetric("loss", 1.0, 0, 1.0)
    tracker.write(opened.id, [LoggedParam("depth", "6"), point, LoggedArtifact("a.txt", "1")])
    tracker.discard(opened.id)
    with closing(sqlite3.connect(tracker.context.project / "deep/runs.db")) as db:
        for table in ("runs", "params", "metrics", "tags", "files"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
