"""How a stack file is laid over the one that it extends."""

from __future__ import annotations

from dataclasses import replace

from stackyard.tree import Node, Route

# Mappings that are replaced whole when the child names another implementation by this key.
_IDENTITY = {"components": "flavor", "resources": "class"}


def merge(parent: Node, child: Node) -> Node:
    """Return ``parent`` with ``child`` over it.

    Mappings are merged deeply, lists and scalars replaced, null removes. A component that names
    another flavor, and a resource that names another class, replaces the inherited one whole.
    """
    return _merge(parent, child, ())


def _merge(parent: Node, child: Node, route: Route) -> Node:
    if not isinstance(parent.value, dict) or not isinstance(child.value, dict):
        return child
    if len(route) == 2 and route[0] in _IDENTITY:
        identity = _IDENTITY[str(route[0])]
        other = child.get(identity)
        mine = parent.get(identity)
        if other is not None and (mine is None or other.value != mine.value):
            return child
    merged: dict[str, Node] = dict(parent.value)
    for key, node in child.value.items():
        here = (*route, key)
        if key in parent.value:
            if node.value is None and not null_is_a_value(here):
                del merged[key]
                continue
            node = _merge(parent.value[key], node, here)
        merged[key] = node
    return replace(child, value=merged)


def null_is_a_value(route: Route) -> bool:
    """Whether null at ``route`` says something itself: no schedule, a parameter that is null."""
    if not route or route[0] != "pipelines":
        return False
    return route[2:] == ("schedule",) or (len(route) == 4 and route[2] == "params")


def without_nulls(node: Node) -> Node:
    """``node`` without the sections, components, resources and pipelines that are null."""
    kept: dict[str, Node] = {}
    for key, section in node.items().items():
        if section.value is None:
            continue
        if isinstance(section.value, dict) and key in ("components", "resources", "pipelines"):
            entries = {k: n for k, n in section.value.items() if n.value is not None}
            section = replace(section, value=entries)
        kept[key] = section
    return replace(node, value=kept)
