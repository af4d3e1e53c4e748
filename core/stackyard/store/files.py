"""The store in a folder of this machine, through the standard library alone.

An object is written to a temporary file in ``.spool`` of the same folder and then hard-linked to
its name: the link either makes the whole object or finds one there.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackyard.errors import ArtifactNotFound
from stackyard.store.backend import (
    MARKER,
    Names,
    check_key,
    check_marker,
    check_prefix,
    marker_bytes,
)
from stackyard.store.disk_errors import failed, unread
from stackyard.store.placing import NO_LINKS, Placer, prune, sync, unlink

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalBackend:
    """Objects as read-only files under ``root``; see ``backend.Backend`` for the contract."""

    def __init__(self, root: Path, *, durable: bool = False) -> None:
        self.root = root
        self.url = str(root)
        self._base = f"{root}/"
        self._placer = Placer(f"{root}/.spool", durable=durable)
        self._hasty = Placer(f"{root}/.spool", durable=False)
        self._checked = self._writable = False

    @property
    def scratch(self) -> Path:
        """A folder on the same file system, made when it is asked for."""
        self._prepare()
        return Path(self._placer.spool)

    def put_if_absent(self, key: str, data: bytes | Path, *, durable: bool = True) -> bool:
        """Write the object whole, unless there is one; a ``Path`` is moved."""
        placer = self._placer if durable else self._hasty
        target = self._base + check_key(key)
        if not self._writable:
            self._prepare()
        if isinstance(data, Path):
            return self._move(placer, key, target, data)
        source = None
        try:
            if not data:
                return placer.place_empty(target)
            source = placer.write(data)
            return placer.place(source, target)
        except OSError as exc:
            raise failed(self.root, key, exc, len(data)) from exc
        finally:
            if source is not None:
                unlink(source)

    def _move(self, placer: Placer, key: str, target: str, path: Path) -> bool:
        source, copied, size = str(path), None, 0
        try:
            facts = os.lstat(source)
            size = facts.st_size
            if stat.S_ISREG(facts.st_mode):
                os.chmod(source, 0o444)
                os.utime(source)  # a file that took hours to make is not an old object
                if placer.durable:
                    sync(source)
                try:
                    return placer.place(source, target)
                except OSError as exc:
                    if exc.errno not in {errno.EXDEV, *NO_LINKS}:
                        raise
            copied = placer.copy(source)
            return placer.place(copied, target)
        except OSError as exc:
            raise failed(self.root, key, exc, size) from exc
        finally:
            for name in (copied, source):
                if name is not None:
                    unlink(name)

    def get(self, key: str) -> bytes:
        """Return the object's bytes; raises ArtifactNotFound."""
        return self._read(key, -1)

    def get_many(self, keys: Sequence[str], limit: int | None = None) -> dict[str, bytes]:
        """Return those among ``keys`` that exist, or their first ``limit`` bytes."""
        found: dict[str, bytes] = {}
        for key in keys:
            try:
                found[key] = self._read(key, -1 if limit is None else limit)
            except ArtifactNotFound:
                continue
        return found

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        name = self._base + check_key(key)
        self._check()
        return os.path.isfile(name)

    def size(self, key: str) -> int:
        """Bytes of the object; raises ArtifactNotFound."""
        return self._stat(key).st_size

    def hashed(self, key: str) -> tuple[int, str]:
        """Bytes and BLAKE3 of the object; raises ArtifactNotFound."""
        from stackyard.store.spool import hash_file

        size = self.size(key)
        return size, hash_file(self.path(key), size)

    def modified(self, key: str) -> float:
        """When the object was written or refreshed; raises ArtifactNotFound."""
        return self._stat(key).st_mtime

    def path(self, key: str) -> Path:
        """The object's own file, which nobody may change; raises ArtifactNotFound."""
        self._stat(key)
        return Path(self._base + key)

    def list(self, prefix: str) -> Names:
        """Sorted keys of all objects that begin with ``prefix``."""
        return sorted(key for key, _ in self._walk(check_prefix(prefix)))

    def sizes(self, prefix: str) -> dict[str, tuple[int, float]]:
        """Size and time of every object that begins with ``prefix``."""
        found = {}
        for key, entry in self._walk(check_prefix(prefix)):
            try:
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # removed while it was listed
                continue
            found[key] = (facts.st_size, facts.st_mtime)
        return found

    def children(self, folder: str) -> Names:
        """Sorted names directly under ``folder``."""
        folder = check_prefix(folder).rstrip("/")
        return sorted(entry.name for entry in self._scan(f"{folder}/" if folder else ""))

    def refresh(self, key: str) -> None:
        """Make the object's time now; raises ArtifactNotFound."""
        name = self._base + check_key(key)
        copied = None
        try:
            try:
                now = time.time_ns()  # the kernel's own idea of now is some milliseconds old
                os.utime(name, ns=(now, now))
                # The kernel finds the file first and sets its time later: between the two it may
                # have been moved aside and found old. Then it is not here any more.
                os.stat(name)
            except PermissionError:  # another user's file in a shared store: ours takes its place
                copied = self._placer.copy(name)
                os.replace(copied, name)
        except _ABSENT as exc:
            raise unread(self.root, key, exc) from exc
        except OSError as exc:
            if copied is not None:
                unlink(copied)
            raise failed(self.root, key, exc) from exc

    def delete(self, key: str, *, unless_after: float | None = None) -> bool:
        """Remove the object unless it was refreshed after this time.

        It is first moved aside and then looked at, so that a refresh is either seen here or
        fails there, where the writer then puts the object again.
        """
        name = self._base + check_key(key)
        self._prepare()
        try:
            if unless_after is None:
                os.unlink(name)
            else:
                aside = self._placer.temporary()
                os.rename(name, aside)
                fresh = os.stat(aside).st_mtime > unless_after
                if fresh:
                    self._placer.place(aside, name)
                unlink(aside)
                if fresh:
                    return False
        except _ABSENT:
            return True
        except OSError as exc:
            raise failed(self.root, key, exc) from exc
        prune(name, self._base)
        return True

    def sweep(self, before: float) -> None:
        """Remove temporary files last written before this time."""
        self._placer.sweep(before)

    def _prepare(self) -> None:
        """Before the first write: check the marker, or make the store."""
        if self._writable:
            return
        self._check()
        marker = self._base + MARKER
        try:
            self._placer.make_folder(self._placer.spool)
            if not os.path.exists(marker):
                source = self._placer.write(marker_bytes())
                try:
                    self._placer.place(source, marker)
                finally:
                    unlink(source)
        except OSError as exc:
            raise failed(self.root, MARKER, exc) from exc
        self._writable = True

    def _check(self) -> None:
        """Before the first access: the store, if there is one, has a format that we read."""
        if self._checked:
            return
        try:
            with open(self._base + MARKER, "rb") as file:
                data = file.read(10_000)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise unread(self.root, MARKER, exc) from exc
        check_marker(data, self.url)
        self._checked = True

    def _read(self, key: str, limit: int) -> bytes:
        name = self._base + check_key(key)
        self._check()
        try:
            with open(name, "rb", buffering=0) as file:
                return file.read(limit)
        except OSError as exc:
            raise unread(self.root, key, exc) from exc

    def _stat(self, key: str) -> os.stat_result:
        name = self._base + check_key(key)
        try:
            facts = os.stat(name)
        except OSError as exc:
            raise unread(self.root, key, exc) from exc
        if not stat.S_ISREG(facts.st_mode):
            raise ArtifactNotFound(f"store {self.url}: there is no {key}")
        return facts

    def _scan(self, folder: str) -> Sequence[os.DirEntry[str]]:
        self._check()
        try:
            with os.scandir(self._base + folder) as entries:
                return [e for e in entries if not e.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise unread(self.root, folder, exc) from exc

    def _walk(self, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        folder, _, start = prefix.rpartition("/")
        folder = f"{folder}/" if folder else ""
        for entry in self._scan(folder):
            if not entry.name.startswith(start):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(f"{folder}{entry.name}/")
            else:
                yield folder + entry.name, entry
