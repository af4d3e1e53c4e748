"""Plain values as canonical, tagged JSON.

JSON's own types stand for themselves; everything else is ``{"$": tag, "v": ...}``. Equal values
give equal bytes: sets and dictionaries are sorted by the encoding of their members, so the order
of a dictionary is not content (``OrderedDict`` keeps it), nor that an object occurs twice. ``1``,
``1.0`` and ``True`` are different values, so are ``0.0`` and ``-0.0``; every NaN is the same. A
``Path`` inside a value is text; a ``Path`` by itself is stored with what it names (``folder``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError
from stackyard.store.formats.base import Format, Sink, Unsuited, header
from stackyard.store.formats.tagged import Decoder, Encoder

_HEADER = header("plain/1")


class PlainFormat(Format):
    """Numbers, text, containers, dates, dataclasses, NamedTuples, enums."""

    name: ClassVar[str] = "plain"

    def write(self, value: Any, sink: Sink) -> None:
        """Write ``value``, or raise Unsuited naming the type inside it that is not plain."""
        sink.write(_HEADER + dumps(value))

    def read(self, path: Path) -> Any:
        """Read the value back; classes are imported by name and never called."""
        data = path.read_bytes()
        if not data.startswith(_HEADER):
            raise StoreError(f"{path.name[:12]} is not of format plain/1")
        return loads(data[len(_HEADER) :])


def dumps(value: Any, encoder: Encoder | None = None) -> bytes:
    """Canonical tagged JSON of a plain value.

    Raises:
        Unsuited: it holds something that is not plain, refers to itself or is nested too deeply.
    """
    try:
        tree = (encoder or Encoder()).encode(value)
        text = json.dumps(
            tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
        )
    except RecursionError:
        raise Unsuited("the value refers to itself or is nested too deeply") from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return text.encode("utf-8", "surrogatepass")


def loads(data: bytes, decoder: Decoder | None = None) -> Any:
    """Read what ``dumps`` wrote."""
    tree = json.loads(data.decode("utf-8", "surrogatepass"))
    if b'"$"' not in data:
        return tree  # no tags: JSON says it all
    return (decoder or Decoder()).decode(tree)
