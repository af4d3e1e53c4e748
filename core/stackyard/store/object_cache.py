"""Local copies of a remote store's objects, in a folder that may be deleted at any time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from stackyard.errors import StoreError
from stackyard.store.placing import Placer, unlink

_DIGEST_NAMED = re.compile(r".*/[0-9a-f]{64}")


class ObjectCache:
    """Whole read-only copies by key; only those that are named by their digest stay valid."""

    def __init__(self, url: str, cache_dir: Path) -> None:
        place = cache_dir.absolute() / "objects" / sha256(url.encode()).hexdigest()[:16]
        self.folder = str(place)
        self._placer = Placer(f"{place}/.spool", durable=False)

    @property
    def scratch(self) -> Path:
        """A folder on the disk of the cache, made when it is asked for."""
        with self._reporting():
            os.makedirs(self._placer.spool, exist_ok=True)
        return Path(self._placer.spool)

    def part(self) -> str:
        """The name of a new temporary file."""
        _ = self.scratch
        return self._placer.temporary()

    def find(self, key: str) -> Path | None:
        """The copy of a digest-named object, if there is one."""
        copy = f"{self.folder}/{key}"
        if _DIGEST_NAMED.fullmatch(key) and os.path.isfile(copy):
            return Path(copy)
        return None

    def keep(self, key: str, data: bytes | Path) -> None:
        """Keep what was just written, if named by its digest: a consumer here finds it at once."""
        if _DIGEST_NAMED.fullmatch(key) is None:
            return
        spool = self.scratch
        with self._reporting():
            if not isinstance(data, Path):
                part = self._placer.write(data)
            elif os.stat(data).st_dev == os.stat(spool).st_dev:
                part = str(data)
            else:
                part = self._placer.copy(str(data))
        self.install(part, key)

    def install(self, part: str, key: str) -> Path:
        """Make the temporary file ``part`` the copy of an object."""
        copy = f"{self.folder}/{key}"
        with self._reporting():
            os.chmod(part, 0o444)
            self._placer.make_folder(os.path.dirname(copy))
            os.replace(part, copy)
        return Path(copy)

    def drop(self, key: str) -> None:
        """Remove the copy of an object that was deleted."""
        with self._reporting():
            unlink(f"{self.folder}/{key}")

    def sweep(self, before: float) -> None:
        """Remove temporary files last written before this time."""
        self._placer.sweep(before)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            why = (exc.strerror or str(exc)).lower()
            raise StoreError(
                f"cache folder {self.folder}: {why}. Cure: free space there or give this user "
                "access to it"
            ) from exc
