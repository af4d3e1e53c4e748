"""Stacks as people and programs read them: the merged tree, values and their places."""

from __future__ import annotations

import json
from typing import Any

from stackyard.profile import KEYS, Profile
from stackyard.tree import Node, Route

Row = dict[str, Any]


def tree(profile: Profile) -> dict[str, Any]:
    """The merged stack as plain data, references as they are written."""
    plain: dict[str, Any] = profile.written.plain()
    return {key: plain[key] for key in KEYS if key in plain and key != "extends"}


def yaml_text(plain: dict[str, Any]) -> str:
    """Plain data as YAML."""
    import yaml

    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return text.rstrip()


def values(profile: Profile) -> list[Row]:
    """Every value, variables replaced, with the place that it was written at."""
    rows = []
    for route, node in _leaves(profile):
        rows.append({"path": path(route), "value": node.plain(), "origin": _origin(profile, route)})
    return rows


def difference(first: Profile, second: Profile) -> list[Row]:
    """The values that are not the same in both, each with its place; null where there is none."""
    sides: list[dict[str, Row]] = [
        {r["path"]: {"value": r["value"], "origin": r["origin"]} for r in values(p)}
        for p in (first, second)
    ]
    paths = list(dict.fromkeys([*sides[0], *sides[1]]))
    return [
        {"path": p, "first": sides[0].get(p), "second": sides[1].get(p)}
        for p in paths
        if _value(sides[0].get(p)) != _value(sides[1].get(p))
    ]


def side(row: Row | None) -> str:
    """One side of a difference for people."""
    return "-" if row is None else f"{text(row['value'])}  ({row['origin']})"


def text(value: Any) -> str:
    """A value on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def path(route: Route) -> str:
    """A route as people write it: ``components.tracker.hosts[0]``."""
    made = ""
    for part in route:
        made += f"[{part}]" if isinstance(part, int) else f".{part}" if made else part
    return made


def _value(row: Row | None) -> Any:
    return ("nothing",) if row is None else row["value"]


def _leaves(profile: Profile) -> list[tuple[Route, Node]]:
    variables = profile.written.get("vars")
    found = list(variables.leaves(("vars",))) if variables is not None else []
    found += profile.expanded.leaves()
    order = {key: number for number, key in enumerate(KEYS)}
    return sorted(found, key=lambda leaf: order[str(leaf[0][0])] if leaf[0] else 0)


def _origin(profile: Profile, route: Route) -> str:
    """File and line; for what a variable put in, those of the reference to it."""
    while route:
        place = profile.origin(route)
        if place:
            return place.rpartition(":")[0]
        route = route[:-1]
    return ""
