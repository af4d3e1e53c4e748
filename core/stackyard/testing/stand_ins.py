"""What stands for the store, the journal and a stored run in the contracts' tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.tracker import RunStatus
from stackyard.store.records import new_run_id


@dataclass(frozen=True)
class StoredRun:
    """What a tracker holds of one run. ``metrics``: (step, seconds since the epoch, value)."""

    params: Mapping[str, str]
    metrics: Mapping[str, Sequence[tuple[int, float, float]]]
    tags: Mapping[str, str]
    artifacts: Mapping[str, bytes]
    status: RunStatus
    ended: float | None = None


@dataclass
class Files:
    """Stands for the store: gives local paths of what was kept."""

    folder: Path
    paths: dict[str, Path] = field(default_factory=dict)

    def keep(self, name: str, content: bytes | Mapping[str, bytes]) -> str:
        """Keep a file, or a folder given as {relative path: bytes}; return its digest."""
        digest = f"{len(self.paths):064x}"
        target = self.folder / digest
        parts = {"": content} if isinstance(content, bytes) else content
        for relative, data in parts.items():
            path = target / relative if relative else target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.paths[digest] = target
        return digest

    def fetch(self, digest: str) -> Path:
        """The local path."""
        return self.paths[digest]


def context_in(project: Path, kind: str, step: str) -> Context:
    """A context as core gives it to a component in a step, of a project that is made."""
    project.mkdir(exist_ok=True)
    folder = project / ".stackyard"
    return Context(
        name=kind,
        stack="local",
        project=project,
        cache_dir=folder / "cache" / kind,
        state_dir=folder / "state" / kind,
        pipeline="conformance",
        run=new_run_id(),
        step=step,
        deadline=60.0,
        journal=Journal(),
    )


class Journal:
    """Stands for the record of a step, or a history; nothing is kept."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def add(self, entry: Any) -> None:
        """Append one entry."""
        self.entries.append(entry)

    def keep(self, path: Path) -> str:
        """Refuse: nothing is logged that is kept."""
        raise AssertionError(f"nothing was logged that is kept: {path}")
