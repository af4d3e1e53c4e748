"""Builds a graph while a pipeline function runs: each step call becomes a node."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from stackyard import typecheck
from stackyard.annotation import Type
from stackyard.arguments import arrange, copy, is_json
from stackyard.errors import PipelineError
from stackyard.graph import (
    Binding,
    Condition,
    Either,
    FromStep,
    ListOf,
    Step,
    Value,
    check_event,
    check_name,
    sources,
)
from stackyard.location import caller, here, place
from stackyard.period import SCHEDULED
from stackyard.signature import Argument, Signature
from stackyard.symbolic import Result, Symbolic

if TYPE_CHECKING:
    from stackyard.pipeline import StepFunction


class Node:
    """One step call while the graph is built."""

    __slots__ = (
        "after", "builder", "index", "inputs", "name", "signature", "step", "when", "where",
    )  # fmt: skip

    def __init__(self, builder: Builder, step: StepFunction[..., Any], name: str) -> None:
        self.builder = builder
        self.step = step
        self.name = name
        self.index = len(builder.nodes)
        self.where = caller()
        self.signature: Signature = step.signature
        self.inputs: dict[str, Binding] = {}
        self.after: dict[str, None] = {}  # an ordered set
        self.when = tuple(builder.branches)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.signature.outputs

    def freeze(self) -> Step:
        """Return the node as data."""
        return Step(
            name=self.name,
            target=self.step.target,
            inputs=self.inputs,
            injections=self.signature.injections,
            outputs=self.outputs,
            output_types=tuple(kind.name for kind in self.signature.output_types),
            after=tuple(self.after),
            options=self.step.options,
            doc=(self.step.function.__doc__ or "").strip().partition("\n")[0].strip(),
            when=self.when,
        )


class Builder:
    """The pipeline under construction."""

    def __init__(self, pipeline: str, timezone: str = "UTC") -> None:
        self.pipeline = pipeline
        self.timezone = timezone
        self.nodes: dict[str, Node] = {}
        self.branches: list[Condition] = []  # those of the `with when(...)` around, outermost first
        self._left: tuple[Condition | None, int, int] = (None, 0, 0)
        self._used: dict[str, int] = {}  # how often an automatic name was wanted

    def call(self, step: StepFunction[..., Any], args: Any, kwargs: dict[str, Any]) -> Result:
        """Add a node for one call of ``step`` and return its result.

        Raises:
            PipelineError: an argument is missing, unknown or of the wrong type.
        """
        step.check_reachable()
        node = Node(self, step, self._name(step))
        given = arrange(node, args, kwargs)
        for argument in node.signature.arguments:
            if argument.name in given:
                value = given[argument.name]
                node.inputs[argument.name] = self._bind(value, node, argument)
            elif is_json(argument.default):
                node.inputs[argument.name] = Value(copy(argument.default))
            elif argument.default is SCHEDULED:
                raise PipelineError(
                    f"{here()}: step {node.name!r}, parameter {argument.name!r}: "
                    "Period.scheduled() belongs in the pipeline's signature, which passes it on"
                )
        if step.options.emits:
            named = node.inputs.get(step.options.emits)
            if not isinstance(named, Value) or not isinstance(named.value, str):
                raise PipelineError(
                    f"{here()}: step {node.name!r}: {step.options.emits!r} names an event, and is "
                    "known before the run: give it as plain text"
                )
            check_event(named.value, f"{here()}: step {node.name!r}")
        self.nodes[node.name] = node
        self.order(node, step.waits_for)
        kind = node.signature.result
        if node.signature.named:
            parts = tuple(FromStep(node.name, output) for output in node.outputs)
            return Result(node, ListOf(parts, node.signature.record), kind)
        return Result(node, FromStep(node.name), kind)

    @property
    def before(self) -> Condition | None:
        """The condition of the ``when`` that ended directly before; None if there is none."""
        condition, depth, number = self._left
        return condition if (depth, number) == (len(self.branches), len(self.nodes)) else None

    def branch(self, condition: Condition) -> None:
        """From now on, steps depend on ``condition`` too."""
        self.branches.append(condition)

    def leave(self, condition: Condition | None) -> None:
        """The innermost condition ends; ``condition`` is the one that an ``otherwise`` turns."""
        self.branches.pop()
        self._left = (condition, len(self.branches), len(self.nodes))

    def order(self, node: Node, others: tuple[object, ...]) -> None:
        """Let ``node`` wait for the steps behind ``others``.

        Raises:
            PipelineError: one of them is no result of this pipeline.
        """
        for other in others:
            if not isinstance(other, Symbolic) or not list(sources_of(other)):
                raise PipelineError(
                    f"{here()}: step {node.name!r}: .after() takes results of steps, not {other!r}"
                )
            self.own(other, f"step {node.name!r}")
            node.after.update(dict.fromkeys(sources_of(other)))

    def ordered(self) -> tuple[Step, ...]:
        """Return the steps in topological order, ties in order of writing.

        Raises:
            PipelineError: steps wait for each other.
        """
        steps = {name: node.freeze() for name, node in self.nodes.items()}
        waiting = {name: step.upstream for name, step in steps.items()}
        count = {name: len(upstream) for name, upstream in waiting.items()}
        down: dict[str, list[str]] = {name: [] for name in waiting}
        for name, upstream in waiting.items():
            for other in upstream:
                down[other].append(name)
        ready = [(n.index, name) for name, n in self.nodes.items() if not count[name]]
        done: list[Step] = []
        while ready:
            _, name = heapq.heappop(ready)
            done.append(steps[name])
            for other in down[name]:
                count[other] -= 1
                if not count[other]:
                    heapq.heappush(ready, (self.nodes[other].index, other))
        if len(done) < len(self.nodes):
            stuck = [name for name, left in count.items() if left]
            where = place(*self.nodes[stuck[0]].where)
            raise PipelineError(
                f"{where}: steps wait for each other: {', '.join(stuck)}. Remove one of the "
                ".after()"
            )
        return tuple(done)

    def _name(self, step: StepFunction[..., Any]) -> str:
        if step.name in self.nodes and step.explicit:
            raise PipelineError(
                f"{here()}: two steps are called {step.name!r}. Give one another name: "
                f"`.named({step.name + '_2'!r})`"
            )
        other = self.nodes.get(step.name)
        if other is None:
            return check_name(step.name, f"{here()}: step name")
        if other.step.function is not step.function and other.step.target != step.target:
            raise PipelineError(
                f"{here()}: two different steps are called {step.name!r}: {other.step.target} and "
                f"{step.target}. Name one: `{step.name}.named({step.name + '_2'!r})(...)`"
            )
        number = self._used.get(step.name, 1) + 1
        while f"{step.name}_{number}" in self.nodes:
            number += 1
        self._used[step.name] = number
        return check_name(f"{step.name}_{number}", f"{here()}: step name")

    def own(self, value: Symbolic, label: str) -> None:
        """Raise PipelineError if ``value`` belongs to another pipeline, or to an earlier build."""
        if value._builder is not self:
            raise PipelineError(
                f"{here()}: {label} is given {value!r} of another pipeline "
                f"({value._builder.pipeline!r}) or of an earlier build. Call the step inside "
                f"{self.pipeline!r}"
            )

    def _bind(self, value: Any, node: Node, argument: Argument) -> Binding:
        label = f"step {node.name!r}"
        where = f"{here()}: {label}, parameter {argument.name!r}"
        binding, kind = self.binding(value, argument.type, where)
        self.check_ways(binding, node.when, where)
        if kind is None:
            fits, shown = typecheck.value_fits(value, argument.type), repr(value)
            source = f"the value {shown if len(shown) < 60 else type(value).__name__}"
        else:
            fits, source = typecheck.fits(kind, argument.type), f"{kind.name}"
        if not fits:
            origin = _origin(value, binding)
            raise PipelineError(
                f"{where} takes {argument.type.name}, and is given {source}{origin}"
            )
        return binding

    def check_ways(self, binding: Binding, when: tuple[Condition, ...], where: str) -> None:
        """Refuse what a step may give only where ``when`` does not hold."""
        if isinstance(binding, Either):
            self.check_ways(binding.when, when, where)
            self.check_ways(binding.then, (*when, Condition(binding.when, True)), where)
            self.check_ways(binding.other, (*when, Condition(binding.when, False)), where)
        elif isinstance(binding, ListOf):
            for item in binding.items:
                self.check_ways(item, when, where)
        elif isinstance(binding, FromStep):
            more = [str(c) for c in self.nodes[binding.step].when if c not in when]
            if more:
                raise PipelineError(
                    f"{where} reads step {binding.step!r}, which runs only when "
                    f"{' and '.join(more)}. Move the call under the same `with when(...)`, or join "
                    "both ways: either(..., ..., when=...)"
                )

    def binding(self, value: Any, wanted: Type, where: str) -> tuple[Binding, Type | None]:
        """Return the binding of ``value`` and its type, None where the value itself is known."""
        if isinstance(value, Symbolic):
            self.own(value, where.partition(": ")[2])
            if isinstance(value, Result) and not value._node.outputs:
                raise PipelineError(
                    f"{where}: {value!r} is no value, as the step returns nothing. "
                    f"To wait for it use `.after(...)`"
                )
            return value._binding, value._type
        if is_json(value):
            return Value(copy(value)), None
        if type(value) in (list, tuple, dict):
            return self._collection(value, wanted, where)
        raise PipelineError(
            f"{where} is given a live {type(value).__module__}.{type(value).__qualname__}. A "
            "pipeline passes plain values (None, bool, int, float, str, lists and dicts of them), "
            "parameters and results: let a step return the object, or make it a parameter of the "
            "pipeline"
        )

    def _collection(self, value: Any, wanted: Type, where: str) -> tuple[Binding, Type]:
        """Bind a list, tuple or dict that holds results, or that JSON alone would change."""
        keys: tuple[str, ...] = ()
        if isinstance(value, dict):
            bad = next((key for key in value if not isinstance(key, str)), None)
            if bad is not None:
                raise PipelineError(f"{where}: the key {bad!r} of a dict must be text")
            keys = tuple(value)
        parts = list(value.values() if isinstance(value, dict) else value)
        inside = [self.binding(part, wanted, where) for part in parts]
        kinds = tuple(
            kind or typecheck.type_of(p) for (_, kind), p in zip(inside, parts, strict=True)
        )
        binding = ListOf(tuple(b for b, _ in inside), type(value).__name__, keys)
        return binding, typecheck.collection(type(value), kinds)


def sources_of(value: Symbolic) -> list[str]:
    """Names of the steps behind ``value``."""
    return [source.step for source in sources(value._binding)] or (
        [value._node.name] if isinstance(value, Result) else []
    )


def _origin(value: Any, binding: Binding) -> str:
    """Where a value of the wrong type comes from, for the error."""
    if isinstance(value, Symbolic):
        return f" from {value._label}"
    steps = dict.fromkeys(source.step for source in sources(binding))
    return f" from step {', '.join(map(repr, steps))}" if steps else ""
