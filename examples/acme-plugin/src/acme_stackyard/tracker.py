"""The tracker: runs as rows of a SQLite database, which any tool for SQL can read.

Each call is one transaction on a connection of its own, which takes the writers' lock when it
begins: two processes follow each other, and neither reads what the other is about to change.
"""

from __future__ import annotations

import math
import shlex
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackyard import Tracker
from stackyard.components.base import Finding
from stackyard.components.tracker import (
    Entry,
    LoggedArtifact,
    LoggedMetric,
    LoggedParam,
    LoggedTag,
    RunFacts,
    TrackingRun,
)
from stackyard.errors import ComponentError, InvalidInput, NotFound, Unavailable

WAIT = 0.4  # of the deadline: a call may wait twice, for writers to begin and for readers to end

# Not a number is null, as SQLite has none; and nulls would all differ in an index.
_TABLES = (
    """CREATE TABLE IF NOT EXISTS runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stackyard_run TEXT NOT NULL UNIQUE,
        pipeline TEXT NOT NULL, stack TEXT NOT NULL, actor TEXT NOT NULL,
        status TEXT NOT NULL, started REAL NOT NULL, ended REAL)""",
    """CREATE TABLE IF NOT EXISTS params (
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))""",
    """CREATE TABLE IF NOT EXISTS metrics (
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        key TEXT NOT NULL, step INTEGER NOT NULL, time REAL NOT NULL, value REAL)""",
    """CREATE UNIQUE INDEX IF NOT EXISTS metrics_once ON metrics
        (run, key, step, time, ifnull(value, 'nan'))""",
    """CREATE TABLE IF NOT EXISTS tags (
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))""",
    """CREATE TABLE IF NOT EXISTS files (
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        path TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (run, path))""",
)


@dataclass(frozen=True)
class AcmeTrackerConfig:
    """What a stack may say.

    Attributes:
        database: File of the database; a relative path counts from the project.
    """

    database: str = ".stackyard/acme/runs.db"


