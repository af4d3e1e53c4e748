"""Which keys a configuration class or a resource's constructor takes, and of which types."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stackyard.components.base import Secret


@dataclass(frozen=True)
class Key:
    """One key: its type as an annotation, and whether it must be given."""

    type: Any
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Shape:
    """The keys of one mapping; ``open``: others are taken too, whatever they are."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    open: bool = False


def shape_of(target: Any) -> Shape:
    """The keys that a dataclass or any other callable takes.

    Raises:
        NameError: an annotation of a dataclass names what does not exist at run time.
    """
    if isinstance(target, type) and dataclasses.is_dataclass(target):
        return _of_dataclass(target)
    return _of_callable(target)


def _of_dataclass(cls: type) -> Shape:
    hints = typing.get_type_hints(cls, include_extras=True)
    keys: dict[str, Key] = {}
    for item in dataclasses.fields(cls):
        if not item.init:
            continue
        default = item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        required = default is dataclasses.MISSING
        keys[item.name] = Key(hints[item.name], required, None if required else default)
    return Shape(keys)


def _of_callable(target: Any) -> Shape:
    keys: dict[str, Key] = {}
    open_ended = False
    constructor = getattr(target, "__init__", target) if isinstance(target, type) else target
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # a class written in C may have no signature
        return Shape(open=True)
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            open_ended = True
        elif parameter.kind in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            required = parameter.default is inspect.Parameter.empty
            hint = _live(parameter.annotation, constructor)
            keys[parameter.name] = Key(hint, required, None if required else parameter.default)
    return Shape(keys, open_ended)


def _live(annotation: Any, function: Any) -> Any:
    """The type that an annotation names; Any where it is for type checkers only."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    module = sys.modules.get(getattr(function, "__module__", ""))
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, vars(module) if module else {}, include_extras=True)[
            "it"
        ]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return Any


def plain_type(kind: Any) -> Any:
    """``kind`` without ``Annotated``, ``Final`` and the like."""
    while typing.get_origin(kind) in (typing.Annotated, typing.Final, typing.ClassVar):
        kind = typing.get_args(kind)[0]
    return kind


def members(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the type itself; None stands as ``NoneType``."""
    kind = plain_type(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def takes_secret(kind: Any) -> bool:
    """Whether a key of this type takes ``${secret:...}``: ``Secret`` or ``Secret | None``."""
    return Secret in members(kind)


def field_docs(cls: type) -> dict[str, str]:
    """What the ``Attributes:`` of Google style docstrings say, base classes included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, attributes = text.partition("Attributes:\n")
        for match in re.finditer(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", attributes, re.MULTILINE):
            found[match[1]] = " ".join(match[2].split())
    return found
