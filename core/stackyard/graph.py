"""The graph of a pipeline: pure data, built by ``stackyard.pipeline``, read by every orchestrator.

A graph is deterministic: equal pipelines give equal JSON and so an equal digest, whatever the
hash seed, the machine or the folder. Values in it are plain JSON data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeAlias

from stackyard.errors import PipelineError, suggest
from stackyard.surrogates import broken_texts

# Names reach paths, commands and generated code, so they are held to this list.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")

# "module:Name", as descriptors and stack files name code.
TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)

Json: TypeAlias = Any  # None, bool, int, float, str, list or dict of these
KINDS = (
    "orchestrator", "tracker", "registry", "data_versioner",
    "feature_store", "validator", "monitor", "server",
)  # fmt: skip


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


Binding: TypeAlias = "FromStep | FromParam | Value | ListOf"


def sources(binding: Binding) -> Iterator[FromStep]:
    """Yield the outputs of other steps that ``binding`` reads, also inside collections."""
    return (leaf for _, leaf in leaves("", binding) if isinstance(leaf, FromStep))


def leaves(name: str, binding: Binding) -> Iterator[tuple[str, FromStep | FromParam | Value]]:
    """Yield every single input of ``binding``; item i of a collection ``x`` is called ``x.i``."""
    if isinstance(binding, ListOf):
        for i, item in enumerate(binding.items):
            yield from leaves(f"{name}.{i}", item)
    else:
        yield name, binding


@dataclass(frozen=True)
class Injection:
    """What ``= from_stack()`` asks of the stack: a component of a kind, or a resource."""

    kind: str  # one of KINDS, or "resource"
    instance: str | None = None  # a named instance; for a resource, its name
    optional: bool = False
    type: str = ""  # dotted name of the annotation


@dataclass(frozen=True)
class StepOptions:
    """What the author, or a stack over the author, says about running a step.

    ``retry_delay`` and ``timeout`` are seconds; retries back off exponentially from the delay.
    ``cache``: None (default rule), True, False, or seconds for which an old result stays true.
    """

    retries: int = 0
    retry_delay: float = 1.0
    timeout: float | None = None
    cache: bool | float | None = None
    effect: bool = False
    version: str = ""
    fingerprint: str | None = None  # "module:function" whose plain result joins the cache key
    resources: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One node: the function ``target`` with its inputs bound."""

    name: str
    target: str  # "module:qualified_name"
    inputs: Mapping[str, Binding] = field(default_factory=dict)  # in order of the signature
    injections: Mapping[str, Injection] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("result",)  # named outputs in order; () for a step returning None
    output_types: tuple[str, ...] = ("",)  # dotted names, "" where unknown
    after: tuple[str, ...] = ()
    options: StepOptions = StepOptions()
    doc: str = ""

    @property
    def upstream(self) -> tuple[str, ...]:
        """Names of the steps that must succeed first, in order of first mention."""
        data = [source.step for b in self.inputs.values() for source in sources(b)]
        return tuple(dict.fromkeys([*data, *self.after]))


@dataclass(frozen=True)
class Param:
    """A parameter of the pipeline, with its type as JSON Schema."""

    name: str
    schema: Mapping[str, Json]
    default: Json = None
    required: bool = False
    type: str = ""  # "int", "stackyard.Period", ...


