"""Parameters of a pipeline: declared by annotations, given as text or values, kept as JSON."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from stackyard.annotation import UNKNOWN, Type
from stackyard.errors import ParameterError, PipelineError, suggest
from stackyard.graph import FromParam, Graph, Json, Param, check_name
from stackyard.period import SCHEDULED, Period, last_period
from stackyard.schema import coerce, decoded, encoded, example, schema_of
from stackyard.signature import MISSING, Argument, FromStack
from stackyard.surrogates import broken_texts
from stackyard.symbolic import Symbolic

if TYPE_CHECKING:
    from stackyard.building import Builder
    from stackyard.pipeline import StepFunction


_TAKEN = {
    "stack": "run(stack=...)",
    "stackyard": "what an orchestrator passes beside the parameters",
}


def declare(
    builder: Builder, arguments: list[Argument], label: str
) -> dict[str, tuple[Param, Symbolic]]:
    """Return each parameter of a pipeline function as data, and as its symbol.

    Raises:
        PipelineError: a parameter's type or default cannot be one of a pipeline.
    """
    declared = {}
    for argument in arguments:
        name = check_name(argument.name, f"{label}: parameter")
        where = f"{label}: parameter {name!r}"
        if name in _TAKEN:
            raise PipelineError(f"{where}: the name is taken, by {_TAKEN[name]}. Choose another")
        if isinstance(argument.default, FromStack):
            raise PipelineError(f"{where}: from_stack() belongs in the signature of a step")
        kind = argument.type
        if kind.form == "any" and argument.default is not MISSING and argument.default is not None:
            kind = _guess(argument.default)
        declared[name] = (
            _param(argument, kind, where, builder),
            Symbolic(builder, FromParam(name), kind, f"parameter {name!r}"),
        )
    return declared


def resolve(graph: Graph, given: Mapping[str, Any], now: datetime | None = None) -> dict[str, Json]:
    """Return every parameter of ``graph`` as plain JSON.

    Args:
        graph: the pipeline.
        given: text as of a command line, or values; the rest takes its default.
        now: the moment for which a scheduled period is the last complete one.

    Raises:
        ParameterError: a parameter is unknown, missing or of the wrong type.
    """
    known = {param.name: param for param in graph.params}
    for name in given:
        if name not in known:
            have = ", ".join(known) or "none"
            raise ParameterError(
                f"pipeline {graph.name!r} has no parameter {name!r}. Parameters: {have}."
                f"{suggest(name, list(known))}"
            )
    return {p.name: _value(graph, p, given.get(p.name, MISSING), now) for p in graph.params}


def decode(param: Param, value: Json) -> Any:
    """Return what a step is given for a parameter of the pipeline, e.g. a Period."""
    return decoded(param.schema, value)


def decode_argument(function: StepFunction[..., Any], name: str, value: Json) -> Any:
    """Return plain data as the annotation of the step's parameter ``name`` asks for it.

    Where the annotation says nothing of plain data, ``value`` is returned as it is.
    """
    for argument in function.signature.arguments:
        if argument.name == name:
            try:
                return decoded(schema_of(argument.type), value)
            except TypeError:
                return value
    return value


def is_scheduled(param: Param) -> bool:
    """Whether the default of ``param`` is ``Period.scheduled()``."""
    return param.type == "stackyard.Period" and not param.required and param.default is None


def _param(argument: Argument, kind: Type, where: str, builder: Builder) -> Param:
    try:
        schema = schema_of(kind)
    except TypeError as exc:
        raise PipelineError(
            f"{where}: {exc} cannot be given on a command line. Parameters are int, float, str, "
            "bool, list, dict, Literal, Enum, date, datetime, Period or None; let a step load "
            "anything else"
        ) from exc
    if argument.default is MISSING:
        return Param(argument.name, schema, None, True, kind.name)
    if argument.default is SCHEDULED:
        if kind.name != "stackyard.Period":
            raise PipelineError(f"{where} = Period.scheduled() must be annotated Period")
        schema = {"type": ["string", "null"], "format": "period"}
        return Param(argument.name, schema, None, False, kind.name)
    try:
        default = coerce(schema, encoded(argument.default), builder.timezone, strict=True)
    except (ValueError, TypeError) as exc:
        raise PipelineError(
            f"{where} takes {kind.name}, and its default is {argument.default!r}"
        ) from exc
    return Param(argument.name, schema, default, False, kind.name)


def _guess(default: Any) -> Type:
    """The type of a parameter without annotation, from its default."""
    from stackyard.annotation import of_class

    kinds = (bool, int, float, str, list, dict, enum.Enum, date, Period)
    return (
        of_class(Period if default is SCHEDULED else type(default))
        if isinstance(default, kinds)
        else UNKNOWN
    )


def _value(graph: Graph, param: Param, given: Any, now: datetime | None) -> Json:
    scheduled = is_scheduled(param)
    if given is MISSING or (scheduled and given in (None, "")):
        if param.required:
            raise ParameterError(
                f"pipeline {graph.name!r} needs parameter {param.name!r} "
                f"({param.type or 'any type'}). Give it: --param "
                f"{param.name}={example(param.schema)}"
            )
        return _scheduled(graph, param, now) if scheduled else param.default
    try:
        value = coerce(param.schema, encoded(given), graph.timezone)
        if any(broken_texts(value)):
            raise ValueError("half of a surrogate pair or bytes that are no UTF-8, so no text")
        return value
    except (ValueError, TypeError) as exc:
        where = f"pipeline {graph.name!r}, parameter {param.name!r}"
        if isinstance(exc.__cause__, ParameterError):  # it says itself what to write
            raise ParameterError(f"{where}: {exc}") from exc
        raise ParameterError(
            f"{where} takes {param.type or 'plain data'}, and is given {given!r}{_why(exc)}. "
            f"Write e.g. --param {param.name}={example(param.schema)}"
        ) from exc


def _why(exc: Exception) -> str:
    return f" ({exc})" if str(exc) else ""


def _scheduled(graph: Graph, param: Param, now: datetime | None) -> str:
    if graph.schedule is None:
        raise ParameterError(
            f"pipeline {graph.name!r} has no schedule on this stack, so parameter {param.name!r} "
            f"has no default. Give it: --param {param.name}=2013-01"
        )
    return str(last_period(graph.schedule, graph.timezone, now or datetime.now(UTC)))
