"""The digest by which content is named: in the store, in cache keys and in records."""

from __future__ import annotations


def digest(data: bytes | str) -> str:
    """BLAKE3, 64 hexadecimal characters."""
    import blake3

    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return blake3.blake3(raw).hexdigest()
