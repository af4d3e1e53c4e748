"""The truth values of a run on which its steps depend: see ``conditions``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from stackyard.errors import PipelineError
from stackyard.graph import FromParam, FromStep, Step
from stackyard.inputs import chosen, eithers, shown

if TYPE_CHECKING:
    from stackyard.store.records import ArtifactRef, AttemptRecord

Truth: TypeAlias = Callable[[FromStep | FromParam], bool | None]


class Truths:
    """Answers what a source says in a run, None where its step gave nothing; keeps the answers."""

    def __init__(
        self,
        params: Mapping[str, Any],
        upstream: Mapping[str, AttemptRecord],
        load: Callable[[ArtifactRef], Any],
    ) -> None:
        self._params = params
        self._upstream = upstream
        self._load = load
        self.found: dict[str, bool] = {}

    def __call__(self, source: FromStep | FromParam) -> bool | None:
        """Look ``source`` up.

        Raises:
            PipelineError: it is no truth value.
        """
        key = key_of(source)
        if key not in self.found:
            if isinstance(source, FromStep):
                attempt = self._upstream.get(source.step)
                if attempt is None or not attempt.finished:
                    return None
                value = self._load(attempt.outputs[source.output])
            else:
                value = self._params[source.param]
            self.found[key] = _boolean(value, source)
        return self.found[key]


def unmet(step: Step, truth: Truth) -> str | None:
    """The first condition of ``step`` that does not hold, for people; None where all do.

    The outermost comes first: where that does not hold, nothing is known of those inside.
    """
    for condition in step.when:
        said = truth(condition.of)
        if said is None:
            return None
        if said is not condition.holds:
            return f"{shown(condition.of)} is {str(said).lower()}"
    return None


def decided(step: Step, found: Mapping[str, bool] | Truth) -> Step:
    """The step with the way taken in place of each ``Either`` of its inputs.

    Raises:
        PipelineError: the step that decides gave nothing.
    """

    def truth(source: FromStep | FromParam) -> bool:
        said = found(source) if callable(found) else found[key_of(source)]
        if said is None:
            raise PipelineError(f"step {step.name!r}: either(): {shown(source)} gave nothing")
        return said

    if not any(True for binding in step.inputs.values() for _ in eithers(binding)):
        return step  # nearly all are such: no copy for them
    return replace(step, inputs={name: chosen(b, truth) for name, b in step.inputs.items()})


def key_of(source: FromStep | FromParam) -> str:
    """A name for a source that no other has: only those of steps have a dot."""
    return source.param if isinstance(source, FromParam) else f"{source.step}.{source.output}"


def _boolean(value: Any, source: FromStep | FromParam) -> bool:
    scalar = getattr(value, "dtype", None) is not None and getattr(value, "shape", None) == ()
    if isinstance(value, bool) or (scalar and value.dtype.kind == "b"):
        return bool(value)
    raise PipelineError(
        f"{shown(source)} is {type(value).__name__}, and a branch depends on it. Let a step return "
        "the truth value: -> bool"
    )
