"""The store behind any URL that fsspec knows and that can create an object only where none is.

On S3 that is a conditional put (``If-None-Match: *``). Credentials, region and endpoint come from
the usual environment, e.g. ``AWS_ENDPOINT_URL_S3``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from stackyard.errors import ArtifactNotFound, StoreError
from stackyard.store.backend import (
    MARKER,
    Names,
    check_key,
    check_marker,
    check_prefix,
    marker_bytes,
)
from stackyard.store.object_cache import ObjectCache
from stackyard.store.placing import unlink
from stackyard.store.remote_access import S3, error_code, file_system

T = TypeVar("T")
BLOCK = 1 << 23  # bytes asked for at once of an object that is hashed


class FsspecBackend:
    """Objects under a remote URL; see ``backend.Backend`` for the contract.

    Objects named by their digest are kept in a cache folder once they were written or read here.
    """

    def __init__(self, url: str, *, cache_dir: Path) -> None:
        self.url = url.rstrip("/")
        self._protocol = url.partition("://")[0]
        self._cache = ObjectCache(self.url, cache_dir)
        self._opened: tuple[int, Any, str] | None = None
        self._checked = self._writable = False

    @property
    def scratch(self) -> Path:
        """A folder on the disk of the cache, made when it is asked for."""
        return self._cache.scratch

    def put_if_absent(self, key: str, data: bytes | Path, *, durable: bool = True) -> bool:
        """Create the object unless there is one; a ``Path`` is uploaded and then gone."""
        check_key(key)
        if not self._writable:
            self._prepare()
        try:
            made = self._create(key, data)
            self._cache.keep(key, data)
            return made
        finally:
            if isinstance(data, Path):
                unlink(str(data))

    def get(self, key: str) -> bytes:
        """Return the object's bytes; raises ArtifactNotFound."""
        check_key(key)
        self._check()
        return self._read(key)

    def get_many(self, keys: Sequence[str], limit: int | None = None) -> dict[str, bytes]:
        """Return those among ``keys`` that exist, or their first ``limit`` bytes."""
        names = [self._name(check_key(key)) for key in keys]
        if not names:
            return {}
        self._check()

        def fetch() -> list[Any]:
            if limit is None:
                found = self._fs.cat(names, on_error="return")
                return [found[name] for name in names]
            ranges = [0] * len(names), [limit] * len(names)
            return list(self._fs.cat_ranges(names, *ranges, on_error="return"))

        answers: dict[str, bytes] = {}
        for key, answer in zip(
            keys, self._call("read", f"{len(keys)} objects", fetch), strict=True
        ):
            if isinstance(answer, bytes):
                answers[key] = answer
            elif not isinstance(answer, FileNotFoundError):
                try:  # an empty object has no range; any other failure is raised with its name
                    answers[key] = self._read(key)[:limit]
                except ArtifactNotFound:
                    continue
        return answers

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        name = self._name(check_key(key))
        return self._call("read", key, lambda: bool(self._fs.isfile(name)))

    def size(self, key: str) -> int:
        """Bytes of the object; raises ArtifactNotFound."""
        name = self._name(check_key(key))
        return int(self._call("read", key, lambda: self._fs.info(name)["size"]))

    def hashed(self, key: str) -> tuple[int, str]:
        """Bytes and BLAKE3 of the object, a block at a time; raises ArtifactNotFound."""
        import blake3

        name, found, size = self._name(check_key(key)), blake3.blake3(), 0

        def read() -> None:
            nonlocal size
            with self._fs.open(name, "rb", block_size=BLOCK) as file:
                while block := file.read(BLOCK):
                    found.update(block)
                    size += len(block)

        self._check()
        self._call("read", key, read)
        return size, found.hexdigest()

    def modified(self, key: str) -> float:
        """When the object was written or refreshed; raises ArtifactNotFound."""
        name = self._name(check_key(key))
        return self._call("read", key, lambda: float(self._fs.modified(name).timestamp()))

    def list(self, prefix: str) -> Names:
        """Sorted keys of all objects that begin with ``prefix``."""
        return sorted(self._find(prefix))

    def sizes(self, prefix: str) -> dict[str, tuple[int, float]]:
        """Size and time of every object that begins with ``prefix``."""
        found = {}
        for key, info in self._find(prefix).items():
            when = info.get("LastModified") or info.get("last_modified")
            changed = when.timestamp() if hasattr(when, "timestamp") else self.modified(key)
            found[key] = (int(info["size"]), float(changed))
        return found

    def children(self, folder: str) -> Names:
        """Sorted names directly under ``folder``."""
        name = self._name(check_prefix(folder).rstrip("/"))
        self._check()

        def names() -> Names:
            try:
                listed = self._fs.ls(name, detail=False)
            except FileNotFoundError:
                return []
            return sorted({path.rstrip("/").rpartition("/")[2] for path in listed} - {""})

        return self._call("list", folder or "the store", names)

    def refresh(self, key: str) -> None:
        """Make the object's time now; raises ArtifactNotFound."""
        name = self._name(check_key(key))
        if self._protocol in S3:  # S3 copies an object onto itself only with new metadata
            options = {"MetadataDirective": "REPLACE"}
            self._call("refresh", key, lambda: self._fs.cp_file(name, name, **options))
        else:
            data = self.get(key)
            self._call("refresh", key, lambda: self._fs.pipe_file(name, data))

    def delete(self, key: str, *, unless_after: float | None = None) -> bool:
        """Remove the object unless it was refreshed after this time.

        The look and the removal are two requests; only the grace period of a collection covers
        what happens between them.
        """
        name = self._name(check_key(key))
        try:
            if unless_after is not None and self.modified(key) > unless_after:
                return False
            self._call("delete", key, lambda: self._fs.rm_file(name))
        except ArtifactNotFound:
            pass
        self._cache.drop(key)
        return True

    def path(self, key: str) -> Path:
        """A local copy, downloaded whole or not at all; digest-named ones only once."""
        name = self._name(check_key(key))
        copy = self._cache.find(key)
        if copy is not None:
            return copy
        self._check()
        part = self._cache.part()
        try:
            self._call("read", key, lambda: self._fs.get_file(name, part))
            return self._cache.install(part, key)
        finally:
            unlink(part)

    def sweep(self, before: float) -> None:
        """Remove temporary files of the cache folder last written before this time."""
        self._cache.sweep(before)

    # The remote side

    @property
    def _fs(self) -> Any:
        """The file system of this process: connections do not survive a fork."""
        return self._open()[1]

    def _name(self, key: str) -> str:
        base = self._open()[2]
        return f"{base}/{key}" if key else base

    def _open(self) -> tuple[int, Any, str]:
        if self._opened is None or self._opened[0] != os.getpid():
            fs, base = file_system(self.url, self._protocol)
            self._opened = (os.getpid(), fs, base.rstrip("/"))
        return self._opened

    def _create(self, key: str, data: bytes | Path) -> bool:
        name = self._name(key)

        def create() -> bool:
            for tries_left in range(5, -1, -1):
                try:
                    if isinstance(data, Path) and self._fs.async_impl:
                        self._fs.put_file(str(data), name, mode="create")
                    else:
                        content = data.read_bytes() if isinstance(data, Path) else data
                        self._fs.pipe_file(name, content, mode="create")
                    return True
                except FileExistsError:
                    return False
                except OSError as exc:
                    code = error_code(exc)
                    if code in ("PreconditionFailed", "412"):
                        return False
                    if code != "ConditionalRequestConflict" or not tries_left:
                        raise
                    time.sleep(0.05)  # another writer is being decided on
            return False

        return self._call("write", key, create, missing="its bucket does not exist")

    def _read(self, key: str) -> bytes:
        return self._call("read", key, lambda: bytes(self._fs.cat_file(self._name(key))))

    def _find(self, prefix: str) -> Mapping[str, Any]:
        folder = check_prefix(prefix).rpartition("/")[0]
        base = self._name(folder)
        self._check()
        found = self._call("list", prefix, lambda: self._fs.find(base, detail=True))
        keys = {name.removeprefix(f"{self._name('')}/"): info for name, info in found.items()}
        return {key: info for key, info in keys.items() if key.startswith(prefix)}

    def _prepare(self) -> None:
        """Before the first write: check the marker, or make the store and try its promise."""
        self._check()
        if not self._checked:
            self._create(MARKER, marker_bytes())
            if self._create(MARKER, marker_bytes()):
                raise StoreError(
                    f"store {self.url}: this service overwrites where it was asked to create only "
                    "(If-None-Match: *). Use a version that honours conditional writes"
                )
        self._checked = self._writable = True

    def _check(self) -> None:
        if self._checked:
            return
        try:
            data = self._read(MARKER)
        except ArtifactNotFound:
            return
        check_marker(data, self.url)
        self._checked = True

    def _call(self, verb: str, key: str, action: Callable[[], T], missing: str = "") -> T:
        try:
            return action()
        except FileNotFoundError as exc:
            if missing:
                raise StoreError(f"store {self.url}: cannot {verb} {key}: {missing}") from exc
            raise ArtifactNotFound(f"store {self.url}: there is no {key}") from exc
        except StoreError:
            raise
        except Exception as exc:  # each service's library raises its own types
            reason = " ".join(str(exc).split()) or type(exc).__name__
            raise StoreError(
                f"store {self.url}: cannot {verb} {key}: {reason}. Cure: check the address, "
                "the credentials and the network"
            ) from exc
