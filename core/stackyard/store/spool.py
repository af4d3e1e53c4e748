"""What is being written: hashed on the way, in memory while small, then in a temporary file."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import BinaryIO

from stackyard.errors import StoreError
from stackyard.store.backend import Backend
from stackyard.store.formats.base import Buffer

SMALL = 64 * 1024  # below, a value goes to the store from memory
LARGE = 1 << 23  # from here on, several threads verify a file
CHUNK = 1 << 20  # hashed and written while it is in the processor's cache


class Spool:
    """Collects what a format writes: in memory while it is small, then in a temporary file."""

    def __init__(self, backend: Backend) -> None:
        import blake3

        self.size = 0
        self.path: Path | None = None
        self.data = b""
        self._backend = backend
        self._small: list[bytes] = []
        self._file: BinaryIO | None = None
        self._hash = blake3.blake3()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk was reported when it was written
                self._file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)  # moved away where it was taken

    def write(self, data: Buffer) -> None:
        """Hash and store the bytes of a contiguous buffer."""
        view = memoryview(data)
        if not view.nbytes:
            return
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        self.size += view.nbytes
        if self._file is None and self.size < SMALL:
            self._small.append(bytes(view))
            return
        try:
            self._spill(view)
        except OSError as exc:
            raise self._failed(exc) from exc

    def _spill(self, view: memoryview) -> None:
        if self._file is None:
            import tempfile

            handle, name = tempfile.mkstemp(prefix=".writing-", dir=self._backend.scratch)
            self.path = Path(name)
            self._file = os.fdopen(handle, "wb")
            for part in self._small:
                self._put(memoryview(part))
            self._small = []
        for start in range(0, view.nbytes, CHUNK):
            self._put(view[start : start + CHUNK])

    def _put(self, view: memoryview) -> None:
        assert self._file is not None
        self._hash.update(view)
        self._file.write(view)

    def copy(self, path: Path) -> None:
        """Append a file."""
        try:
            with path.open("rb") as source:
                while chunk := source.read(CHUNK):
                    self.write(chunk)
        except OSError as exc:
            raise StoreError(f"cannot read {path}: {exc.strerror}") from exc

    def take(self) -> bytes | Path:
        """Give away what was written.

        Raises:
            StoreError: it was given away before, and a damaged file was found in its place.
        """
        if self.path is None:
            return self.data
        if not self.path.exists():
            raise StoreError(f"{self.path} is gone; try again")
        return self.path

    def finish(self) -> str:
        """Close the file and return the digest."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as exc:
                raise self._failed(exc) from exc
        else:
            self.data = b"".join(self._small)
            self._hash.update(self.data)
        return self._hash.hexdigest()

    def _failed(self, exc: OSError) -> StoreError:
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = "free space there (stackyard runs gc)" if full else "let this user write there"
        return StoreError(
            f"store {self._backend.url}: cannot write an artifact to {self._backend.scratch}: "
            f"{exc.strerror}. Cure: {cure}"
        )


def hash_file(path: Path, size: int) -> str:
    """BLAKE3 of a file of ``size`` bytes; a large one is mapped and hashed by several threads."""
    import blake3

    if size < SMALL:
        return blake3.blake3(path.read_bytes()).hexdigest()
    threads = blake3.blake3.AUTO if size >= LARGE else 1
    return blake3.blake3(max_threads=threads).update_mmap(path).hexdigest()
