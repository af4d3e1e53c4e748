"""Values of a stack file as a tree in which each knows its file, line and column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Route: TypeAlias = tuple[str | int, ...]  # keys and positions from the top, e.g. ("vars", "host")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the places of itself and of the key that names it.

    ``value`` is a scalar, a list of nodes, a mapping of keys to nodes, or, once references are
    understood, a ``references.Template``.
    """

    value: Any
    place: Place
    key: Place | None = field(default=None)

    @property
    def named_at(self) -> Place:
        """Where its key stands, else where it begins."""
        return self.key or self.place

    def get(self, key: str) -> Node | None:
        """The node under ``key`` of a mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Mapping[str, Node]:
        """The entries of a mapping."""
        assert isinstance(self.value, dict)
        return self.value

    def plain(self) -> Any:
        """The value without places; references as they are written."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value if isinstance(self.value, str | int | float | None) else str(self.value)

    def leaves(self, route: Route = ()) -> Iterator[tuple[Route, Node]]:
        """Every scalar and every empty list or mapping, with its route."""
        if isinstance(self.value, dict) and self.value:
            for key, node in self.value.items():
                yield from node.leaves((*route, key))
        elif isinstance(self.value, list) and self.value:
            for position, node in enumerate(self.value):
                yield from node.leaves((*route, position))
        else:
            yield route, self

    def at(self, route: Route) -> Node | None:
        """The node at ``route``, None where there is none."""
        node: Node | None = self
        for part in route:
            if node is None:
                return None
            if isinstance(node.value, list):
                inside = isinstance(part, int) and part < len(node.value)
                node = node.value[int(part)] if inside else None
            else:
                node = node.get(str(part))
        return node


def kind_of(value: Any) -> str:
    """What a value is, in the words of a YAML file."""
    if value is None:
        return "null"
    for kind, word in (
        (bool, "true or false"), (int, "a whole number"), (float, "a number"), (str, "text"),
        (dict, "a mapping"), (list, "a list"),
    ):  # fmt: skip
        if isinstance(value, kind):
            return word
    return "text"