class AcmeTracker(Tracker):
    """Writes what runs logged to SQLite."""

    config: AcmeTrackerConfig
    _steps: Mapping[tuple[str, str], str] = {}  # of a param, by key and value

    def open(self, run: RunFacts, tracking_id: str | None) -> TrackingRun:
        """Return the run with ``tracking_id``, else the one made for ``run``, else make one."""
        self._steps = {
            (entry.key, entry.value): step.name
            for step in reversed(run.steps)  # of two that logged the same, the first
            for entry in step.entries
            if isinstance(entry, LoggedParam)
        }
        with self._transaction() as db:
            if tracking_id is None:
                db.execute(
                    "INSERT INTO runs (stackyard_run, pipeline, stack, actor, status, started)"
                    " VALUES (?, ?, ?, ?, 'running', ?) ON CONFLICT DO NOTHING",
                    (run.run_id, run.pipeline, run.stack, run.actor, run.started),
                )
                same = "SELECT id FROM runs WHERE stackyard_run = ?"
                row = db.execute(same, (run.run_id,)).fetchone()[0]
            else:
                row = self._row(db, tracking_id)
            self._params(db, row, run.params.items())
            _tags(db, row, [*run.tags.items(), ("stackyard.run_id", run.run_id)])
        query = f"SELECT key, step, value FROM metrics WHERE run = {row}"
        return TrackingRun(str(row), shlex.join(["sqlite3", str(self._path), query]))

    def write(self, tracking_id: str, entries: Sequence[Entry]) -> None:
        """Write ``entries``. Files are read before the database is locked."""
        files = [file for e in entries if isinstance(e, LoggedArtifact) for file in self._files(e)]
        points = [
            (e.key, e.step, e.time, None if math.isnan(e.value) else e.value)
            for e in entries
            if isinstance(e, LoggedMetric)
        ]
        with self._transaction() as db:
            row = self._row(db, tracking_id)
            self._params(db, row, [(e.key, e.value) for e in entries if isinstance(e, LoggedParam)])
            _tags(db, row, [(e.key, e.value) for e in entries if isinstance(e, LoggedTag)])
            into = "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?)"
            db.executemany(into, [(row, *point) for point in points])
            into = "INSERT OR REPLACE INTO files VALUES (?, ?, ?)"
            db.executemany(into, [(row, *file) for file in files])

    def finish(self, tracking_id: str, run: RunFacts) -> None:
        """Set status and end time."""
        with self._transaction() as db:
            row = self._row(db, tracking_id)
            values = (run.status, run.ended, row)
            db.execute("UPDATE runs SET status = ?, ended = ? WHERE id = ?", values)

    def discard(self, tracking_id: str) -> None:
        """Remove the run, and its rows in the other tables with it."""
        with self._transaction() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (tracking_id,))

    def check(self) -> Sequence[Finding]:
        """Say whether the database can be written to; where there is none, make none."""
        if not self._path.exists():
            return (Finding(True, f"{self._path} will be made by the first run"),)
        try:
            with self._transaction() as db:
                count = db.execute("SELECT count(*) FROM runs").fetchone()[0]
        except ComponentError as exc:
            cure = f"free or repair {self._path}, or let the stack's 'database' name another file"
            return (Finding(False, str(exc), cure),)
        return (Finding(True, f"{self._path}, runs: {count}"),)

    @property
    def _path(self) -> Path:
        return self.context.project / self.config.database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection that holds the lock; what was done is kept if nothing is raised.

        Raises:
            Unavailable: the database is locked, full or cannot be opened.
            InvalidInput: the file is none of this tracker, or it refuses a value.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Without an isolation level, only what is said here begins and ends a transaction.
            made = sqlite3.connect(
                self._path, timeout=WAIT * self.context.deadline, isolation_level=None
            )
            with closing(made) as db:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    db.execute(table)
                yield db
                db.execute("COMMIT")
        except (sqlite3.OperationalError, OSError) as exc:
            raise Unavailable(f"{self._path}: {exc}") from exc
        except (sqlite3.Error, OverflowError) as exc:
            raise InvalidInput(f"{self._path}: {exc}") from exc

    def _row(self, db: sqlite3.Connection, tracking_id: str) -> int:
        """The run's key.

        Raises:
            NotFound: there is no such run.
        """
        found = db.execute("SELECT id FROM runs WHERE id = ?", (tracking_id,)).fetchone()
        if found is None:
            count = db.execute("SELECT count(*) FROM runs").fetchone()[0]
            raise NotFound(f"{self._path}: no run {tracking_id!r} among its {count}")
        return int(found[0])

    def _params(self, db: sqlite3.Connection, row: int, params: Iterable[tuple[str, str]]) -> None:
        """Keep the first value of each; another one becomes the tag ``<step>.<key>``."""
        for key, value in params:
            db.execute("INSERT OR IGNORE INTO params VALUES (?, ?, ?)", (row, key, value))
            first = "SELECT value FROM params WHERE run = ? AND key = ?"
            if db.execute(first, (row, key)).fetchone()[0] != value:
                _tags(db, row, [(f"{self._steps.get((key, value), '')}.{key}", value)])

    def _files(self, entry: LoggedArtifact) -> Iterator[tuple[str, bytes]]:
        """The files of an artifact: path in the tracker, content."""
        assert self.context.fetch is not None  # the core gives it to whoever writes
        source = self.context.fetch(entry.digest)
        if source.is_file():
            yield entry.path, source.read_bytes()
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield f"{entry.path}/{path.relative_to(source).as_posix()}", path.read_bytes()


def _tags(db: sqlite3.Connection, row: int, tags: Iterable[tuple[str, str]]) -> None:
    into = "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)"
    db.executemany(into, [(row, key, value) for key, value in tags])
