"""What a stack says about a pipeline for Airflow (``pipelines.NAME.airflow``), checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from stackyard.errors import ConfigError, suggest

if TYPE_CHECKING:
    from stackyard.graph import Graph
    from stackyard_airflow.config import AirflowConfig

DAG_ID = re.compile(r"(?!\.+$)[A-Za-z0-9_.-]{1,250}")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Options:
    """The options of one pipeline. ``pool``, ``pool_slots`` and ``queue`` are by step name."""

    dag_id: str
    owner: str = "stackyard"
    tags: tuple[str, ...] = ()
    doc: str | None = None
    pool: Mapping[str, str] = field(default_factory=dict)
    pool_slots: Mapping[str, int] = field(default_factory=dict)
    queue: Mapping[str, str] = field(default_factory=dict)
    max_active_runs: int | None = None
    max_active_tasks: int | None = None
    catchup: bool = False
    python: str | None = None
    project: str | None = None
    store: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


def read(given: Mapping[str, Any], config: AirflowConfig, graph: Graph) -> Options:
    """Return the options of ``graph``: those of the pipeline over those of the orchestrator.

    Raises:
        ConfigError: an option is unknown, of the wrong type, or names a step that does not exist.
    """
    where = f"pipelines.{graph.name}.airflow"
    known = [f.name for f in fields(Options)]
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{where}.{key}: unknown option. Known: {', '.join(known)}.{suggest(key, known)}"
            )
    options: dict[str, Any] = {
        "dag_id": graph.name,
        "python": config.python,
        "project": config.project,
        "store": config.store,
    }
    for key, value in given.items():
        if value is not None:
            options[key] = _READERS[key](value, f"{where}.{key}", graph)
    options["env"] = _env(config.env, "orchestrator.env", graph) | options.get("env", {})
    for key, kind in (("pool_slots", int), ("queue", str)):
        reader = _by_step(kind)
        asked = {s.name: s.options.resources.get(key) for s in graph.steps}
        stated = {n: v for n, v in asked.items() if v is not None}
        merged = reader(stated, f"steps of {graph.name}: resources.{key}", graph)
        options[key] = {**merged, **options.get(key, {})}
    return Options(**options)


def _text(value: Any, where: str, graph: Graph) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected text, got {value!r}")
    return value


def _dag_id(value: Any, where: str, graph: Graph) -> str:
    if DAG_ID.fullmatch(_text(value, where, graph)) is None:
        raise ConfigError(
            f"{where}: {value!r}: use up to 250 ASCII letters, digits, underscores, dots, dashes"
        )
    return str(value)


def _number(value: Any, where: str, graph: Graph) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{where}: expected a whole number of 1 or more, got {value!r}")
    return value


def _flag(value: Any, where: str, graph: Graph) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: expected true or false, got {value!r}")
    return value


def _tags(value: Any, where: str, graph: Graph) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: expected a list, got {value!r}")
    for tag in value:
        if len(_text(tag, where, graph)) > 100:
            raise ConfigError(f"{where}: Airflow's tags have up to 100 characters: {tag!r}")
    return tuple(value)


def _env(value: Any, where: str, graph: Graph) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a mapping of names to text, got {value!r}")
    for name, item in value.items():
        if not isinstance(name, str) or ENV_NAME.fullmatch(name) is None:
            raise ConfigError(f"{where}: {name!r} is no name of an environment variable")
        if name.startswith("STACKYARD_"):
            raise ConfigError(f"{where}.{name}: Stackyard sets the variables STACKYARD_* itself")
        if not isinstance(item, str):
            raise ConfigError(
                f"{where}.{name}: expected text, got {item!r}. A secret never goes into a "
                "generated file: set it in the environment of Airflow's workers"
            )
    return dict(value)


def _by_step(kind: type[Any]) -> Callable[[Any, str, Graph], dict[str, Any]]:
    """A reader of one value for all steps, or of a mapping from step names."""
    reader: Callable[[Any, str, Graph], Any] = _number if kind is int else _text

    def read_by_step(value: Any, where: str, graph: Graph) -> dict[str, Any]:
        steps = [s.name for s in graph.steps]
        if not isinstance(value, Mapping):
            return dict.fromkeys(steps, reader(value, where, graph))
        for name in value:
            if name not in steps:
                raise ConfigError(
                    f"{where}: no step {name!r}. Steps: {', '.join(steps)}."
                    f"{suggest(str(name), steps)}"
                )
        return {n: reader(v, f"{where}.{n}", graph) for n, v in value.items()}

    return read_by_step


_READERS: dict[str, Callable[[Any, str, Graph], Any]] = {
    "dag_id": _dag_id,
    "owner": _text,
    "tags": _tags,
    "doc": _text,
    "pool": _by_step(str),
    "pool_slots": _by_step(int),
    "queue": _by_step(str),
    "max_active_runs": _number,
    "max_active_tasks": _number,
    "catchup": _flag,
    "python": _text,
    "project": _text,
    "store": _text,
    "env": _env,
}
