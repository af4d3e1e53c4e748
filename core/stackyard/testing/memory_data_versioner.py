"""A data versioner in memory, whole: for tests of steps, and as the smallest implementation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.data_versioner import (
    DataDiff,
    DataVersion,
    DataVersioner,
    check_dataset_name,
    check_target,
    dataset_files,
    file_suffix,
)
from stackyard.errors import NotFound
from stackyard.whole_folder import made_whole

Content = dict[str, bytes]  # by relative path; a single file is ""


class MemoryDataVersioner(DataVersioner):
    """Keeps copies. ``MemoryDataVersioner()`` is all that a step's test needs."""

    def __init__(self, config: Any = None, context: Context | None = None) -> None:
        super().__init__(config, context or Context(name="data_versioner"))
        self._kept: dict[tuple[str, str], tuple[DataVersion, Content]] = {}
        self._remote: dict[tuple[str, str], tuple[DataVersion, Content]] = {}

    def of(self, context: Context, *, elsewhere: bool = False) -> MemoryDataVersioner:
        """The same versions as another step sees them; ``elsewhere``, only the same remote."""
        other = MemoryDataVersioner(self.config, context)
        other._remote = self._remote
        if not elsewhere:
            other._kept = self._kept
        return other

    @property
    def capabilities(self) -> frozenset[str]:
        """All."""
        return frozenset({"remote", "diff", "verify"})

    def commit(self, path: Path, name: str) -> DataVersion:
        """Keep the content of ``path`` as a version of ``name``."""
        import blake3

        check_dataset_name(name)
        path = self.context.project / path
        files = {part: (path / part).read_bytes() for part in sorted(dataset_files(path))}
        digest = blake3.blake3(repr(list(files.items())).encode()).hexdigest()
        size = sum(map(len, files.values()))
        version = DataVersion(name, digest, size, len(files), time.time(), file_suffix(path))
        kept, _ = self._kept.setdefault((name, digest), (version, files))
        self.note(kept)
        return kept

    def checkout(
        self, name: str, version: str, target: Path, *, overwrite: bool = False
    ) -> DataVersion:
        """Write a version to ``target``."""
        kept, files = self._find(name, version)
        project = self.context.project
        place = check_target(project / target, project, overwrite=overwrite)
        with made_whole(place, overwrite=overwrite) as made:
            for part, data in files.items():
                file = made / part
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        self.note(kept)
        return kept

    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions, newest first."""
        return tuple(v for v, _ in reversed(self._kept.values()) if name in (None, v.name))

    def push(self, name: str, version: str) -> None:
        """Copy a version to what stands for the remote."""
        self._remote[name, version] = self._find(name, version)

    def pull(self, name: str, version: str) -> DataVersion:
        """Bring a version from there."""
        if (name, version) not in self._remote:
            raise NotFound(f"the remote has no version {version!r} of {name!r}")
        kept, _ = self._kept[name, version] = self._remote[name, version]
        return kept

    def diff(self, name: str, first: str, second: str) -> DataDiff:
        """Compare two versions file by file."""
        (_, old), (_, new) = self._find(name, first), self._find(name, second)
        return DataDiff(
            tuple(sorted(part or name for part in new.keys() - old.keys())),
            tuple(sorted(p or name for p in new.keys() & old.keys() if new[p] != old[p])),
            tuple(sorted(part or name for part in old.keys() - new.keys())),
        )

    def verify(self, name: str, version: str) -> Sequence[str]:
        """Nothing in memory is ever damaged."""
        self._find(name, version)
        return ()

    def _find(self, name: str, version: str) -> tuple[DataVersion, Content]:
        check_dataset_name(name)
        if (name, version) not in self._kept:
            have = ", ".join(v.id for v in self.list(name)) or "none"
            raise NotFound(f"there is no version {version!r} of {name!r}. Versions: {have}")
        return self._kept[name, version]
