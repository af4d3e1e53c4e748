"""Trees of stack files that were read before, kept by the digest of the file's bytes.

A tree from here saves a process the import and the work of a YAML parser, some 15 ms.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stackyard.store.digest import digest
from stackyard.store.kept import write_atomically
from stackyard.tree import Node, Place

_FORMAT = 1  # raise it when a file of the same bytes gives another tree
_KEPT = 200  # trees on disk; beyond that the older half goes


def known_tree(cache: Path, data: bytes, label: str) -> Node | None:
    """The tree of a file that holds ``data``, None where it is not known."""
    try:
        return _node(json.loads(_file(cache, data).read_bytes()), label)
    except (OSError, ValueError, TypeError, RecursionError):
        return None  # not there, or not ours: it is made again


def keep(cache: Path, data: bytes, root: Node) -> None:
    """Keep the tree of a file that holds ``data``, if that is possible."""
    write_atomically(_file(cache, data), json.dumps(_row(root)).encode(), keep=_KEPT)


def _file(cache: Path, data: bytes) -> Path:
    return cache / f"stacks-{_FORMAT}" / digest(data)


def _row(node: Node) -> list[Any]:
    value = node.value
    if isinstance(value, dict):
        value = {key: _row(below) for key, below in value.items()}
    elif isinstance(value, list):
        value = [_row(below) for below in value]
    key = [node.key.line, node.key.column] if node.key else None
    return [value, node.place.line, node.place.column, key]


def _node(row: Any, label: str) -> Node:
    value, line, column, key = row
    if isinstance(value, dict):
        value = {name: _node(below, label) for name, below in value.items()}
    elif isinstance(value, list):
        value = [_node(below, label) for below in value]
    return Node(value, Place(label, line, column), Place(label, *key) if key else None)
