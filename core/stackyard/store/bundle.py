"""Bundles: a project's code as one artifact, so that all tasks of a run run the same code.

A bundle is a file as ``packing`` writes it: equal code gives an equal digest. It is kept among the
artifacts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stackyard.errors import ArtifactNotFound, DigestMismatch, StoreError
from stackyard.store.backend import REFRESH_AFTER, Backend, artifact_key
from stackyard.store.packing import Member, pack, unpack

_ACCESS = ". Cure: make the folder this user's own"
_CURES = {
    errno.ENOSPC: ". Cure: free space there",
    errno.EDQUOT: ". Cure: free space there",
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
}


class Bundles:
    """The bundles in a store, and the folders in the cache where they are opened."""

    def __init__(self, backend: Backend, cache_dir: Path) -> None:
        self.backend = backend
        user = "" if sys.platform == "win32" else f"-{os.geteuid()}"
        self.folder = cache_dir / f"bundles{user}"  # each user's own: see open

    def put(self, root: Path, code_roots: Sequence[Path]) -> str:
        """Keep the project's code in the store; return its digest.

        Raises:
            UsageError: see ``pack``.
        """
        import blake3

        data = pack(root, code_roots)
        digest: str = blake3.blake3(data).hexdigest()
        key = artifact_key(digest)
        for _ in range(3):
            if self.backend.put_if_absent(key, data):
                return digest
            try:
                if time.time() - self.backend.modified(key) > REFRESH_AFTER:
                    self.backend.refresh(key)
                return digest
            except ArtifactNotFound:  # collected between the two calls
                continue
        raise StoreError(f"store {self.backend.url}: {key} is deleted as often as it is written")

    def open(self, digest: str) -> Path:
        """Return a folder with the project's code at the same relative paths.

        It is extracted once, whole or not at all, and compared with the bundle whenever it is
        opened: what runs is what the digest names. Other users cannot write to the folder around
        it, so it stays as it was compared; what this user's own processes may do to it afterwards
        is not prevented.

        Raises:
            ArtifactNotFound: there is no such bundle.
            DigestMismatch: the bundle is damaged; nothing was extracted.
            StoreError: it cannot be read or extracted.
        """
        import blake3

        data = self.backend.get(artifact_key(digest))
        if blake3.blake3(data).hexdigest() != digest:
            raise DigestMismatch(
                f"store {self.backend.url}: bundle {digest[:12]} is damaged. Start a new run; "
                "it packs the project's code again"
            )
        members = unpack(data, digest)
        target = self.folder / digest
        try:
            self._make_private()
            for _ in range(5):
                if _same(target, members):
                    return target
                self._extract(members, target)
        except OSError as exc:
            why = (exc.strerror or str(exc)).lower()
            cure = _CURES.get(exc.errno or 0, "")
            raise StoreError(
                f"cannot open bundle {digest[:12]} in {self.folder}: {why}{cure}"
            ) from exc
        raise StoreError(f"{target} is changed as often as it is written")

    def bytecode(self, digest: str) -> Path:
        """The folder beside an opened bundle for what Python compiles of it."""
        return self.folder / f"{digest}.bytecode"

    def _make_private(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if sys.platform != "win32" and self.folder.stat().st_uid not in (os.geteuid(), 0):
            raise PermissionError(errno.EPERM, "it belongs to another user")
        with contextlib.suppress(OSError):  # not every file system has modes
            self.folder.chmod(0o700)

    def _extract(self, members: Sequence[Member], target: Path) -> None:
        """Write beside the target and rename; a damaged folder is moved out of the way."""
        import shutil

        aside = self.folder / f".{os.urandom(8).hex()}"
        old = aside.with_suffix(".old")
        try:
            aside.mkdir()
            for name, content, mode in members:
                path = aside / name
                if content is None:
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(mode)
            try:
                aside.rename(target)
            except OSError:  # another process was first, or it is there and damaged
                if not target.is_dir():
                    raise
                if not _same(target, members):
                    _exchange(target, aside, old)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def _same(folder: Path, members: Sequence[Member]) -> bool:
    """Whether the folder holds these files with these bytes, and no others.

    What processes that a step started compiled there is removed: Python would run it unread.
    """
    wanted = {name: content for name, content, _ in members}
    folders = {name[:end] for name in wanted for end in range(len(name)) if name[end] == "/"}
    folders |= {name for name, content in wanted.items() if content is None}
    try:
        found = _listing(folder, "")
        compiled = {name for name in found if name.endswith("/__pycache__")} - folders
        for name in compiled:
            import shutil

            shutil.rmtree(folder / name, ignore_errors=True)  # as others may do right now
            if os.path.lexists(folder / name):
                return False
        return found - compiled == wanted.keys() | folders and all(
            (folder / name).is_dir() if content is None else (folder / name).read_bytes() == content
            for name, content in wanted.items()
        )
    except OSError:
        return False


def _listing(folder: Path | str, prefix: str) -> set[str]:
    """Everything below an opened bundle; what is in ``__pycache__`` counts as one.

    A link, which no bundle holds, is listed with a slash at the end, as no file or folder is.
    """
    found = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            found.add(f"{name}/" if entry.is_symlink() else name)
            if entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
                found |= _listing(entry.path, f"{name}/")
    return found


def _exchange(target: Path, new: Path, old: Path) -> None:
    """Put ``new`` in the place of a folder that other processes may be using or exchanging."""
    with contextlib.suppress(FileNotFoundError):
        target.rename(old)
    with contextlib.suppress(OSError):  # another process was faster; who opens looks again
        new.rename(target)
