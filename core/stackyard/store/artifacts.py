"""Artifacts: immutable values, files and folders, addressed by the BLAKE3 of their bytes.

Keys in the store: ``artifacts/<first two characters>/<digest>``. A digest is of the bytes only;
which format wrote them stands in their first characters, and again in the ``ArtifactRef``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from stackyard.errors import (
    ArtifactNotFound,
    DigestMismatch,
    StackyardError,
    StoreError,
    Unstorable,
)
from stackyard.location import said
from stackyard.store.backend import REFRESH_AFTER, Backend, artifact_key
from stackyard.store.formats import folder, parts
from stackyard.store.formats.base import (
    CompositeFormat,
    FormatRegistry,
    Unsuited,
    dotted_name,
)
from stackyard.store.records import ArtifactRef
from stackyard.store.spool import Spool, hash_file

_MADE_OF = {folder.HEADER: folder.references, parts.HEADER: parts.references}
_Identity: TypeAlias = tuple[int, int, int]  # inode, size, modification time


class Artifacts:
    """Saves and loads values.

    What this process wrote or verified is not hashed again as long as the file's inode, size and
    modification time stay the same; anything else is verified before it is deserialised.
    """

    def __init__(
        self,
        backend: Backend,
        formats: FormatRegistry,
        *,
        pickle_allowed: bool = True,
        cache_dir: Path | None = None,
    ) -> None:
        self.backend = backend
        self.formats = formats
        self.pickle_allowed = pickle_allowed
        self._cache_dir = cache_dir
        self._verified: dict[str, tuple[str, _Identity]] = {}
        self._local = "://" not in backend.url

    def save(self, value: Any, *, hint: str | None = None) -> ArtifactRef:
        """Store ``value`` in the format that fits it best, or in the one called ``hint``.

        Content that the store has already is not written again.

        Raises:
            Unstorable: no format can hold the value.
            StoreError: the store cannot be written.
        """
        asked = (self.formats.named(hint),) if hint else self.formats.candidates(value)
        refused: list[str] = []
        for chosen in asked:
            if chosen.runs_code and not self.pickle_allowed:
                continue
            with Spool(self.backend) as spool:
                try:
                    if isinstance(chosen, CompositeFormat):
                        chosen.write_parts(value, spool, self)
                    else:
                        chosen.write(value, spool)
                except Unsuited as exc:
                    refused.append(str(exc))
                    continue
                digest = self._commit(spool)
            return ArtifactRef(digest, chosen.name, _type_name(value), spool.size)
        raise Unstorable(self._refusal(value, refused))

    def load(self, ref: ArtifactRef) -> Any:
        """Read a value back; the caller may change it without anybody else seeing that.

        Raises:
            ArtifactNotFound: the store has no such artifact.
            DigestMismatch: its bytes are not those that were written; nothing was deserialised.
            StoreError: the format cannot read what was written, or is not installed.
        """
        reader = self.formats.named(ref.format)
        if reader.runs_code and not self.pickle_allowed:
            raise StoreError(
                f"artifact {ref.digest[:12]} ({ref.type}) is stored as {ref.format}, "
                "which this stack refuses (pickle: forbid)"
            )
        path = self.path(ref.digest)
        try:
            if isinstance(reader, CompositeFormat):
                return reader.read_parts(path, self)
            return reader.read(path)
        except StackyardError:
            raise
        # A plugin's code may raise anything at bytes that it does not know.
        except Exception as exc:
            raise StoreError(
                f"artifact {ref.digest[:12]} ({ref.type}) cannot be read as {ref.format}: "
                f"{said(exc)}. Run the step that made it again with --no-cache"
            ) from exc

    def keep(self, path: Path) -> str:
        """Store a file or a folder as it is; return its digest.

        The digest of a file is of its bytes, that of a folder of its manifest (see ``folder``).
        """
        if path.is_file() and not _begins(path, b"stackyard-"):
            return self.keep_file(path)
        with Spool(self.backend) as spool:
            spool.write(folder.describe(path, self))
            return self._commit(spool)

    def keep_file(self, path: Path) -> str:
        """Store the bytes of a file; return their digest."""
        with Spool(self.backend) as spool:
            spool.copy(path)
            return self._commit(spool)

    def fetch(self, digest: str) -> Path:
        """Return the local path of a kept file or folder, to be read only."""
        path = self.path(digest)
        return folder.unfold(path.read_bytes(), self) if _begins(path, folder.HEADER) else path

    def references(self, digests: Iterable[str]) -> set[str]:
        """Return the digests of all artifacts that these are made of, directly or through others.

        Folders are made of files and containers of their members; what keeps the one keeps the
        other. Those that the store does not have are passed over.

        Raises:
            DigestMismatch: one of them is damaged, so that what it is made of is not known.
        """
        found: set[str] = set()
        wave = set(digests)
        while wave:
            keys = sorted(map(artifact_key, wave))
            begin = self.backend.get_many(keys, limit=len(max(_MADE_OF, key=len)))
            made = {k: _MADE_OF[h] for k, d in begin.items() for h in _MADE_OF if d.startswith(h)}
            whole = self.backend.get_many(sorted(made))
            wave = {d for k, data in whole.items() for d in self._listed(k, data, made[k])} - found
            found |= wave
        return found

    def path(self, digest: str) -> Path:
        """Return the verified local file of an artifact. It is the store's own: never write to it.

        Raises:
            ArtifactNotFound: the store has no such artifact.
            DigestMismatch: its bytes are not those that were written.
        """
        key = artifact_key(digest)
        path = self.backend.path(key)
        if self.holds(digest, path):
            return path
        if not self._local:  # a damaged copy in the cache folder; the store's own may be well
            path.unlink(missing_ok=True)
            path = self.backend.path(key)
            if self.holds(digest, path):
                return path
        raise DigestMismatch(
            f"artifact {digest[:12]}: {path} holds other bytes than were written; "
            "nothing was read. Delete that file and run the step that made it again with --no-cache"
        )

    def holds(self, digest: str, path: Path) -> bool:
        """Whether a local file has the bytes that ``digest`` names; each is hashed once."""
        name = str(path)
        identity = _identity(name)
        if self._verified.get(name) == (digest, identity):
            return True
        if hash_file(path, identity[1]) != digest:
            return False
        self._verified[name] = digest, identity
        return True

    @property
    def cache_dir(self) -> Path:
        """Where folders are laid out; by default the user's cache folder."""
        if self._cache_dir is None:
            import platformdirs

            self._cache_dir = platformdirs.user_cache_path("stackyard")
        return self._cache_dir

    def _commit(self, spool: Spool) -> str:
        digest = spool.finish()
        key = artifact_key(digest)
        for _ in range(3):  # a damaged or just deleted predecessor may be in the way
            try:
                look = self._local or spool.path is not None  # elsewhere it is a request more
                known = look and self.backend.exists(key)
                if not known and self.backend.put_if_absent(key, spool.take()):
                    if self._local:
                        self._note(digest, f"{self.backend.url}/{key}")
                    return digest
                if self._renew(digest, key, spool.size):
                    return digest
            except ArtifactNotFound:
                continue
        raise StoreError(f"store {self.backend.url}: {key} is removed while it is being written")

    def _renew(self, digest: str, key: str, size: int) -> bool:
        """Check and freshen content that is there already; False where it had to be deleted."""
        path = self.backend.path(key) if self._local else None
        sound = self.holds(digest, path) if path else self.backend.size(key) == size
        if not sound:
            self.backend.delete(key)
        elif self._local or time.time() - self.backend.modified(key) > REFRESH_AFTER:
            self.backend.refresh(key)
            if path:
                self._note(digest, str(path))
        return sound

    def _listed(self, key: str, data: bytes, read: Callable[[bytes], list[str]]) -> list[str]:
        """The digests that an artifact lists as its parts."""
        import blake3

        if blake3.blake3(data).hexdigest() != key.rpartition("/")[2]:
            raise DigestMismatch(
                f"store {self.backend.url}: {key} holds other bytes than were written, so its "
                "parts are not known. Delete it and run the step that made it again with --no-cache"
            )
        try:
            return read(data)
        except (StoreError, ValueError, LookupError, TypeError, AttributeError):
            return []  # a user's file that only begins like one of ours

    def _note(self, digest: str, name: str) -> None:
        self._verified[name] = digest, _identity(name)

    def _refusal(self, value: Any, refused: list[str]) -> str:
        have = ", ".join(n for n in self.formats.names if not self.formats.named(n).runs_code)
        why = f"{refused[0]}. " if refused else ""  # of the format that fits best
        return (
            f"cannot store a value of type {_type_name(value)}: {why}It needs pickle, which this "
            f"stack refuses (pickle: forbid). Formats: {have}"
        )


def _identity(name: str) -> _Identity:
    try:
        status = os.stat(name)
    except FileNotFoundError:
        raise ArtifactNotFound(f"there is no {name} in the store") from None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _begins(path: Path, head: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(head)) == head


def _type_name(value: Any) -> str:
    return dotted_name(type(value)).removeprefix("builtins.")
