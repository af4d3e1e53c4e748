"""The graph of a pipeline: pure data, built by ``stackyard.pipeline``, read by every orchestrator.

A graph is deterministic: equal pipelines give equal JSON and so an equal digest, whatever the
hash seed, the machine or the folder. Values in it are plain JSON data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

from stackyard.errors import PipelineError, suggest
from stackyard.inputs import Binding as Binding
from stackyard.inputs import Condition as Condition
from stackyard.inputs import Either as Either
from stackyard.inputs import FromParam as FromParam
from stackyard.inputs import FromStep as FromStep
from stackyard.inputs import Json as Json
from stackyard.inputs import ListOf as ListOf
from stackyard.inputs import Value as Value
from stackyard.inputs import binding_from_json, binding_json, condition_from_json, condition_json
from stackyard.inputs import leaves as leaves
from stackyard.inputs import sources as sources
from stackyard.surrogates import broken_texts

# Names reach paths, commands and generated code, so they are held to this list.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")

EVENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")

# "module:Name", as descriptors and stack files name code.
TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)

KINDS = (
    "orchestrator", "tracker", "registry", "data_versioner",
    "feature_store", "validator", "monitor", "server",
)  # fmt: skip


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
    emits: str = ""  # parameter that names the event which the step tells


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
    when: tuple[Condition, ...] = ()  # all must hold, or the step is skipped; the outermost first

    @property
    def event(self) -> str:
        """The event that it tells, "" for none."""
        named = self.inputs.get(self.options.emits)
        return str(named.value) if isinstance(named, Value) else ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the steps whose outputs it takes or depends on, in order of first mention."""
        bindings = [*self.inputs.values(), *(condition.of for condition in self.when)]
        return tuple(dict.fromkeys(source.step for b in bindings for source in sources(b)))

    @property
    def upstream(self) -> tuple[str, ...]:
        """Names of the steps that must end first: succeed, or be skipped by a condition."""
        return tuple(dict.fromkeys([*self.reads, *self.after]))


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
    on: str = ""  # the event that the pipeline waits for

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
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "on" or self.on}
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


def check_event(name: str, what: str) -> str:
    """Return ``name`` if an event may be called so.

    Raises:
        PipelineError: it holds anything but ASCII letters, digits, ``_``, ``.`` and ``-``.
    """
    if EVENT_NAME.fullmatch(name) is None:
        raise PipelineError(
            f"{what}: event {name!r}: use up to 100 ASCII letters, digits, '_', '.' and '-', "
            "beginning with a letter or '_', e.g. 'flights.drifted'"
        )
    return name


def _step_json(step: Step) -> dict[str, Json]:
    data = {
        **vars(step),
        "kind": "step",  # other kinds of node join the language later
        "inputs": {name: binding_json(binding) for name, binding in step.inputs.items()},
        "injections": {name: vars(injection) for name, injection in step.injections.items()},
        "options": {n: v for n, v in vars(step.options).items() if n != "emits" or v},
    }
    del data["when"]  # only where there are conditions: others keep their digest
    if step.when:
        data["when"] = [condition_json(c) for c in step.when]
    return data


def _step_from_json(data: Mapping[str, Json]) -> Step:
    return Step(
        name=data["name"],
        target=data["target"],
        inputs={n: binding_from_json(b) for n, b in data["inputs"].items()},
        injections={n: Injection(**i) for n, i in data["injections"].items()},
        outputs=tuple(data["outputs"]),
        output_types=tuple(data["output_types"]),
        after=tuple(data["after"]),
        options=StepOptions(**data["options"]),
        doc=data["doc"],
        when=tuple(condition_from_json(c) for c in data.get("when", ())),
    )
