"""Branches of a pipeline: ``when``, ``otherwise`` and ``either``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from stackyard import typecheck
from stackyard.annotation import UNKNOWN, of_class, union
from stackyard.errors import PipelineError
from stackyard.graph import Condition, Either, FromParam, FromStep
from stackyard.location import here
from stackyard.symbolic import Symbolic, current

if TYPE_CHECKING:
    from stackyard.building import Builder

T = TypeVar("T")
U = TypeVar("U")

_BOOL = of_class(bool)


class _Branch:
    """Steps that depend on a condition: ``turned`` is what an ``otherwise`` behind may turn."""

    def __init__(self, builder: Builder, condition: Condition, turned: Condition | None) -> None:
        self._builder, self._condition, self._turned = builder, condition, turned

    def __enter__(self) -> None:
        self._builder.branch(self._condition)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._builder.leave(self._turned)


class when(_Branch):
    """Run the steps inside only where ``condition`` is true; else they are skipped.

    ``condition`` is what a step gives, or a parameter of the pipeline: a ``bool``. What a step
    inside gives can be used inside, or joined with another way by ``either``::

        with when(better(model, champion)):
            register(model)
        with otherwise():
            report(model)

    Raises:
        PipelineError: it is no truth value of this pipeline.
    """

    def __init__(self, condition: bool) -> None:
        builder = _builder("when()")
        holds = Condition(_decider(builder, condition, "when()"), True)
        super().__init__(builder, holds, holds)


class otherwise(_Branch):
    """Run the steps inside only where the condition of the ``when`` before is false.

    Raises:
        PipelineError: it does not stand directly behind a ``with when(...)``.
    """

    def __init__(self) -> None:
        builder = _builder("otherwise()")
        before = builder.before
        if before is None:
            raise PipelineError(
                f"{here()}: otherwise() stands directly behind a `with when(...)`, and here is none"
            )
        super().__init__(builder, Condition(before.of, not before.holds), None)


def either(then: T, other: U, *, when: bool) -> T | U:
    """Join two ways: ``then`` where ``when`` is true, else ``other``.

    Each may be what a step under that condition gives, what any step gives, a parameter, or a
    plain value. The step that takes the result runs whichever way was taken.

    Raises:
        PipelineError: ``when`` is no truth value of this pipeline.
    """
    builder = _builder("either()")
    decider = _decider(builder, when, "either()")
    where = f"{here()}: either()"
    first, kind = builder.binding(then, UNKNOWN, where)
    second, other_kind = builder.binding(other, UNKNOWN, where)
    kinds = (kind or typecheck.type_of(then), other_kind or typecheck.type_of(other))
    binding = Either(decider, first, second)
    label = f"either() of {_label(then)} and {_label(other)}"
    return cast("T | U", Symbolic(builder, binding, union(kinds), label))


def _builder(word: str) -> Builder:
    found = current.get()
    if found is None:
        raise PipelineError(
            f"{here()}: {word} belongs in the function of a pipeline. Outside of one use `if`"
        )
    return found


def _decider(builder: Builder, condition: object, word: str) -> FromStep | FromParam:
    """The source of a truth value."""
    if not isinstance(condition, Symbolic):
        raise PipelineError(
            f"{here()}: {word} is given {condition!r}, which is known before the run. Use `if`, or "
            "give what a step returns or a parameter of the pipeline"
        )
    builder.own(condition, word)
    kind, binding = condition._type, condition._binding
    if not typecheck.fits(kind, _BOOL):
        raise PipelineError(
            f"{here()}: {word} takes bool, and is given {kind.name} from {condition._label}. Let a "
            "step return the truth value"
        )
    if not isinstance(binding, FromStep | FromParam):
        raise PipelineError(
            f"{here()}: {word} takes one output of a step or a parameter, not {condition!r}"
        )
    builder.check_ways(binding, tuple(builder.branches), f"{here()}: {word}")
    return binding


def _label(way: Any) -> str:
    return way._label if isinstance(way, Symbolic) else repr(way)