@dataclass(frozen=True)
class Graph:
    """A pipeline as data. ``steps`` are in topological order, ties in order of writing."""

    name: str
    steps: tuple[Step, ...]
    params: tuple[Param, ...] = ()
    schedule: str | None = None  # cron expression or preset such as "@monthly"
    start: str | None = None  # ISO date
    timezone: str = "UTC"
    doc: str = ""
    source: str = ""  # "flight_delays.py:flight_delays", relative to the code root

    def step(self, name: str) -> Step:
        """Return the step called ``name``.

        Raises:
            PipelineError: there is none; the message lists what there is.
        """
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(self._by_name)
            near = suggest(name, list(self._by_name))
            text = f"pipeline {self.name!r} has no step {name!r}. Steps: {known}.{near}"
            raise PipelineError(text) from None

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def needs(self) -> dict[tuple[str, str | None], list[str]]:
        """What the pipeline asks of a stack: (kind, instance) to the steps that ask."""
        wanted: dict[tuple[str, str | None], list[str]] = {}
        for step in self.steps:
            for injection in step.injections.values():
                if not injection.optional:
                    wanted.setdefault((injection.kind, injection.instance), []).append(step.name)
        return wanted

    def to_json(self) -> dict[str, Json]:
        """Plain data; ``from_json`` reads it back."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        params = [vars(param) for param in self.params]
        steps = [_step_json(step) for step in self.steps]
        return {"format": 1, **data, "params": params, "steps": steps}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Graph:
        """Rebuild a graph from ``to_json``.

        Raises:
            PipelineError: the data is of another format.
        """
        if data.get("format") != 1:
            raise PipelineError(f"graph format {data.get('format')!r} is not known; known: 1")
        steps = tuple(_step_from_json(s) for s in data["steps"])
        params = tuple(Param(**p) for p in data["params"])
        rest = {k: v for k, v in data.items() if k not in ("format", "steps", "params")}
        return cls(steps=steps, params=params, **rest)

    def digest(self) -> str:
        """BLAKE3 of the canonical JSON, 64 hexadecimal characters.

        Raises:
            PipelineError: a text in the graph cannot be written to any file.
        """
        import blake3

        data = self.to_json()
        try:
            return blake3.blake3(canonical_json(data)).hexdigest()
        except UnicodeEncodeError as exc:
            where, text = next(broken_texts(data))
            raise PipelineError(
                f"pipeline {self.name!r} ({self.source}): {where}: {text!r} holds half of a "
                "surrogate pair, which no file can hold. Write the whole character"
            ) from exc

    def with_options(self, name: str, options: StepOptions) -> Graph:
        """The same graph in which step ``name`` has other options."""
        steps = tuple(replace(s, options=options) if s.name == name else s for s in self.steps)
        return replace(self, steps=steps)


def canonical_json(value: Json) -> bytes:
    """JSON with sorted keys and no spaces: equal data gives equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it may reach a path, a command or generated code.

    Raises:
        PipelineError: it holds anything but ASCII letters, digits and underscores.
    """
    if NAME.fullmatch(name) is None:
        raise PipelineError(
            f"{what} {name!r}: use up to 100 ASCII letters, digits and underscores, "
            "not beginning with a digit"
        )
    return name


def _binding_json(binding: Binding) -> dict[str, Json]:
    if isinstance(binding, FromStep):
        return {"from": "step", "step": binding.step, "output": binding.output}
    if isinstance(binding, FromParam):
        return {"from": "param", "param": binding.param}
    if isinstance(binding, ListOf):
        items = [_binding_json(item) for item in binding.items]
        return {"from": "list", "items": items, "type": binding.type, "keys": list(binding.keys)}
    return {"from": "value", "value": binding.value}


def _step_json(step: Step) -> dict[str, Json]:
    return {
        **vars(step),
        "kind": "step",  # other kinds of node join the language later
        "inputs": {name: _binding_json(binding) for name, binding in step.inputs.items()},
        "injections": {name: vars(injection) for name, injection in step.injections.items()},
        "options": vars(step.options),
    }


def _step_from_json(data: Mapping[str, Json]) -> Step:
    sources: dict[str, Any] = {"step": FromStep, "param": FromParam, "value": Value}

    def binding(item: Mapping[str, Json]) -> Binding:
        if item["from"] == "list":
            items = tuple(binding(i) for i in item["items"])
            return ListOf(items, item["type"], tuple(item["keys"]))
        rest = {k: v for k, v in item.items() if k != "from"}
        made: Binding = sources[item["from"]](**rest)
        return made

    return Step(
        name=data["name"],
        target=data["target"],
        inputs={n: binding(b) for n, b in data["inputs"].items()},
        injections={n: Injection(**i) for n, i in data["injections"].items()},
        outputs=tuple(data["outputs"]),
        output_types=tuple(data["output_types"]),
        after=tuple(data["after"]),
        options=StepOptions(**data["options"]),
        doc=data["doc"],
    )
