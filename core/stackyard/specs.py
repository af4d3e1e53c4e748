"""The parts of a stack: components, resources and what it says about pipelines, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stackyard.errors import ConfigError, suggest
from stackyard.graph import KINDS, NAME, TARGET
from stackyard.references import Template
from stackyard.tree import Node, Place, kind_of

SECTION_KEYS = ("schedule", "params", "steps")
STEP_KEYS = ("retries", "retry_delay", "timeout", "cache", "resources")


class Unset:
    """The type of ``UNSET``: the stack says nothing, the code counts."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


@dataclass(frozen=True)
class ComponentSpec:
    """A component as a stack file has it; ``node`` holds its keys without ``flavor``."""

    name: str  # "tracker" or "feature_store.inhouse"
    kind: str
    instance: str | None
    flavor: str
    node: Node = field(repr=False)
    flavor_place: Place = field(repr=False)

    @property
    def values(self) -> dict[str, Any]:
        """Keys and values as written, references unresolved."""
        values: dict[str, Any] = self.node.plain()
        return values


@dataclass(frozen=True)
class ResourceSpec:
    """A resource as a stack file has it; ``node`` holds its keys without ``class``."""

    name: str
    target: str  # "module:Class"
    node: Node = field(repr=False)
    class_place: Place = field(repr=False)

    @property
    def values(self) -> dict[str, Any]:
        """Keys and values as written, references unresolved."""
        values: dict[str, Any] = self.node.plain()
        return values


@dataclass(frozen=True)
class PipelineSection:
    """What a stack says about a pipeline. ``options`` are by flavor of the orchestrator."""

    name: str
    schedule: str | Unset | None
    params: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Mapping[str, Any]]
    node: Node = field(repr=False)


def read_component(name: str, node: Node) -> ComponentSpec:
    """The component ``name``; ConfigError where its name or its mapping is wrong."""
    place = node.named_at
    kind, dot, instance = name.partition(".")
    if kind not in KINDS:
        raise ConfigError(
            f"{place} components: unknown kind {kind!r}. Kinds: {', '.join(KINDS)}."
            f"{suggest(kind, KINDS)}"
        )
    if dot and not NAME.fullmatch(instance):
        raise ConfigError(
            f"{place} components: {name!r}: after '{kind}.' comes the instance's name, of ASCII "
            "letters, digits and underscores"
        )
    if not isinstance(node.value, dict):
        raise ConfigError(
            f"{node.place} {name}: {kind_of(node.value)}; write {name}: {{flavor: ...}}"
        )
    flavor = node.value.get("flavor")
    if flavor is None:
        for key, value in node.value.items():
            if near := suggest(key, ("flavor",)):
                raise ConfigError(f"{value.named_at} {name}: unknown key {key!r}.{near}")
        raise ConfigError(f"{node.place} {name}: missing key 'flavor'. See: stackyard plugin list")
    if not isinstance(flavor.value, str):
        raise ConfigError(f"{flavor.place} {name}.flavor: write the name of a flavor as plain text")
    rest = replace(node, value={k: n for k, n in node.value.items() if k != "flavor"})
    return ComponentSpec(name, kind, instance or None, flavor.value, rest, flavor.place)


def read_resource(name: str, node: Node) -> ResourceSpec:
    """The resource ``name``; ConfigError where its name or its mapping is wrong."""
    check_name(name, node, NAME, "resource")
    if not isinstance(node.value, dict):
        raise ConfigError(
            f"{node.place} resources.{name}: {kind_of(node.value)}; "
            f"write {name}: {{class: module:Class}}"
        )
    target = node.value.get("class")
    if target is None:
        raise ConfigError(f"{node.place} resources.{name}: missing key 'class' (module:Class)")
    if not isinstance(target.value, str) or not TARGET.fullmatch(target.value):
        raise ConfigError(
            f"{target.place} resources.{name}.class: {target.plain()!r} is not 'module:Class'"
        )
    rest = replace(node, value={k: n for k, n in node.value.items() if k != "class"})
    return ResourceSpec(name, target.value, rest, target.place)


def read_section(name: str, node: Node) -> PipelineSection:
    """What a stack says about the pipeline ``name``; ConfigError where that cannot be."""
    check_name(name, node, NAME, "pipeline")
    where = f"pipelines.{name}"
    if not isinstance(node.value, dict):
        raise ConfigError(f"{node.place} {where}: {kind_of(node.value)}, not a mapping")
    for _, leaf in node.leaves():
        if isinstance(leaf.value, Template):
            raise ConfigError(
                f"{leaf.place} {where}: {leaf.value} is not known when the pipeline is compiled. "
                "Only ${var:...} of plain values may stand here"
            )
    schedule: str | Unset | None = UNSET
    given = node.value.get("schedule")
    if given is not None:
        if not isinstance(given.value, str | None):
            raise ConfigError(
                f"{given.place} {where}.schedule: expected a cron expression, a preset such as "
                f"'@daily', or null, got {kind_of(given.value)}"
            )
        schedule = given.value
    steps = mapping(node, "steps", where)
    for step, options in steps.items():
        check_name(step, options, NAME, "step")
        if not isinstance(options.value, dict):
            raise ConfigError(f"{options.place} {where}.steps.{step}: not a mapping")
        check_keys(options, STEP_KEYS, f"{where}.steps.{step}")
    for param, value in mapping(node, "params", where).items():
        check_name(param, value, NAME, "parameter")
    options_by_flavor = {k: n for k, n in node.value.items() if k not in SECTION_KEYS}
    for key, options in options_by_flavor.items():
        if not isinstance(options.value, dict):
            raise ConfigError(
                f"{options.named_at} {where}: unknown key {key!r}. "
                f"Keys: {', '.join(SECTION_KEYS)}, or an orchestrator's flavor with a mapping."
                f"{suggest(key, SECTION_KEYS)}"
            )
    return PipelineSection(
        name,
        schedule,
        {k: n.plain() for k, n in mapping(node, "params", where).items()},
        {k: n.plain() for k, n in steps.items()},
        {k: n.plain() for k, n in options_by_flavor.items()},
        node,
    )


def check_keys(node: Node, known: Sequence[str], where: str) -> None:
    """Raise ConfigError, with a suggestion, for the first key that is not ``known``."""
    for key, value in node.items().items():
        if key not in known:
            raise ConfigError(
                f"{value.named_at} unknown key {key!r} in {where}. Keys: {', '.join(known)}."
                f"{suggest(key, tuple(known))}"
            )


def check_name(name: str, node: Node, pattern: re.Pattern[str], what: str) -> None:
    """Raise ConfigError unless ``name`` may reach a path, a command or generated code."""
    if not pattern.fullmatch(name):
        raise ConfigError(
            f"{node.named_at} {what} {name!r}: use up to 100 ASCII letters, digits and "
            "underscores, not beginning with a digit"
        )


def mapping(node: Node, key: str, where: str = "") -> Mapping[str, Node]:
    """The mapping under ``key``, empty where there is none; ConfigError for anything else."""
    found = node.get(key)
    if found is None or found.value is None:
        return {}
    if not isinstance(found.value, dict):
        label = f"{where}.{key}" if where else key
        raise ConfigError(f"{found.place} {label}: {kind_of(found.value)}, not a mapping")
    return found.value
