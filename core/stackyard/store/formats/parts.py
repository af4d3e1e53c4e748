"""Containers of values that are not plain: a dictionary of frames, a model and its scores.

The container is tagged JSON as in ``plain``; each member that is not plain is an artifact of its
own, in its own format, and stands there by digest. Equal members are stored once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError
from stackyard.store.formats.base import CompositeFormat, Parts, Sink, Unsuited, header
from stackyard.store.formats.plain import dumps, loads
from stackyard.store.formats.tagged import Decoder, Encoder, Tree
from stackyard.store.records import ArtifactRef

HEADER = header("parts/1")
MANY = 64  # members that need pickle; beyond, one pickle of the whole is better


class PartsFormat(CompositeFormat):
    """Plain containers, dataclasses and NamedTuples whose members have formats of their own."""

    name: ClassVar[str] = "parts"

    def write_parts(self, value: Any, sink: Sink, store: Parts) -> None:
        """Store the members, then the container."""
        pickled = 0

        def leaf(member: Any) -> Tree:
            nonlocal pickled
            if member is value:
                raise Unsuited("")
            ref = store.save(member)
            pickled += ref.format == "pickle"
            if pickled > MANY:
                raise Unsuited(f"more than {MANY} members need pickle")
            return {"$": "artifact", "v": [ref.digest, ref.format, ref.size]}

        sink.write(HEADER + dumps(value, Encoder(leaf)))

    def read_parts(self, path: Path, store: Parts) -> Any:
        """Read the container and its members."""
        return loads(_body(path.read_bytes()), Decoder(lambda v: store.load(_ref(v))))


def references(data: bytes) -> list[str]:
    """Digests of the members."""
    return [body[0] for body in _artifacts(json.loads(_body(data)))]


def _artifacts(tree: Tree) -> Iterator[Any]:
    if isinstance(tree, list):
        for member in tree:
            yield from _artifacts(member)
    elif isinstance(tree, dict):
        if tree.get("$") == "artifact":
            yield tree["v"]
        else:
            yield from _artifacts(list(tree.values()))


def _ref(body: Any) -> ArtifactRef:
    return ArtifactRef(digest=body[0], format=body[1], type="", size=body[2])


def _body(data: bytes) -> bytes:
    if not data.startswith(HEADER):
        raise StoreError("this artifact is not of format parts/1")
    return data[len(HEADER) :]
