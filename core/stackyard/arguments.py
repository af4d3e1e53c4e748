"""The arguments of a step call in a pipeline: matched to parameters, and plain data among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from stackyard.errors import PipelineError, suggest
from stackyard.graph import Json
from stackyard.location import here
from stackyard.signature import MISSING

if TYPE_CHECKING:
    from stackyard.building import Node


def arrange(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Match the call's arguments to parameters by position and keyword."""
    signature = node.signature
    label = f"step {node.name!r}"
    names = [argument.name for argument in signature.arguments]
    takes = f"It takes: {', '.join(names) or 'nothing'}"
    if len(args) > len(signature.positional):
        raise PipelineError(
            f"{here()}: {label} is given {len(args)} arguments by position and takes "
            f"{len(signature.positional)}. {takes}"
        )
    given = dict(zip(signature.positional, args, strict=False))
    for name, value in kwargs.items():
        if name in given:
            raise PipelineError(f"{here()}: {label}: parameter {name!r} is given twice")
        given[name] = value
    for name in given:
        if name in signature.injections:
            raise PipelineError(
                f"{here()}: {label}: parameter {name!r} is injected from the stack; leave it out"
            )
        if name not in names:
            raise PipelineError(
                f"{here()}: {label} has no parameter {name!r}. {takes}.{suggest(name, names)}"
            )
    missing = [a.name for a in signature.arguments if a.default is MISSING and a.name not in given]
    if missing:
        raise PipelineError(f"{here()}: {label}: missing {', '.join(map(repr, missing))}. {takes}")
    return given


def is_json(value: Json) -> bool:
    """Whether ``value`` is exactly what JSON gives back: a tuple or an enum is not."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(is_json, value))
    return kind is dict and all(type(key) is str and is_json(v) for key, v in value.items())


def copy(value: Json) -> Json:
    """The same plain data, which the pipeline cannot change any more."""
    if isinstance(value, list):
        return [copy(item) for item in value]
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    return value
