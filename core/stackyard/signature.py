"""What the signature of a step function says: arguments, injections, outputs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from stackyard.annotation import UNKNOWN, Scope, Type, read
from stackyard.components.base import Component
from stackyard.errors import PipelineError
from stackyard.graph import KINDS, Injection, check_name
from stackyard.location import defined, here

MISSING: Any = type("MISSING", (), {"__repr__": lambda self: "MISSING"})()


class FromStack:
    """What ``from_stack()`` returns: a mark that stands for whatever the stack injects."""

    __slots__ = ("instance",)

    def __init__(self, instance: str | None) -> None:
        self.instance = instance

    def __repr__(self) -> str:
        return f"from_stack({self.instance!r})" if self.instance else "from_stack()"


def from_stack(instance: str | None = None) -> Any:
    """Mark a keyword parameter of a step as given by the stack, not by the caller.

    The annotation says what is asked for: ``tracker: Tracker = from_stack()`` is the stack's
    tracker, ``Tracker | None`` one that may be missing, a subclass of ``Resource`` the resource
    called ``instance`` or else like the parameter.

    Args:
        instance: name of one of several components of a kind, e.g. ``feature_store.inhouse``.
    """
    return FromStack(None if instance is None else check_name(instance, f"{here()}: instance"))


class Resource:
    """Base class of the user's own connections, configured per stack.

    A stack file names the class and gives its keyword arguments:
    ``resources: {warehouse: {class: acme_flights:Warehouse, dsn: ...}}``. The constructor should
    store them and connect at first use; ``close`` is called when the step has ended.
    """

    def close(self) -> None:
        """Release what the resource holds. May be called twice."""


@dataclass(frozen=True)
class Argument:
    """One parameter of a step or pipeline function; ``default`` is MISSING where there is none."""

    name: str
    type: Type
    default: Any = MISSING


@dataclass(frozen=True)
class Signature:
    """A step function read once. ``arguments`` are bound in the pipeline, ``injections`` not."""

    arguments: tuple[Argument, ...]
    injections: dict[str, Injection]
    positional: tuple[str, ...]  # names of all parameters that may be given by position
    outputs: tuple[str, ...]
    output_types: tuple[Type, ...]
    result: Type  # the return annotation
    named: bool  # the outputs are the fields of a NamedTuple
    unnamed: str  # why they are not

    @property
    def record(self) -> str:
        """``module:Class`` of the NamedTuple."""
        cls = self.result.cls
        assert cls is not None
        return f"{cls.__module__}:{cls.__qualname__}"


_VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200


def plain(function: Any, what: str) -> FunctionType:
    """Return the Python function that carries the signature, under ``functools.wraps``.

    Raises:
        PipelineError: it is no function, or one that cannot be run as a step.
    """
    inner = function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    if not isinstance(inner, FunctionType):
        raise PipelineError(f"@{what} is for a function, not for {function!r}")
    code = inner.__code__
    label = f"{defined(code)}: {what} {inner.__name__!r}"
    if code.co_flags & (_COROUTINE | _ASYNC_GENERATOR):
        raise PipelineError(
            f"{label} is async. Write a plain function; steps run in parallel anyway"
        )
    if code.co_flags & _GENERATOR:
        raise PipelineError(f"{label} is a generator (it has a `yield`). Return a list instead")
    if code.co_flags & (_VARARGS | _VARKEYWORDS):
        raise PipelineError(
            f"{label} takes *args or **kwargs. Name every parameter; for many values of one kind "
            "take a list"
        )
    if code.co_posonlyargcount:
        raise PipelineError(f"{label} has positional-only parameters. Leave out the `/`")
    return inner


def parameters(function: FunctionType) -> list[Argument]:
    """Return the parameters of ``function`` in order, defaults included."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    last = function.__defaults__ or ()
    defaults = dict(zip(names[code.co_argcount - len(last) : code.co_argcount], last, strict=True))
    defaults.update(function.__kwdefaults__ or {})
    hints = function.__annotations__
    scope = scope_of(function)
    return [
        Argument(
            name,
            read(hints[name], scope) if name in hints else UNKNOWN,
            defaults.get(name, MISSING),
        )
        for name in names
    ]


