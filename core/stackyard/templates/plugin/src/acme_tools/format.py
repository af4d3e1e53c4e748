"""The format. Here it stores a graph as text: put a type of your own in its place.

What a format must keep is numbered in Stackyard's docs/reference/formats.md. ``plugin.py`` has the
dotted names of the types that it stores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError
from stackyard.store.formats import Format, Sink, Unsuited

HEADER = b"acme-graph/1\n"  # nothing else begins so; a new layout gets another number


class Graph:
    """Names, and links from one to another."""

    def __init__(self, links: Iterable[tuple[str, str]] = ()) -> None:
        self.links = set(links)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and other.links == self.links

    def __repr__(self) -> str:
        return f"Graph({sorted(self.links)})"

    __hash__ = None  # type: ignore[assignment]  # it can be changed


class AcmeFormat(Format):
    """``Graph`` as a line that says so, and its links as JSON.

    A library that the values need is imported in ``write`` and ``read``, not above.
    """

    name: ClassVar[str] = "acme"
    suffix: ClassVar[str] = ".graph"

    def write(self, value: Any, sink: Sink) -> None:
        """Write the links in an order that does not depend on how they came to be."""
        if type(value) is not Graph:
            raise Unsuited(f"{type(value).__name__} may have more than a Graph")
        sink.write(HEADER)
        sink.write(json.dumps(sorted(value.links)).encode())

    def read(self, path: Path) -> Any:
        """Return a graph of its own; what cannot be read is an error, never another graph."""
        data = path.read_bytes()
        if not data.startswith(HEADER):
            raise StoreError(f"{path.name[:12]} is not of format acme-graph/1")
        return Graph((one, other) for one, other in json.loads(data[len(HEADER) :]))
