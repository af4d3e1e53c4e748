"""A step's inputs bound for a run: artifacts of other steps, and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stackyard.errors import ArtifactNotFound, StoreError, UsageError
from stackyard.graph import Binding, FromParam, FromStep, ListOf, Step, leaves
from stackyard.store.backend import artifact_key
from stackyard.store.records import ArtifactRef, AttemptRecord
from stackyard.truth import decided

if TYPE_CHECKING:
    from stackyard.execute import Attempt
    from stackyard.pipeline import StepFunction
    from stackyard.runner import Runner

Upstream = Mapping[str, AttemptRecord]


def bind(
    step: Step, params: Mapping[str, Any], upstream: Upstream
) -> tuple[dict[str, ArtifactRef], dict[str, Any]]:
    """Return the artifacts and the plain values that ``step``, decided, takes by argument.

    Raises:
        UsageError: a step that it reads from has no finished attempt.
    """
    inputs: dict[str, ArtifactRef] = {}
    values: dict[str, Any] = {}
    for argument, given in step.inputs.items():
        for name, binding in leaves(argument, given):
            if isinstance(binding, FromStep):
                inputs[name] = _output(upstream, binding)
            elif isinstance(binding, FromParam):
                values[name] = params[binding.param]
            else:
                values[name] = binding.value
    return inputs, values


def _output(upstream: Upstream, binding: FromStep) -> ArtifactRef:
    attempt = upstream.get(binding.step)
    if attempt is None:
        raise UsageError(f"step {binding.step!r} has no finished attempt to read from")
    found = attempt.outputs.get(binding.output)
    if found is None:
        raise StoreError(
            f"the record of step {binding.step!r} in run {attempt.run_id} has no output "
            f"{binding.output!r}. Outputs: {', '.join(attempt.outputs) or 'none'}"
        )
    return found


def arguments_of(
    runner: Runner, step: Step, attempt: Attempt, function: StepFunction[..., Any]
) -> dict[str, Any]:
    """Return the step's arguments as Python values, artifacts as read back from the store.

    Raises:
        ArtifactNotFound: one is not in the store any more; says how to make it again.
    """
    load = runner.store.artifacts.load

    def value(name: str, binding: Binding) -> Any:
        if isinstance(binding, ListOf):
            return binding.build([value(f"{name}.{i}", b) for i, b in enumerate(binding.items)])
        if isinstance(binding, FromStep):
            try:
                return load(attempt.inputs[name])
            except ArtifactNotFound as exc:
                raise ArtifactNotFound(_lost(runner, name, binding, attempt.inputs[name])) from exc
        from stackyard import params

        if isinstance(binding, FromParam):
            return params.decode(declared[binding.param], attempt.values[name])
        return params.decode_argument(function, name, attempt.values[name])

    declared = {param.name: param for param in runner.graph.params}
    inputs = decided(step, attempt.truths).inputs
    return {name: value(name, binding) for name, binding in inputs.items()}


def _lost(runner: Runner, name: str, binding: FromStep, ref: ArtifactRef) -> str:
    """What to do about an input that is not in the store any more, or of which a part is not."""
    there = runner.store.backend.exists(artifact_key(ref.digest))
    again = " --no-cache" if there else ""  # the lookup sees only that an artifact is gone
    return (
        f"input {name!r} is {binding.output!r} of step {binding.step!r}, and "
        f"{'a part of it' if there else 'it'} is not in store {runner.store.url} any more "
        f"(artifact {ref.digest[:12]}). Make it again: stackyard run {runner.graph.name}{again}"
    )
