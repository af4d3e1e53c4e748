"""DVC as a data versioner."""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackyard.components.base import Context, Finding
from stackyard.components.data_versioner import (
    DataDiff,
    DataVersion,
    DataVersioner,
    check_dataset_name,
    check_target,
)
from stackyard.errors import NotFound, Unavailable
from stackyard.whole_folder import made_whole
from stackyard_dvc.cache import Cache, Damaged, own_cache
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.log import Log
from stackyard_dvc.quiet import quiet


class DvcDataVersioner(DataVersioner):
    """Versions are kept in a DVC cache and identified by DVC's MD5.

    Capabilities: ``diff``, ``verify``; ``remote`` where there may be one.
    """

    config: DvcConfig

    def __init__(self, config: DvcConfig, context: Context) -> None:
        super().__init__(config, context)
        self._log = Log(context.state_dir / "versions")

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do with this configuration."""
        return frozenset({"diff", "verify"})

    def commit(self, path: Path, name: str) -> DataVersion:
        """Make the content of ``path`` a version; see the contract."""
        check_dataset_name(name)
        with self._cache() as cache:
            found, size, files = cache.add((self.context.project / path).absolute())
        version = self._log.put(DataVersion(name, found, size, files, time.time()))
        self.note(version)
        return version

    def checkout(
        self, name: str, version: str, target: Path, *, overwrite: bool = False
    ) -> DataVersion:
        """Write a version to ``target``; see the contract."""
        known = self._log.get(name, version)
        project = self.context.project
        place = check_target((project / target).absolute(), project, overwrite=overwrite)
        with self._cache() as cache:
            files = self._sound(cache, known)
            with made_whole(place) as made:
                cache.write(files, made)
        self.note(known)
        return known

    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions that are known here, newest first. DVC is not imported."""
        return tuple(self._log.list(name))

    def diff(self, name: str, first: str, second: str) -> DataDiff:
        """Compare the lists of files of two versions."""
        one, other = self._log.get(name, first), self._log.get(name, second)
        with self._cache() as cache:
            old, new = self._files(cache, one), self._files(cache, other)
        return DataDiff(
            _paths(name, new.keys() - old.keys()),
            _paths(name, {part for part in new.keys() & old.keys() if new[part] != old[part]}),
            _paths(name, old.keys() - new.keys()),
        )

    def verify(self, name: str, version: str) -> Sequence[str]:
        """Read every file of a version in the cache."""
        known = self._log.get(name, version)
        with self._cache() as cache:
            try:
                files = cache.files(known.id)
            except Damaged:
                return (name,)
            wrong = cache.damaged(files.values(), read=True)
        return _paths(name, {part for part, oid in files.items() if oid in wrong})

    def check(self) -> Sequence[Finding]:
        """Say how many versions are known."""
        known = len(self._log.list())
        return (Finding(True, f"{known} versions in {self.context.state_dir}"),)

    def _files(self, cache: Cache, version: DataVersion) -> dict[str, str]:
        """The MD5 of each file; NotFound where the list of a folder's files is damaged."""
        try:
            return cache.files(version.id)
        except Damaged as exc:
            raise self._gone(version, "the list of its files") from exc

    def _sound(self, cache: Cache, version: DataVersion) -> dict[str, str]:
        """The same; NotFound where one of the files is damaged or gone."""
        files = self._files(cache, version)
        wrong = cache.damaged(files.values())
        if wrong:
            paths = _paths(version.name, {part for part, oid in files.items() if oid in wrong})
            more = f" and {len(paths) - 5} more" if paths[5:] else ""
            raise self._gone(version, ", ".join(paths[:5]) + more)
        return files

    def _gone(self, version: DataVersion, what: str) -> NotFound:
        return NotFound(
            f"version {version.id} of {version.name!r}: damaged or gone here: {what}. Bring it "
            f"back: stackyard data pull {version.name}@{version.id}"
        )

    @contextmanager
    def _cache(self) -> Iterator[Cache]:
        with quiet():
            try:
                with own_cache(self.context) as cache:
                    yield cache
            except OSError as exc:
                text = f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc)
                raise Unavailable(f"{self.context.name}: {text}") from exc


def _paths(name: str, parts: Any) -> builtins.tuple[str, ...]:
    return tuple(sorted(part or name for part in parts))
