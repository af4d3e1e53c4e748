"""DVC as a data versioner."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from stackyard.components.base import Context, Finding
from stackyard.components.data_versioner import (
    DataDiff,
    DataVersion,
    DataVersioner,
    check_dataset_name,
    check_target,
    file_suffix,
)
from stackyard.display import plural
from stackyard.errors import ComponentError, InvalidInput, NotFound, Unavailable, Unsupported
from stackyard.whole_folder import made_whole
from stackyard_dvc.cache import Cache, Damaged, own_cache
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.log import ID, Log
from stackyard_dvc.quiet import quiet
from stackyard_dvc.remote import Remote, command, configured
from stackyard_dvc.repository import repository


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
        may_share = self.config.remote is not None or self.config.repo is not None
        return frozenset({"diff", "verify"} | ({"remote"} if may_share else set()))

    def commit(self, path: Path, name: str) -> DataVersion:
        """Make the content of ``path`` a version; see the contract."""
        check_dataset_name(name)
        path = (self.context.project / path).absolute()
        if Path(os.path.realpath(self.context.state_dir)).is_relative_to(os.path.realpath(path)):
            raise InvalidInput(
                f"{path} holds the versions themselves. Commit a folder inside of it"
            )
        with self._cache() as cache:
            found, size, files = cache.add(path)
        made = DataVersion(name, found, size, files, time.time(), file_suffix(path))
        version = self._log.put(made)
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
            with made_whole(place, overwrite=overwrite) as made:
                cache.write(files, made)
        self.note(known)
        return known

    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions that are known here, newest first. DVC is not imported."""
        return tuple(self._log.list(name))

    def push(self, name: str, version: str) -> None:
        """Copy a version to the remote; see the contract."""
        self._check_remote()
        known = self._log.get(name, version)
        with self._cache() as cache:
            files = self._sound(cache, known)
            wrong = self._remote(cache).push(cache, known, files)
            if wrong:
                raise self._gone(known, _named(name, files, wrong))

    def pull(self, name: str, version: str) -> DataVersion:
        """Bring a version from the remote, by its id alone if need be; see the contract."""
        self._check_remote()
        check_dataset_name(name)
        if ID.fullmatch(version) is None:
            try:
                self._log.get(name, version)
            except NotFound as exc:  # which says what there is
                raise NotFound(
                    f"{version!r} is no whole id, so the remote was not asked; {exc}"
                ) from exc
        with self._cache() as cache:
            return self._log.put(self._remote(cache).pull(cache, name, version))

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
        """Open the repository and ask the remote, where there is one."""
        known = plural(len(self._log.list()), "version")
        if "remote" not in self.capabilities:
            return (Finding(True, f"{known} in {self.context.state_dir}; no remote"),)
        try:
            with self._cache() as cache:
                remote = self._remote(cache)
                remote.reach()
        except ComponentError as exc:
            cure = "bring the remote up, or correct 'repo' and 'remote' in the stack file"
            return (Finding(False, str(exc), cure),)
        return (Finding(True, f"{known} in {self.context.state_dir}; {remote.url} answers"),)

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
            raise self._gone(version, _named(version.name, files, wrong))
        return files

    def _gone(self, version: DataVersion, what: str) -> NotFound:
        return NotFound(
            f"version {version.id} of {version.name!r}: damaged or gone here: {what}. Bring it "
            f"back: {command(self.context, 'pull', version.name, version.id)}"
        )

    def _check_remote(self) -> None:
        if "remote" not in self.capabilities:
            raise Unsupported(
                f"{self.context.name}: there is no remote. Add one to the stack file: "
                "'remote: s3://bucket/path', or a folder that others reach"
            )

    def _remote(self, cache: Cache) -> Remote:
        odb = configured(self.config, self.context) if self.config.remote else cache.remote()
        if odb is None:
            raise Unsupported(
                f"{self.context.name}: DVC repository {self.config.repo} has no default remote. "
                "Add 'remote' to the stack file, or: dvc remote add --default NAME URL"
            )
        return Remote(odb, self.context)

    @contextmanager
    def _cache(self) -> Iterator[Cache]:
        with quiet():
            try:
                repo = self.config.repo
                place = repository(repo, self.context) if repo else own_cache(self.context)
                with place as cache:
                    yield cache
            except OSError as exc:
                text = f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc)
                raise Unavailable(f"{self.context.name}: {text}") from exc


def _named(name: str, files: Mapping[str, str], wrong: set[str]) -> str:
    """Some of the files whose content is among ``wrong``, for people."""
    paths = _paths(name, {part for part, oid in files.items() if oid in wrong})
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if paths[5:] else "")


def _paths(name: str, parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(part or name for part in parts))
