"""Collection: deletes the runs that nobody wants to keep and the artifacts that nothing needs.

Nothing is locked, so a writer may come at any moment. What protects it:

- an artifact is deleted only when it was unreferenced at two looks, at least ``grace`` apart, and
  neither written nor refreshed in between (saving equal content again refreshes it);
- what a run under way may have saved before its record mentions it is not touched at all;
- records are read again right before anything is deleted.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from stackyard.errors import ArtifactNotFound, StoreError, UsageError
from stackyard.store.backend import DIGEST, REFRESH_AFTER, artifact_key
from stackyard.store.census import Census
from stackyard.store.leases import clear
from stackyard.store.records import run_key
from stackyard.store.store import Store

GRACE = 3600.0
_COARSE = 2.0  # seconds; times in stores are rounded, on S3 to whole seconds
_LEFTOVER = 86400.0  # seconds after which a temporary file belongs to nobody any more
_LOOKS = "gc/candidates/"


@dataclass(frozen=True)
class GcReport:
    """What a collection did, or would do. ``waiting`` artifacts go at a look after the grace.

    ``young`` runs are kept for no other reason than the grace. ``unreadable`` are the keys of
    records that cannot be read.
    """

    runs: tuple[str, ...]
    artifacts: int
    bytes: int
    waiting: int
    waiting_bytes: int
    kept_runs: int
    kept_artifacts: int
    kept_bytes: int
    dry_run: bool = False
    young: int = 0
    unreadable: tuple[str, ...] = ()


def gc(
    store: Store,
    *,
    keep_last: int | None = None,
    older_than: float | None = None,
    grace: float = GRACE,
    dry_run: bool = False,
) -> GcReport:
    """Delete runs, then artifacts that nothing needs any more.

    A run is kept if it is among the ``keep_last`` newest of its pipeline, or began less than
    ``older_than`` seconds ago; with neither given all runs are kept. A run under way, what it
    continues, and the attempts whose results a kept run reuses are kept in any case, and so is what
    is younger than ``grace`` seconds. What a record that cannot be read may refer to is kept: as
    long as there is one, all artifacts, and all runs but those that are newer. ``grace=0`` deletes
    in one call: use it while nothing writes.

    Raises:
        UsageError: a number is negative.
        StoreError: an artifact that is made of others is damaged; no artifact was deleted then.
    """
    for name, value in (("keep_last", keep_last), ("older_than", older_than), ("grace", grace)):
        if value is not None and value < 0:
            raise UsageError(f"gc: {name} is {value}; it cannot be negative")
    # Artifacts are listed before the records that may mention them.
    blobs = _artifacts(store)
    census = Census(store)
    census.update()
    doomed = _doomed(census, keep_last, older_than, grace)
    if doomed and not dry_run:
        census.update()
        doomed &= _doomed(census, keep_last, older_than, grace)
    runs = tuple(sorted(doomed & census.runs.keys()))
    if doomed and not dry_run:
        _delete_runs(store, census, doomed)
    limit = _limit(census, grace)
    needed = census.needed_artifacts(doomed, among=set(blobs))
    unneeded = {d for d, (_, written) in blobs.items() if d not in needed and written <= limit}
    if census.unreadable:
        unneeded.clear()
    ready, seen = _ready(store, unneeded, blobs, grace)
    deleted = set(ready)
    if not dry_run:
        deleted = _delete_artifacts(store, census, doomed, ready, grace, set(blobs))
        _remember(store, {d: when for d, when in seen.items() if d not in deleted}, grace)
        clear(store.backend)
        store.backend.sweep(time.time() - _LEFTOVER)
    waiting = unneeded - deleted
    size = {digest: size for digest, (size, _) in blobs.items()}
    kept = size.keys() - deleted
    return GcReport(
        runs=runs,
        artifacts=len(deleted),
        bytes=sum(size[d] for d in deleted),
        waiting=len(waiting),
        waiting_bytes=sum(size[d] for d in waiting),
        kept_runs=len(census.runs.keys() - doomed),
        kept_artifacts=len(kept),
        kept_bytes=sum(size[d] for d in kept),
        dry_run=dry_run,
        young=len(_young(census, keep_last, older_than, grace) - doomed),
        unreadable=tuple(sorted(census.unreadable)),
    )


def _artifacts(store: Store) -> dict[str, tuple[int, float]]:
    """Size and time of every artifact by digest; what somebody else put there is not ours."""
    listed = store.backend.sizes("artifacts/")
    named = {key.rpartition("/")[2]: facts for key, facts in listed.items()}
    return {name: facts for name, facts in named.items() if DIGEST.fullmatch(name)}


def _doomed(
    census: Census, keep_last: int | None, older_than: float | None, grace: float
) -> set[str]:
    """The runs to delete, and what is left of runs whose deletion was cut short."""
    now = time.time()
    kept = census.lineage(census.live() | census.held) | census.suspected()
    kept |= {run_id for run_id in census.keys if census.last_sign(run_id) > now - grace - _COARSE}
    if keep_last is None and older_than is None:
        kept |= census.runs.keys()
    if older_than is not None:
        kept |= {i for i, run in census.runs.items() if run.started > now - older_than}
    if keep_last:
        newest: dict[str, list[str]] = {}
        for run in sorted(census.runs.values(), key=lambda r: -r.started):
            newest.setdefault(run.pipeline, []).append(run.run_id)
        kept |= {run_id for ids in newest.values() for run_id in ids[:keep_last]}
    return census.keys.keys() - kept


def _young(
    census: Census, keep_last: int | None, older_than: float | None, grace: float
) -> set[str]:
    """The runs that would go if there were no grace."""
    return _doomed(census, keep_last, older_than, -_COARSE) & census.runs.keys() if grace else set()


def _delete_runs(store: Store, census: Census, doomed: set[str]) -> None:
    """Delete a run's own record first: what is left is no run, and the next call removes it."""
    delete, needed = store.backend.delete, census.needed_records(doomed)
    for run_id in sorted(doomed):
        run = census.runs.get(run_id)
        delete(run_key(run_id))
        if run is not None:
            delete(f"pipelines/{run.pipeline}/{run_id}")
        for key in census.keys[run_id].keys() - needed:
            delete(key)
    for key, run_id, attempt in census.offers():
        if run_id in doomed and attempt not in needed:
            delete(key)
    ties = store.backend.list("external/")
    for key, value in store.backend.get_many(ties).items():
        if value.decode("utf-8", "replace").partition("\n")[0] in doomed:
            delete(key)


