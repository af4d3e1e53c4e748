"""Suites as YAML files, for people to review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackyard.components.suite_check import mistakes
from stackyard.components.validator import Suite
from stackyard.errors import ConfigError
from stackyard.tree import Node

_HEAD = "# What is expected of the data. A critical expectation that fails stops the run.\n"


def read_suite(path: str | Path) -> dict[str, Any]:
    """Read a suite from a YAML file, as plain data for a pipeline to pass to a step.

    The file has ``name`` and ``expectations``, a list of ``type``, ``kwargs``, ``severity``
    (``info``, ``warning`` or, without one, ``critical``) and ``notes``. What types and arguments
    there are is the validator's to say.

    Args:
        path: the file; beside a pipeline ``Path(__file__).with_name("flights.suite.yaml")``.

    Raises:
        ConfigError: it cannot be read or is no suite; names file, line and column.
    """
    from stackyard.yaml_source import read

    path = Path(path)
    root = read(path, _label(path))
    suite: dict[str, Any] = root.plain()
    for route, text in mistakes(suite):
        node = root.at(route)
        while node is None:
            route = route[:-1]
            node = root.at(route)
        raise ConfigError(f"{_place(node, text)} {text}")
    return suite


def written(suite: Suite) -> str:
    """The text of a suite's file."""
    import yaml

    return _HEAD + yaml.dump(
        suite.plain(), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100
    )


def _place(node: Node, text: str) -> object:
    """Where a mistake stands: an unknown key at the key, all else at the value."""
    return node.named_at if text.startswith("unknown key") else node.place


def _label(path: Path) -> str:
    """The path in errors: as seen from the current folder, where it is below it."""
    full = path.absolute()
    here = Path.cwd()
    return str(full.relative_to(here) if full.is_relative_to(here) else path)


def _dumper() -> Any:
    """A dumper whose text ``read_suite`` reads as the same values.

    Text that YAML 1.1 or 1.2 would read as something else stands in quotes, nothing has an anchor,
    and the arguments of an expectation stand in one line.
    """
    import yaml

    from stackyard.yaml_source import scalar

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_mapping(self, tag: str, mapping: Any, flow_style: Any = None) -> Any:
            node = super().represent_mapping(tag, mapping, flow_style)
            node.flow_style = "expectations" not in mapping and "type" not in mapping
            return node

        def represent_str(self, data: str) -> Any:
            quoted = None if scalar(data) == data else "'"
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=quoted)

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    Dumper.add_representer(str, Dumper.represent_str)
    return Dumper