def scope_of(function: FunctionType) -> Scope:
    """Return where the annotations of ``function`` are looked up."""
    return Scope(function.__globals__, function.__code__.co_filename)


def read_step(function: FunctionType) -> Signature:
    """Read the signature of a step function.

    Raises:
        PipelineError: a parameter is injected, but its annotation is no component or resource.
    """
    label = f"{defined(function.__code__)}: step {function.__name__!r}"
    arguments: list[Argument] = []
    injections: dict[str, Injection] = {}
    for argument in parameters(function):
        check_name(argument.name, f"{label}: parameter")
        if isinstance(argument.default, FromStack):
            injections[argument.name] = _injection(argument, argument.default, label)
        else:
            arguments.append(argument)
    result = UNKNOWN
    if "return" in function.__annotations__:
        result = read(function.__annotations__["return"], scope_of(function))
    fields = _fields(result)
    if fields is not None and list(fields) == ["result"]:
        raise PipelineError(
            f"{label}: the only output of {result.name} is called 'result', as if it had no name. "
            "Call it something else, or return it without the NamedTuple"
        )
    if fields is not None:
        for name in fields:
            check_name(name, f"{label}: output")
        outputs, types = tuple(fields), tuple(fields.values())
    elif result.name == "None":
        outputs, types = (), ()
    else:
        outputs, types = ("result",), (result,)
    return Signature(
        tuple(arguments),
        injections,
        function.__code__.co_varnames[: function.__code__.co_argcount],
        outputs,
        types,
        result,
        fields is not None,
        _why_unnamed(result),
    )


def _fields(result: Type) -> dict[str, Type] | None:
    """Names and types of the fields where ``result`` is a live NamedTuple, else None."""
    cls = result.cls
    names: Any = getattr(cls, "_fields", None)
    if cls is None or not issubclass(cls, tuple) or not names:
        return None
    module = sys.modules.get(cls.__module__)
    scope = Scope(vars(module) if module else {}, getattr(module, "__file__", None) or "")
    hints = vars(cls).get("__annotations__", {})
    return {name: read(hints[name], scope) if name in hints else UNKNOWN for name in names}


def _why_unnamed(result: Type) -> str:
    if not result.name:
        return "it has no return annotation, so it has one output"
    if result.form == "class" and result.cls is None:
        return (
            f"its annotation {result.name} is imported for type checkers only, so it has one output"
        )
    return f"it returns one {result.name}"


def _injection(argument: Argument, mark: FromStack, label: str) -> Injection:
    """Return what the annotation of an injected parameter asks of the stack."""
    asked = argument.type.required
    cls = asked.cls or _imported(asked.name)
    where = f"{label}: parameter {argument.name!r}"
    if cls is not None and issubclass(cls, Resource):
        name = mark.instance or argument.name
        return Injection("resource", name, argument.type.optional, asked.name)
    kind = getattr(cls, "kind", None) if cls is not None and issubclass(cls, Component) else None
    if kind is None:
        shown = asked.name or "no annotation"
        raise PipelineError(
            f"{where}: from_stack() injects a component or a Resource, and {shown} is neither. "
            f"Kinds: {', '.join(KINDS)}. Annotate it, e.g. `{argument.name}: Tracker = "
            "from_stack()`"
        )
    return Injection(kind, mark.instance, argument.type.optional, asked.name)


def _imported(name: str) -> type | None:
    """The class of an injected parameter that is imported under TYPE_CHECKING only."""
    import importlib

    module, _, attribute = name.rpartition(".")
    try:
        found: Callable[..., Any] | None = getattr(importlib.import_module(module), attribute, None)
    except (ImportError, ValueError):
        return None
    return found if isinstance(found, type) else None
