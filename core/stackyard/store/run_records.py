"""Writing and reading the records of runs; their keys stand in ``records``."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from stackyard.errors import ArtifactNotFound, StoreError, UsageError
from stackyard.store import codec
from stackyard.store.backend import Backend
from stackyard.store.digest import digest
from stackyard.store.records import (
    RUN_ID,
    AttemptId,
    AttemptRecord,
    EndRecord,
    RunRecord,
    attempt_key,
    run_key,
)

# The name of a cache entry: when it was offered (ns), run id, step, number of the attempt.
OFFER = re.compile(rf"(\d{{20}})-({RUN_ID.pattern})@(.+)@(\d+)")
_ATTEMPT = re.compile(r"(.+)@(\d+)\.json")
_END = re.compile(r"(\d+)\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Unreadable:
    """A run whose record is empty, damaged or of a newer version; ``error`` names its key."""

    run_id: str
    error: str


class Records:
    """The records in one store. Nothing is cached: other processes write there too."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    # Writing

    def start(self, record: RunRecord) -> bool:
        """Write the record of a run that begins; False where the run has one already."""
        run_id = _checked(record.run_id)
        self.backend.put_if_absent(f"pipelines/{record.pipeline}/{run_id}", b"")
        return self.backend.put_if_absent(run_key(run_id), codec.encode(record))

    def attempt(self, record: AttemptRecord) -> bool:
        """Write the record of an attempt; False where its number is taken: use the next one."""
        key = attempt_key(_checked(record.run_id), record.step, record.attempt)
        return self.backend.put_if_absent(key, codec.encode(record))

    def end(self, record: EndRecord) -> None:
        """Write how a run ended; a later call counts more."""
        data, number = codec.encode(record), len(self._ends(record.run_id)) + 1
        while not self.backend.put_if_absent(f"runs/{record.run_id}/ends/{number}.json", data):
            number += 1

    def claim(self, run_id: str, name: str, value: str) -> str:
        """Write ``value`` under ``name`` unless somebody did before; return what is written."""
        return self._claim(f"runs/{_checked(run_id)}/claims/{name}", value)

    def external(self, name: str, run_id: str) -> str:
        """Tie another system's name for a run to our id; return the id that was tied first.

        ``name`` must be unique in the store, e.g. ``<pipeline>/<the orchestrator's run id>``.
        """
        key = f"external/{digest(name)}"
        return self._claim(key, f"{run_id}\n{name}").partition("\n")[0]

    def cache_put(self, key: str, attempt: AttemptId) -> None:
        """Offer the outputs of an attempt that ran just now, to later runs with this cache key."""
        name = f"{time.time_ns():020d}-{attempt.run_id}@{attempt.step}@{attempt.attempt}"
        # Lost in a power loss, it costs a step of a later run; resuming reads the attempts.
        self.backend.put_if_absent(f"cache/{key}/{name}", b"", durable=False)

    def pin(self, digest: str, why: str) -> None:
        """Keep an artifact for ever, whatever becomes of the run that made it."""
        if _DIGEST.fullmatch(digest) is None:
            raise StoreError(f"pin: {digest!r} is no digest of an artifact")
        self.backend.put_if_absent(f"pins/{digest}", why.encode())

    # Reading

    def run(self, run_id: str) -> RunRecord:
        """Return a run's record.

        Raises:
            ArtifactNotFound: there is no such run.
        """
        key = run_key(_checked(run_id))
        try:
            return codec.decode(self.backend.get(key), RunRecord, key)
        except ArtifactNotFound as exc:
            raise ArtifactNotFound(f"store {self.backend.url}: there is no run {run_id}") from exc

    def read_attempt(self, run_id: str, step: str, number: int) -> AttemptRecord:
        """Return the record of one attempt; raises ArtifactNotFound."""
        key = attempt_key(_checked(run_id), step, number)
        return codec.decode(self.backend.get(key), AttemptRecord, key)

    def attempts(self, run_id: str) -> list[AttemptRecord]:
        """Return all attempts of a run, in the order in which they began."""
        found = self._read_attempts(self.backend.list(f"runs/{_checked(run_id)}/attempts/"))
        return sorted(found, key=lambda a: (a.started, a.step, a.attempt))

    def latest(self, run_id: str) -> dict[str, AttemptRecord]:
        """Return the last attempt of every step that has one."""
        newest: dict[str, tuple[int, str]] = {}
        for key in self.backend.list(f"runs/{_checked(run_id)}/attempts/"):
            step, number = _parse_attempt(key)
            newest[step] = max(newest.get(step, (0, "")), (number, key))
        found = self._read_attempts([key for _, key in newest.values()])
        return {record.step: record for record in found}

    def ended(self, run_id: str) -> EndRecord | None:
        """Return how a run ended, None while it has not."""
        keys = self._ends(_checked(run_id))
        if not keys:
            return None
        return codec.decode(self.backend.get(keys[-1]), EndRecord, keys[-1])

    def claimed(self, run_id: str, name: str) -> str | None:
        """Return what was claimed under ``name``."""
        try:
            return _text(self.backend.get(f"runs/{_checked(run_id)}/claims/{name}"))
        except ArtifactNotFound:
            return None

    def claims(self, run_id: str) -> dict[str, str]:
        """Return everything that was claimed for a run."""
        prefix = f"runs/{_checked(run_id)}/claims/"
        found = self.backend.get_many(self.backend.list(prefix))
        return {key.removeprefix(prefix): _text(value) for key, value in found.items()}

    def pins(self) -> dict[str, str]:
        """Return the pinned digests and why."""
        found = self.backend.get_many(self.backend.list("pins/"))
        return {key.removeprefix("pins/"): _text(why) for key, why in found.items()}

    def cache_get(self, key: str, max_age: float | None = None) -> AttemptRecord | None:
        """Return the newest attempt offered under a cache key, if it is at most ``max_age`` old."""
        for name in reversed(self.backend.children(f"cache/{key}/")):
            match = OFFER.fullmatch(name)
            if match is None:  # nothing that cache_put wrote
                continue
            stamp, run_id, step, number = match.groups()
            if max_age is not None and time.time() - int(stamp) / 1e9 > max_age:
                return None
            try:
                return self.read_attempt(run_id, step, int(number))
            except StoreError:  # its run was deleted, or it is damaged; an older one may do
                continue
        return None

    def run_ids(self, pipeline: str | None = None) -> list[str]:
        """Return the ids of all runs, newest first to the second."""
        folder = "runs/" if pipeline is None else f"pipelines/{pipeline}/"
        names = self.backend.children(folder)
        return [name for name in reversed(names) if RUN_ID.fullmatch(name)]

    def pipelines(self) -> list[str]:
        """Return the names of the pipelines that have runs, sorted."""
        return [name for name in self.backend.children("pipelines/") if self.run_ids(name)]

    def runs(
        self, pipeline: str | None = None, limit: int | None = None, stack: str | None = None
    ) -> list[RunRecord]:
        """Return the records of runs that can be read, newest first; see ``listed``."""
        found = self.listed(pipeline, limit, stack)
        return [record for record in found if isinstance(record, RunRecord)]

    def listed(
        self, pipeline: str | None = None, limit: int | None = None, stack: str | None = None
    ) -> list[RunRecord | Unreadable]:
        """Return runs, newest first; all, or those of a pipeline or stack.

        What cannot be read is of every stack.
        """
        found: list[RunRecord | Unreadable] = []
        for record in self._newest_first(self.run_ids(pipeline), limit or 200):
            if stack is None or isinstance(record, Unreadable) or record.stack == stack:
                found.append(record)
            if limit is not None and len(found) >= limit:
                break
        return found

    def find(self, reference: str, pipeline: str | None = None) -> str:
        """Return the id of the run meant by ``latest``, an id or a unique beginning of one.

        Raises:
            UsageError: there is none, or there are several; the message lists them.
            StoreError: the latest one cannot be read; an older one is not what was meant.
        """
        of = f" of pipeline {pipeline!r}" if pipeline else ""
        ids = self.run_ids(pipeline)
        if reference == "latest":
            for record in self._newest_first(ids, 1):
                if isinstance(record, Unreadable):
                    raise StoreError(record.error)
                return record.run_id
            raise UsageError(f"there is no run{of} in store {self.backend.url} yet")
        near = [run_id for run_id in ids if run_id.startswith(reference)] if reference else []
        if len(near) == 1 and self.backend.exists(run_key(near[0])):
            return near[0]
        if len(near) > 1:
            shown = ", ".join(near[:5]) + (", ..." if len(near) > 5 else "")
            raise UsageError(f"run {reference!r} is not unique: {shown}. Type more of its id")
        shown = ", ".join(ids[:3]) or "none"
        raise UsageError(
            f"there is no run{of} whose id begins with {reference!r}. Newest: {shown}. "
            "See all: stackyard runs list"
        )

    def _claim(self, key: str, value: str) -> str:
        data = value.encode("utf-8", "backslashreplace")
        for _ in range(3):
            if self.backend.put_if_absent(key, data):
                return _text(data)
            try:
                return _text(self.backend.get(key))
            except ArtifactNotFound:  # deleted between the two calls
                continue
        raise StoreError(f"store {self.backend.url}: {key} is deleted as often as it is written")

    def _ends(self, run_id: str) -> list[str]:
        """Keys of the end records, the last one last."""
        numbered = {}
        for key in self.backend.list(f"runs/{run_id}/ends/"):
            if match := _END.fullmatch(key.rpartition("/")[2]):
                numbered[int(match[1])] = key
        return [numbered[number] for number in sorted(numbered)]

    def _read_attempts(self, keys: list[str]) -> list[AttemptRecord]:
        found = self.backend.get_many(keys)
        return [codec.decode(data, AttemptRecord, key) for key, data in found.items()]

    def _newest_first(self, ids: Iterable[str], at_once: int) -> Iterator[RunRecord | Unreadable]:
        """Records of runs; ids tell the second, the records themselves what is finer."""
        waiting: list[str] = []
        for _, second in groupby(ids, key=lambda run_id: run_id[:15]):
            waiting.extend(second)
            if len(waiting) >= at_once:
                yield from self._read_runs(waiting)
                waiting = []
        yield from self._read_runs(waiting)

    def _read_runs(self, ids: list[str]) -> list[RunRecord | Unreadable]:
        found: list[tuple[str, float, RunRecord | Unreadable]] = []
        for key, data in self.backend.get_many([run_key(run_id) for run_id in ids]).items():
            run_id = key.split("/")[1]
            try:
                record = codec.decode(data, RunRecord, key)
            except StoreError as exc:
                found.append((run_id[:15], 0.0, Unreadable(run_id, str(exc))))
            else:
                found.append((run_id[:15], record.started, record))
        return [one for *_, one in sorted(found, key=lambda f: f[:2], reverse=True)]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")  # what is damaged must not stop what is sound


def _checked(run_id: str) -> str:
    if RUN_ID.fullmatch(run_id) is None:
        raise StoreError(f"{run_id!r} is no run id; one looks like 20260114-093000-1a2b3c4d")
    return run_id


def _parse_attempt(key: str) -> tuple[str, int]:
    match = _ATTEMPT.fullmatch(key.rpartition("/")[2])
    if match is None:
        raise StoreError(f"store: {key} is no record of an attempt")
    return match[1], int(match[2])
