"""A step's inputs bound for a run: artifacts of other steps, and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackyard.errors import StoreError, UsageError
from stackyard.graph import FromParam, FromStep, Step, leaves
from stackyard.store.records import ArtifactRef, AttemptRecord

Upstream = Mapping[str, AttemptRecord]


def bind(
    step: Step, params: Mapping[str, Any], upstream: Upstream
) -> tuple[dict[str, ArtifactRef], dict[str, Any]]:
    """Return the artifacts and the plain values that ``step`` takes, by argument.

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
