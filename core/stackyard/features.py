"""Feature views as they are written in YAML, beside the pipeline that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackyard.components.feature_view import ViewDefinition
from stackyard.errors import ConfigError, InvalidInput
from stackyard.tree import Node, kind_of


def read_views(path: str | Path) -> list[dict[str, Any]]:
    """Read view definitions from a YAML file as plain data.

    The result may be a literal in a pipeline, so that the definitions join the cache keys of the
    steps that get them; ``ViewDefinition.of`` makes a definition of each::

        views:
          weather:
            entity: {origin: string}
            timestamp: time_hour
            ttl: 3h
            features: {temp: float64, wind_speed: float64}

    Args:
        path: The file; relative paths count from the current folder, so write
            ``Path(__file__).with_name("features.yaml")``.

    Raises:
        ConfigError: the file cannot be read or a definition is wrong; names file:line:column.
    """
    from stackyard import yaml_source

    file = Path(path)
    root = yaml_source.read(file, file.name)
    for key, node in root.items().items():
        if key != "views":
            raise ConfigError(f"{node.named_at} unknown key {key!r}. Keys: views")
    views = root.get("views")
    if views is None or not isinstance(views.value, dict) or not views.value:
        where = views.place if views else root.place
        raise ConfigError(f"{where} views: write at least one view: 'views: {{NAME: {{...}}}}'")
    return [_definition(name, node) for name, node in views.value.items()]


_KINDS: dict[str, Any] = {
    "entity": dict, "features": dict, "ttl": (str, int, float, type(None)),
}  # fmt: skip


def _definition(name: str, node: Node) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        raise ConfigError(f"{node.place} views.{name} is {kind_of(node.value)}, not a mapping")
    if "name" in node.value:
        raise ConfigError(f"{node.value['name'].named_at} views.{name}: its key is its name")
    for key, value in node.value.items():
        if not isinstance(value.value, _KINDS.get(key, str)):
            raise ConfigError(f"{value.place} views.{name}.{key} is {kind_of(value.value)}")
    try:
        return ViewDefinition.of({"name": name, **node.plain()}).plain()
    except InvalidInput as exc:
        said = str(exc).removeprefix(f"view {name!r}: ")
        raise ConfigError(f"{_culprit(node, said)} views.{name}: {said}") from exc


def _culprit(node: Node, said: str) -> Any:
    """The place of what an error names: ``features: temp: ...``, ``unknown key 'x'``."""
    found = node
    for word in said.split(": ")[:2]:
        found = found.get(word) or found
    if found is node and said.startswith("unknown key "):
        word = said.split("'")[1]
        return node.items()[word].named_at
    return found.named_at if found is not node else node.place
