"""Giving a file its final name at once, or not at all: what the local store is made of."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


class Placer:
    """Writes temporary files in the folder ``spool`` and places them on the same file system.

    ``durable``: what has returned survives a power loss.
    """

    def __init__(self, spool: str, *, durable: bool) -> None:
        self.spool = spool
        self.durable = durable
        self._links = True

    def temporary(self) -> str:
        """A new name in the spool."""
        return f"{self.spool}/{os.urandom(12).hex()}"

    def write(self, data: bytes) -> str:
        """Write a read-only temporary file; return its name. On failure nothing is left."""
        name = self.temporary()
        try:
            handle = os.open(name, _NEW, 0o444)
        except FileNotFoundError:  # somebody removed the spool
            os.makedirs(self.spool, exist_ok=True)
            handle = os.open(name, _NEW, 0o444)
        try:
            try:
                done = os.write(handle, data) if data else 0
                while done < len(data):
                    done += os.write(handle, memoryview(data)[done:])
                if self.durable:
                    os.fsync(handle)
            finally:
                os.close(handle)
        except BaseException:  # a full disk or Ctrl-C alike: nothing half written stays
            unlink(name)
            raise
        return name

    def copy(self, source: str) -> str:
        """Copy a file into the spool; return its name there. On failure nothing is left."""
        import shutil

        name = self.temporary()
        try:
            shutil.copyfile(source, name)
            os.chmod(name, 0o444)
            if self.durable:
                sync(name)
        except BaseException:  # as above
            unlink(name)
            raise
        return name

    def place(self, source: str, target: str) -> bool:
        """Give the file ``source`` the name ``target`` as well, if that is free."""
        return self._with_folder(lambda: self._link(source, target), target)

    def place_empty(self, target: str) -> bool:
        """Make an empty file, if the name is free: that is atomic without a temporary one."""

        def create() -> bool:
            try:
                os.close(os.open(target, _NEW, 0o444))
            except FileExistsError:
                return False
            return True

        return self._with_folder(create, target)

    def make_folder(self, folder: str) -> None:
        """Make a folder and its parents; durable: each new name is synced into its parent."""
        try:
            os.mkdir(folder)
        except FileExistsError:
            return
        except FileNotFoundError:
            self.make_folder(os.path.dirname(folder))
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder)
        if self.durable:
            sync(os.path.dirname(folder))

    def sweep(self, before: float) -> None:
        """Remove what writers that were killed left in the spool."""
        try:
            names = os.listdir(self.spool)
        except FileNotFoundError:
            return
        for name in names:
            path = f"{self.spool}/{name}"
            with contextlib.suppress(FileNotFoundError):
                if name != "lock" and os.stat(path).st_mtime < before:
                    os.unlink(path)

    def _with_folder(self, action: Callable[[], bool], target: str) -> bool:
        try:
            made = action()
        except FileNotFoundError:
            made = self._make_and_retry(action, target)
        if self.durable:  # also where another writer was first: it may not have got this far
            if not made:
                sync(target)
            sync(os.path.dirname(target))
        return made

    def _make_and_retry(self, action: Callable[[], bool], target: str) -> bool:
        for tries_left in range(20, -1, -1):  # collection removes folders that became empty
            try:
                self.make_folder(os.path.dirname(target))
                return action()
            except FileNotFoundError:
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    def _link(self, source: str, target: str) -> bool:
        if self._links:
            try:
                os.link(source, target)
                return True
            except FileExistsError:
                # A network file system may answer a request that it repeated: was it ours?
                return os.path.samefile(source, target)
            except OSError as exc:
                if exc.errno not in NO_LINKS or not source.startswith(self.spool):
                    raise
                self._links = False
        return self._rename_locked(source, target)

    def _rename_locked(self, source: str, target: str) -> bool:
        """Where there are no hard links: one writer at a time looks and renames.

        The kernel gives the lock back when its holder dies.
        """
        import fcntl

        with open(f"{self.spool}/lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.lexists(target):
                return False
            os.rename(source, target)
            return True


def prune(name: str, root: str) -> None:
    """Remove the folders below ``root`` that the removed file ``name`` leaves empty."""
    folder = os.path.dirname(name)
    while len(folder) > len(root):
        try:
            os.rmdir(folder)
        except OSError:  # not empty, or somebody else was faster
            return
        folder = os.path.dirname(folder)


def sync(name: str) -> None:
    """Bring a file or folder to the disk."""
    handle = os.open(name, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unlink(name: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
