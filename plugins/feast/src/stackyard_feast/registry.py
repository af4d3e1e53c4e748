"""Feast's registry: opened, read, and changed by one process at a time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.errors import ComponentError, InvalidInput, NotFound, Unavailable
from stackyard_feast import objects, views
from stackyard_feast.config import FeastConfig
from stackyard_feast.join import told
from stackyard_feast.quiet import quiet
from stackyard_feast.views import KnownView

if TYPE_CHECKING:
    from feast import FeatureStore as Feast
    from filelock import FileLock

PATIENCE = 5.0  # seconds after which somebody who waits is told so


class Registry:
    """The registry of one component. Nothing happens before a method is called."""

    def __init__(self, config: FeastConfig, context: Context) -> None:
        project = context.project.resolve()
        self.folder = (project / config.path) if config.path else context.state_dir.resolve()
        self.repo = (project / config.repo) if config.repo else None
        self._context = context
        self._lock: FileLock | None = None

    @property
    def marks(self) -> Path:
        """Says what was materialized to an online store that is not in SQLite."""
        return self._memory / "materialized.db"

    @property
    def _remembered(self) -> Path:
        return self._memory / "views.json"

    @property
    def _memory(self) -> Path:
        """Where files are about this registry, and no other that a stack may name.

        Raises:
            NotFound: there is no such repository.
        """
        if self.repo is None:
            return self.folder
        import blake3

        try:
            said = self._settings.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFound(f"{self._context.name}.repo: there is no {self._settings}") from exc
        key = blake3.blake3(str(self.repo).encode() + b"\0" + said).hexdigest()
        return self.folder / key[:16]

    @property
    def _settings(self) -> Path:
        return (self.repo or self.folder) / "feature_store.yaml"

    def within(self, source: str) -> str:
        """A source as the registry has it: from its own folder, so that a project can be moved."""
        return os.path.relpath(source, self.folder)

    def views(self) -> dict[str, KnownView]:
        """All views by name; asks Feast only where the registry changed behind our back.

        While another process is at work, the views are those from before: what it defines counts
        once it is done, and a materialization changes the registry, but no definition.

        Raises:
            ComponentError: the registry cannot be read.
        """
        known = self.views_without_feast()
        if known is None:
            before = views.recall(self._remembered, changed=True)
            with self.locked(wait=before is None) as held:
                if not held:
                    return before or {}
                with self.call("views") as feast:
                    known = self.refresh(feast)
        return known

    def views_without_feast(self) -> dict[str, KnownView] | None:
        """The views where they are known without importing Feast, else None."""
        if self.repo is not None:
            return views.recall(self._remembered)
        registry = self.folder / "registry.db"
        return views.recall(self._remembered, registry) if registry.exists() else {}

    def refresh(self, feast: Feast) -> dict[str, KnownView]:
        """Read the views from Feast and remember them.

        The digest is older than what is read, so that of a change between the two too much is
        read again, not too little.
        """
        folder = self.repo or self.folder
        registry = self._file(feast)
        digest = views.digest_of(registry) if registry is not None else ""
        feast.refresh_registry()
        found = [objects.known(view, folder) for view in feast.list_all_feature_views()]
        known = {view.name: view for view in sorted(found, key=lambda v: v.name)}
        if registry is not None:
            self._memory.mkdir(parents=True, exist_ok=True)
            views.remember(self._remembered, registry, digest, known)
        return known

    def remove(self) -> None:
        """Remove everything but the lock, which others may wait for."""
        import shutil

        for file in (self._remembered, self.folder / "registry.db", self.folder / "online.db"):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "rows", ignore_errors=True)

    @contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the lock of the registry, which Feast rewrites whole: the last writer would win.

        It may be held more than once. Another process is waited for as long as it holds the lock,
        however long it materializes; that of a process that ended is free. Without ``wait`` it
        says whether the lock is held.

        Raises:
            Unavailable: the folder cannot be written.
        """
        from filelock import FileLock

        lock = self._lock = self._lock or FileLock(self.folder / ".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = self._acquire(lock, wait)
        except OSError as exc:
            raise Unavailable(f"cannot write {self.folder}: {exc.strerror or exc}") from exc
        try:
            yield held
        finally:
            if held:
                lock.release()

    def _acquire(self, lock: FileLock, wait: bool) -> bool:
        from filelock import Timeout

        try:
            lock.acquire(timeout=PATIENCE if wait else 0)
        except Timeout:
            if not wait:
                return False
            log = self._context.logger
            log.warning("waiting for another process that is changing %s", self.folder)
            lock.acquire()
        return True

    @contextmanager
    def call(self, what: str) -> Iterator[Feast]:
        """Give Feast for one call: quiet, with a fresh registry, errors in our words.

        Raises:
            NotFound: Feast does not know something.
            InvalidInput: Feast refuses something.
            Unavailable: a file or database cannot be used.
        """
        with quiet(), contextlib.chdir(self._home()):
            import duckdb
            from feast.errors import FeastError, FeastObjectNotFoundException

            try:
                yield self._open()
            except ComponentError:
                raise
            except FeastObjectNotFoundException as exc:
                raise NotFound(f"{what}: {_said(exc)}") from exc
            except (OSError, sqlite3.Error) as exc:
                raise Unavailable(f"{what}: {_said(exc)}") from exc
            except duckdb.Error as exc:
                raise told(exc, what) from exc
            except (FeastError, ValueError, TypeError) as exc:
                raise InvalidInput(f"{what}: {_said(exc)}") from exc

    def _home(self) -> Path:
        """Where relative paths count from: in Feast's sources, from the current folder."""
        home = self.repo or self.folder
        return home if home.is_dir() else Path.cwd()

    def _open(self) -> Feast:
        from feast import FeatureStore as Feast
        from feast import RepoConfig

        if self.repo is None:
            config: Mapping[str, Any] = {
                "project": "stackyard",
                "provider": "local",
                "registry": {"registry_type": "file", "path": str(self.folder / "registry.db")},
                "online_store": {"type": "sqlite", "path": str(self.folder / "online.db")},
                "offline_store": {"type": "duckdb"},
                "entity_key_serialization_version": 3,
                "repo_path": str(self.folder),
            }
            return Feast(config=RepoConfig(**config))
        feast = Feast(repo_path=str(self.repo))
        offline = feast.config.offline_store.type
        if offline != "duckdb":
            raise InvalidInput(
                f"{self._settings}: offline_store.type is {offline!r}; only 'duckdb' is supported, "
                "as the join of 'dask' and 'file' loses rows. Change it to: offline_store: "
                "{type: duckdb}"
            )
        return feast

    def _file(self, feast: Feast) -> Path | None:
        """The registry's file; None where it is a database or in a bucket."""
        registry = feast.config.registry
        if registry.registry_type != "file" or "://" in registry.path:
            return None
        return (self.repo or self.folder) / str(registry.path)


def _said(exc: Exception) -> str:
    return (str(exc).strip() or type(exc).__name__).splitlines()[0][:500]