def _limit(census: Census, grace: float) -> float:
    """Artifacts written or refreshed after this time may belong to a record still to come.

    A run under way saved its artifacts after it began, or found equal ones that were younger than
    ``REFRESH_AFTER`` and so did not refresh them.
    """
    starts = [census.runs[run_id].started - REFRESH_AFTER for run_id in census.live()]
    return min([time.time() - grace - _COARSE, *starts])


def _ready(
    store: Store, unneeded: set[str], blobs: dict[str, tuple[int, float]], grace: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Which artifacts may go now (by the time they must not be younger than); all first looks."""
    now = time.time()
    if grace == 0:
        return {d: blobs[d][1] for d in unneeded}, {}
    earlier = _earlier_looks(store)
    seen = {}
    for digest in unneeded:
        first = earlier.get(digest, now)
        refreshed = blobs[digest][1] > first - _COARSE
        seen[digest] = now if refreshed else first
    return {d: first for d, first in seen.items() if now - first >= grace}, seen


def _delete_artifacts(
    store: Store,
    census: Census,
    doomed: set[str],
    ready: dict[str, float],
    grace: float,
    known: set[str],
) -> set[str]:
    """Delete what is still unneeded after the records were read again; return what is gone."""
    if not ready:
        return set()
    census.update()
    if census.unreadable:
        return set()
    needed, limit = census.needed_artifacts(doomed, known | census.news), _limit(census, grace)
    gone = set()
    for digest, first in ready.items():
        key = artifact_key(digest)
        last = min(first, limit)
        if digest not in needed and store.backend.delete(key, unless_after=last):
            gone.add(digest)
    return gone


def _earlier_looks(store: Store) -> dict[str, float]:
    keys = store.backend.list(_LOOKS)
    if not keys:
        return {}
    try:
        looks: dict[str, float] = json.loads(store.backend.get(keys[-1]))
    except ArtifactNotFound:  # another collection replaced it
        return {}
    except ValueError as exc:
        raise StoreError(f"store {store.url}: {keys[-1]} cannot be read: {exc}") from exc
    return looks


def _remember(store: Store, seen: dict[str, float], grace: float) -> None:
    """Write when each unneeded artifact was first seen so; the newest list counts."""
    if grace == 0:
        return
    old = store.backend.list(_LOOKS)
    if seen:
        store.backend.put_if_absent(f"{_LOOKS}{time.time_ns():020d}", json.dumps(seen).encode())
    for key in old:
        store.backend.delete(key)
