"""Re-hashing what a run needs: does every artifact still hold the bytes that its digest names?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stackyard.errors import ArtifactNotFound, StoreError
from stackyard.store.backend import artifact_key
from stackyard.store.records import AttemptRecord
from stackyard.store.store import Store

State: TypeAlias = Literal["sound", "missing", "damaged"]


@dataclass(frozen=True)
class Verified:
    """An artifact of a run, what it is there, and how it was found. ``made_by`` names its run."""

    digest: str
    role: str  # "train.result", "log of train", "code bundle", "part of train.result"
    state: State
    size: int = 0
    made_by: str = ""


def verify(
    store: Store, run_id: str, watch: Callable[[Verified], None] = lambda one: None
) -> list[Verified]:
    """Hash every artifact that a run made, read or logged, whatever was verified before.

    A service's own checksum would not do: it is of what arrived, in an algorithm of its own.
    ``watch`` is told of each as soon as it was hashed.

    Raises:
        ArtifactNotFound: the store has no such run.
    """
    run = store.records.run(run_id)
    roles: dict[str, tuple[str, str]] = {}
    if run.bundle is not None:
        roles[run.bundle] = ("code bundle", run_id)
    for attempt in store.records.attempts(run_id):
        for digest, role in _artifacts(attempt):
            maker = attempt.reused.run_id if attempt.reused is not None else run_id
            roles.setdefault(digest, (role, maker))
    found: dict[str, Verified] = {}

    def check(digest: str, role: str, maker: str) -> None:
        found[digest] = _check(store, digest, role, maker)
        watch(found[digest])

    for digest, (role, maker) in roles.items():
        check(digest, role, maker)
    for digest, one in list(found.items()):
        if one.state == "sound":
            for part in sorted(_parts(store, digest) - found.keys()):
                check(part, f"part of {one.role}", one.made_by)
    return list(found.values())


def _artifacts(attempt: AttemptRecord) -> Iterator[tuple[str, str]]:
    for name, ref in attempt.outputs.items():
        yield ref.digest, f"{attempt.step}.{name}"
    for name, ref in attempt.inputs.items():
        yield ref.digest, f"input {name} of {attempt.step}"
    if attempt.log:
        yield attempt.log, f"log of {attempt.step}"
    for row in attempt.journal:
        if row.get("type") == "LoggedArtifact":
            yield str(row["digest"]), f"{row['path']} logged by {attempt.step}"


def _check(store: Store, digest: str, role: str, maker: str) -> Verified:
    try:
        size, actual = store.backend.hashed(artifact_key(digest))
    except ArtifactNotFound:
        return Verified(digest, role, "missing", made_by=maker)
    if actual != digest:
        return Verified(digest, role, "damaged", made_by=maker)
    return Verified(digest, role, "sound", size, maker)


def _parts(store: Store, digest: str) -> set[str]:
    try:
        return store.artifacts.references([digest])
    except StoreError:  # a part of a part is damaged
        return set()
