"""A data versioner in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersion, DataVersioner
from stackyard.errors import AlreadyExists, InvalidInput, NotFound


class MemoryDataVersioner(DataVersioner):
    """Keeps copies of files and folders."""

    def __init__(self, config: Any = None, context: Context | None = None) -> None:
        super().__init__(config, context or Context(name="data_versioner"))
        self._kept: dict[tuple[str, str], dict[str, bytes]] = {}
        self._committed: dict[tuple[str, str], float] = {}

    def commit(self, path: Path, name: str) -> DataVersion:
        """Keep the content of ``path`` as a version of ``name``."""
        import blake3

        if not path.exists():
            raise InvalidInput(f"{path} does not exist")
        files = _files(path)
        digest = blake3.blake3(repr(sorted(files.items())).encode()).hexdigest()
        self._kept[name, digest] = files
        self._committed.setdefault((name, digest), time.time())
        return self._version(name, digest)

    def checkout(
        self, name: str, version: str, target: Path, *, overwrite: bool = False
    ) -> DataVersion:
        """Write a version into ``target``."""
        if (name, version) not in self._kept:
            have = ", ".join(v.id for v in self.list(name)) or "none"
            raise NotFound(f"there is no version {version!r} of {name!r}. Versions: {have}")
        if not overwrite and target.exists() and any(target.iterdir()):
            raise AlreadyExists(f"{target} holds something")
        for relative, data in self._kept[name, version].items():
            file = target / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return self._version(name, version)

    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions, newest first."""
        return tuple(self._version(*k) for k in reversed(self._kept) if name in (None, k[0]))

    def _version(self, name: str, digest: str) -> DataVersion:
        files = self._kept[name, digest]
        size, committed = sum(map(len, files.values())), self._committed[name, digest]
        return DataVersion(name, digest, size, len(files), committed)


def _files(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in files}
