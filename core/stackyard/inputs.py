"""Where the inputs of a step come from: part of the graph, and like it pure data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, TypeAlias

from stackyard.errors import PipelineError

Json: TypeAlias = Any  # None, bool, int, float, str, list or dict of these


@dataclass(frozen=True)
class FromStep:
    """An input that is an output of another step."""

    step: str
    output: str = "result"


@dataclass(frozen=True)
class FromParam:
    """An input that is a parameter of the pipeline."""

    param: str


@dataclass(frozen=True)
class Value:
    """An input written literally in the pipeline: plain JSON data."""

    value: Json


@dataclass(frozen=True)
class ListOf:
    """An input collected from others: ``combine([a, b])``, or named outputs passed on whole.

    ``type`` is ``list``, ``tuple``, ``dict`` (of ``keys`` in the order of ``items``) or the
    ``module:Class`` of a NamedTuple.
    """

    items: tuple[Binding, ...]
    type: str = "list"
    keys: tuple[str, ...] = ()

    def build(self, values: Sequence[Any]) -> Any:
        """Return the collection of ``values``, which are those of ``items`` in order."""
        if self.type == "list":
            return list(values)
        if self.type == "tuple":
            return tuple(values)
        if self.type == "dict":
            return dict(zip(self.keys, values, strict=True))
        from importlib import import_module

        module, _, qualified_name = self.type.partition(":")
        found = attrgetter(qualified_name)(import_module(module))
        if not (isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")):
            raise PipelineError(f"{self.type} is no NamedTuple; a graph names nothing else to call")
        return found(*values)


@dataclass(frozen=True)
class Condition:
    """What a step depends on: ``of``, a truth value, must be ``holds``."""

    of: FromStep | FromParam
    holds: bool

    def __str__(self) -> str:
        return f"{shown(self.of)} is {str(self.holds).lower()}"


@dataclass(frozen=True)
class Either:
    """One of two inputs: ``then`` where the truth value ``when`` is true, else ``other``."""

    when: FromStep | FromParam
    then: Binding
    other: Binding


Binding: TypeAlias = "FromStep | FromParam | Value | ListOf | Either"


def sources(binding: Binding) -> Iterator[FromStep]:
    """Yield the outputs of other steps that ``binding`` may read, also inside collections."""
    return (leaf for _, leaf in leaves("", binding) if isinstance(leaf, FromStep))


def leaves(name: str, binding: Binding) -> Iterator[tuple[str, FromStep | FromParam | Value]]:
    """Yield every single input of ``binding``; item i of a collection ``x`` is called ``x.i``.

    Of an ``Either``, what decides and both ways; ``chosen`` leaves the one that is taken.
    """
    if isinstance(binding, ListOf):
        for i, item in enumerate(binding.items):
            yield from leaves(f"{name}.{i}", item)
    elif isinstance(binding, Either):
        for way in (binding.when, binding.then, binding.other):
            yield from leaves(name, way)
    else:
        yield name, binding


def eithers(binding: Binding) -> Iterator[Either]:
    """Yield every ``Either`` in ``binding``, the outer ones first."""
    if isinstance(binding, Either):
        yield binding
        yield from eithers(binding.then)
        yield from eithers(binding.other)
    elif isinstance(binding, ListOf):
        for item in binding.items:
            yield from eithers(item)


def chosen(binding: Binding, truth: Callable[[FromStep | FromParam], bool]) -> Binding:
    """Return ``binding`` with the way taken in place of each ``Either``; asks what it needs."""
    if isinstance(binding, Either):
        return chosen(binding.then if truth(binding.when) else binding.other, truth)
    if isinstance(binding, ListOf):
        return replace(binding, items=tuple(chosen(item, truth) for item in binding.items))
    return binding


def shown(source: FromStep | FromParam) -> str:
    """A source for people: ``step.output``, ``step``, or the parameter's name."""
    if isinstance(source, FromParam):
        return source.param
    return source.step if source.output == "result" else f"{source.step}.{source.output}"


def binding_json(binding: Binding) -> dict[str, Json]:
    """Plain data; ``binding_from_json`` reads it back."""
    if isinstance(binding, FromStep):
        return {"from": "step", "step": binding.step, "output": binding.output}
    if isinstance(binding, FromParam):
        return {"from": "param", "param": binding.param}
    if isinstance(binding, ListOf):
        items = [binding_json(item) for item in binding.items]
        return {"from": "list", "items": items, "type": binding.type, "keys": list(binding.keys)}
    if isinstance(binding, Either):
        ways = {"when": binding.when, "then": binding.then, "other": binding.other}
        return {"from": "either", **{name: binding_json(way) for name, way in ways.items()}}
    return {"from": "value", "value": binding.value}


def binding_from_json(data: Mapping[str, Json]) -> Binding:
    """Rebuild a binding from ``binding_json``."""
    rest = {key: value for key, value in data.items() if key != "from"}
    if data["from"] == "list":
        items = tuple(binding_from_json(item) for item in rest["items"])
        return ListOf(items, rest["type"], tuple(rest["keys"]))
    if data["from"] == "either":
        then, other = binding_from_json(rest["then"]), binding_from_json(rest["other"])
        return Either(_decider(rest["when"]), then, other)
    single: dict[str, Any] = {"step": FromStep, "param": FromParam, "value": Value}
    made: Binding = single[data["from"]](**rest)
    return made


def condition_json(condition: Condition) -> dict[str, Json]:
    """Plain data; ``condition_from_json`` reads it back."""
    return {"of": binding_json(condition.of), "holds": condition.holds}


def condition_from_json(data: Mapping[str, Json]) -> Condition:
    """Rebuild a condition from ``condition_json``."""
    return Condition(_decider(data["of"]), data["holds"])


def _decider(data: Mapping[str, Json]) -> FromStep | FromParam:
    found = binding_from_json(data)
    if isinstance(found, FromStep | FromParam):
        return found
    raise PipelineError(f"graph: {data!r} decides nothing: it is no output and no parameter")
