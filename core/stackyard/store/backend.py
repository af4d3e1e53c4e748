"""Where the store keeps its objects: two primitives, ``put_if_absent`` and ``get``, and listing.

An object is immutable: it is there whole or not at all, and nothing replaces it. Keys are relative
paths of plain names. ``open_backend`` picks the backend by URL: a folder through the standard
library (``LocalBackend``), anything else through fsspec (``remote.FsspecBackend``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from stackyard.errors import StoreError

MARKER = "stackyard-store.json"
FORMAT = 1
REFRESH_AFTER = 3600.0  # seconds; content saved again is refreshed when it is older than this

Names: TypeAlias = list[str]  # a method is called list

DIGEST = re.compile(r"[0-9a-f]{64}")
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.@=+,-]{0,199}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_PREFIX = re.compile(rf"(?:{_SEGMENT}/)*(?:{_SEGMENT})?")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


class Backend(Protocol):
    """Contract of a place for objects. Every failure is a StoreError of one line."""

    url: str

    @property
    def scratch(self) -> Path:
        """A local folder for files under way; on the store's own disk if the store is local."""

    def put_if_absent(self, key: str, data: bytes | Path, *, durable: bool = True) -> bool:
        """Write the object whole, unless there is one; return whether this call wrote it.

        A ``Path`` is a file that the caller gives away: it is moved, uploaded or removed, and
        gone afterwards whatever the answer. Of several racing writers exactly one gets True.
        ``durable=False``: a power loss may take the object also where the store is durable.
        """

    def get(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            ArtifactNotFound: there is no such object.
        """

    def get_many(self, keys: Sequence[str], limit: int | None = None) -> dict[str, bytes]:
        """Return those among ``keys`` that exist, or their first ``limit`` bytes.

        Remote ones are read concurrently.
        """

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def list(self, prefix: str) -> Names:
        """Sorted keys of all objects that begin with ``prefix`` (usually ``folder/``)."""

    def children(self, folder: str) -> Names:
        """Sorted names directly under ``folder``, of objects and of folders alike."""

    def size(self, key: str) -> int:
        """Bytes of the object; raises ArtifactNotFound."""

    def hashed(self, key: str) -> tuple[int, str]:
        """Bytes and BLAKE3 of the store's own object, read whole and not from any cache.

        Raises:
            ArtifactNotFound: there is no such object.
        """

    def modified(self, key: str) -> float:
        """When the object was written or refreshed, seconds since the epoch."""

    def sizes(self, prefix: str) -> dict[str, tuple[int, float]]:
        """Size and time of every object that begins with ``prefix``, in one listing."""

    def refresh(self, key: str) -> None:
        """Make the object's time now, so that collection beside a writer leaves it alone.

        Raises:
            ArtifactNotFound: it is gone; write it again.
        """

    def delete(self, key: str, *, unless_after: float | None = None) -> bool:
        """Remove the object unless it was refreshed after this time; return whether it is gone."""

    def sweep(self, before: float) -> None:
        """Remove temporary files last written before this time: their writers were killed."""

    def path(self, key: str) -> Path:
        """A local read-only file with the object's bytes; remote ones are downloaded once."""


def open_backend(url: str | Path, *, cache_dir: Path, durable: bool = False) -> Backend:
    """Return the backend for ``url``: a path, ``file://...`` or any URL that fsspec knows.

    Nothing is read or written before the first call of a method. ``durable``: a write that has
    returned survives a power loss (a remote store decides that for itself).
    """
    text = str(url)
    if text.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        text = unquote(urlsplit(text).path)
    if _URL.match(text):
        from stackyard.store.remote import FsspecBackend

        return FsspecBackend(text, cache_dir=cache_dir)
    from stackyard.store.files import LocalBackend

    return LocalBackend(Path(text).expanduser().absolute(), durable=durable)


def check_key(key: str) -> str:
    """Return ``key`` if it is a relative path of plain names.

    Raises:
        StoreError: it is absolute, leaves the store, or holds a character outside the list.
    """
    if len(key) > 800 or _KEY.fullmatch(key) is None:
        raise StoreError(
            f"store key {key[:200]!r}: use names of ASCII letters, digits and _ . @ = + , - "
            "joined by /, none beginning with a dot"
        )
    return key


def artifact_key(digest: str) -> str:
    """Where the artifact with this digest is.

    Raises:
        StoreError: it is not a digest of 64 hexadecimal characters.
    """
    if DIGEST.fullmatch(digest) is None:
        raise StoreError(f"{digest[:80]!r} is not a digest of 64 hexadecimal characters")
    return f"artifacts/{digest[:2]}/{digest}"


def check_prefix(prefix: str) -> str:
    """Like ``check_key``, for the beginning of a key; it may be empty or end with ``/``."""
    if len(prefix) > 800 or _PREFIX.fullmatch(prefix) is None:
        raise StoreError(f"store prefix {prefix[:200]!r}: it cannot begin any key")
    return prefix


def marker_bytes() -> bytes:
    """The content of the file that marks a folder as a store."""
    about = "A Stackyard store. Objects are immutable; remove them with: stackyard runs gc"
    return json.dumps({"format": FORMAT, "about": about}).encode() + b"\n"


def check_marker(data: bytes, url: str) -> None:
    """Raise StoreError unless the store's format is one that this version reads."""
    try:
        found = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError) as exc:
        raise StoreError(f"store {url}: {MARKER} cannot be read: {exc}") from exc
    if found != FORMAT:
        raise StoreError(
            f"store {url}: its format is {found!r}; this version of stackyard reads {FORMAT}. "
            "Install a newer stackyard or choose another store"
        )
