"""What the records of a store say: which runs there are, and which artifacts they need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stackyard.errors import StoreError
from stackyard.store import codec
from stackyard.store.leases import held
from stackyard.store.records import AttemptRecord, RunRecord, attempt_key, run_key
from stackyard.store.run_records import OFFER
from stackyard.store.run_status import under_way

if TYPE_CHECKING:
    from stackyard.store.store import Store

# Wherever a record holds a digest, be it in an output, a journal, a claim or the handle of a job,
# it is found: what looks like a digest keeps the artifact of that name.
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_BATCH = 500  # records read at once


class Census:
    """All records as last read. Records never change, so ``update`` reads only new ones."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.runs: dict[str, RunRecord] = {}
        self.keys: dict[str, dict[str, float]] = {}  # run id -> key -> time of writing
        self.held: set[str] = set()  # runs that somebody works on after their end
        self.news: set[str] = set()  # digests that the last update found in new records
        self.unreadable: dict[str, str] = {}  # key of a record -> why it cannot be read
        self._digests: dict[str, set[str]] = {}  # key -> what it mentions
        self._reused: dict[str, str] = {}  # key of an attempt -> key of the one it reuses
        self._closed: set[str] = set()  # digests whose parts were looked up
        self._parts: set[str] = set()

    def update(self) -> None:
        """Read the records that are new, forget those that are gone."""
        backend = self.store.backend
        self.held = held(backend)
        listed = backend.sizes("runs/")
        fresh = [key for key in listed if key not in self._digests]
        for start in range(0, len(fresh), _BATCH):
            for key, data in backend.get_many(fresh[start : start + _BATCH]).items():
                self._read(key, data)
        self.news = {digest for key in fresh for digest in self._digests.get(key, ())}
        self.keys = {}
        for key, (_, written) in listed.items():
            if key in self._digests:  # else it was deleted while it was read
                self.keys.setdefault(key.split("/")[1], {})[key] = written
        self.unreadable = {key: why for key, why in self.unreadable.items() if key in listed}
        self.runs = {i: r for i, r in self.runs.items() if run_key(i) in listed}

    def _read(self, key: str, data: bytes) -> None:
        try:
            self._decode(key, data)
        except StoreError as exc:
            self.unreadable[key] = str(exc)
        self._digests[key] = {found.decode() for found in _DIGEST.findall(data)}

    def _decode(self, key: str, data: bytes) -> None:
        parts = key.split("/")
        if parts[2] == "run.json":
            self.runs[parts[1]] = codec.decode(data, RunRecord, key)
        elif parts[2] == "attempts":
            reused = codec.decode(data, AttemptRecord, key).reused
            if reused is not None:
                self._reused[key] = attempt_key(reused.run_id, reused.step, reused.attempt)

    def last_sign(self, run_id: str) -> float:
        """When the newest record of a run was written."""
        return max(self.keys[run_id].values())

    def live(self) -> set[str]:
        """The runs that are under way."""
        return {
            run_id
            for run_id, record in self.runs.items()
            if not any(key.startswith(f"runs/{run_id}/ends/") for key in self.keys[run_id])
            and under_way(self.store.records, record)
        }

    def lineage(self, run_ids: Iterable[str]) -> set[str]:
        """These runs and all that they continue."""
        found: set[str] = set()
        waiting = list(run_ids)
        while waiting:
            run_id = waiting.pop()
            if run_id not in found and run_id in self.runs:
                found.add(run_id)
                waiting.extend(filter(None, [self.runs[run_id].resume]))
        return found

    def suspected(self) -> set[str]:
        """The runs that a record which cannot be read may continue or reuse: none is newer."""
        newest = max((key.split("/")[1][:15] for key in self.unreadable), default="")
        return {run_id for run_id in self.keys if run_id[:15] <= newest}

    def needed_records(self, doomed: set[str]) -> set[str]:
        """Keys to keep: all of the other runs, and the attempts whose results those reuse."""
        kept = {key for run_id, keys in self.keys.items() if run_id not in doomed for key in keys}
        for key in list(kept):
            while (source := self._reused.get(key)) is not None and source not in kept:
                kept.add(source)
                key = source
        return kept

    def needed_artifacts(self, doomed: set[str], among: set[str]) -> set[str]:
        """Those ``among`` the digests that kept records or pins mention, and all they are made of.

        A record also holds digests of other things; to ask the store for each would take long.
        """
        found = set(self.store.records.pins())
        for key in self.needed_records(doomed):
            found |= self._digests.get(key, set())
        found &= among
        fresh = found - self._closed
        self._parts |= self.store.artifacts.references(fresh)
        self._closed |= fresh
        return found | self._parts

    def offers(self) -> Iterator[tuple[str, str, str]]:
        """Entries of the cache: key, run id, key of the attempt."""
        for key in self.store.backend.list("cache/"):
            match = OFFER.fullmatch(key.rpartition("/")[2])
            if match is not None:
                _, run_id, step, number = match.groups()
                yield key, run_id, attempt_key(run_id, step, int(number))
