"""Annotations as plain data, read without importing what only type checkers import.

A name that exists at run time is taken as the live class. One that is imported under
``if TYPE_CHECKING`` is found in the module's import statements and kept as its dotted name.
"""

from __future__ import annotations

import ast
import linecache
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

Form: TypeAlias = Literal["any", "class", "union", "literal"]


@dataclass(frozen=True)
class Type:
    """One annotation. ``name`` is what errors and the graph show, "" where nothing is known."""

    form: Form = "any"
    name: str = ""
    cls: type | None = None  # the live class; None where only the dotted name is known
    args: tuple[Type, ...] = ()  # of a generic class, or the members of a union
    values: tuple[Any, ...] = ()  # of a Literal

    @property
    def optional(self) -> bool:
        """Whether None is a member."""
        return self.cls is _NONE or any(member.cls is _NONE for member in self.args)

    @property
    def required(self) -> Type:
        """The same type without None."""
        return (
            union(tuple(m for m in self.args if m.cls is not _NONE))
            if self.form == "union"
            else self
        )


_NONE = type(None)
UNKNOWN = Type()
NONE = Type("class", "None", _NONE)


@dataclass(frozen=True)
class Scope:
    """Where names of an annotation are looked up: a module's globals and its source file."""

    names: Mapping[str, Any]
    file: str


def read(annotation: Any, scope: Scope) -> Type:
    """Return ``annotation``, live or text, as a ``Type``; what cannot be read is unknown."""
    if annotation is None:
        return NONE
    if isinstance(annotation, str):
        return _from_text(annotation, scope)
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return of_class(annotation)
    if isinstance(annotation, typing.ForwardRef):
        return _from_text(annotation.__forward_arg__, scope)
    if isinstance(annotation, typing.NewType):
        return read(annotation.__supertype__, scope)
    if hasattr(annotation, "__value__"):  # type X = ...
        return read(annotation.__value__, scope)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None:
        return UNKNOWN
    return _apply(origin, tuple(args), scope)


def of_class(cls: type) -> Type:
    """Return the type of a live class."""
    if cls is object or cls is typing.Any:  # Any is a class since Python 3.11
        return UNKNOWN
    return NONE if cls is _NONE else Type("class", public_name(cls), cls)


def union(members: tuple[Type, ...]) -> Type:
    """Return the union of ``members``, flat and without repetition."""
    flat = [m for member in members for m in (member.args if member.form == "union" else (member,))]
    once = tuple(dict.fromkeys(flat))
    if len(once) == 1:
        return once[0]
    if any(member.form == "any" for member in once):
        return UNKNOWN
    return Type("union", " | ".join(member.name for member in once), None, once)


@cache
def public_name(cls: type) -> str:
    """Return the dotted name under which people import ``cls``: from the outermost package."""
    module, name = cls.__module__, cls.__qualname__
    if module == "builtins":
        return name
    parts = module.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        names = vars(sys.modules[package]) if package in sys.modules else {}
        lazy = package == "stackyard" and name in names["__all__"]
        if lazy or names.get(name) is cls:
            return f"{package}.{name}"
    return f"{module}.{name}"


def _apply(origin: Any, args: tuple[Any, ...], scope: Scope) -> Type:
    """``origin[args]``, where both may be live objects or syntax."""
    if origin is typing.Literal:
        values = tuple(arg.value if isinstance(arg, ast.Constant) else arg for arg in args)
        if any(isinstance(value, ast.AST) for value in values):
            return UNKNOWN
        return Type("literal", f"Literal[{', '.join(map(repr, values))}]", None, (), values)
    if origin is typing.Annotated:
        return _either(args[0], scope)
    if origin is typing.Optional:
        return union((_either(args[0], scope), NONE))
    if origin in (typing.Union, types.UnionType):
        return union(tuple(_either(arg, scope) for arg in args))
    if origin in (typing.Final, typing.ClassVar):
        return _either(args[0], scope)
    live = typing.get_origin(origin) or origin  # typing.List -> list
    if not isinstance(live, type):
        return UNKNOWN
    return _generic(of_class(live), args, scope)


def _generic(base: Type, args: tuple[Any, ...], scope: Scope) -> Type:
    if base.form != "class" or base.cls is type or base.name == "collections.abc.Callable":
        return base
    kinds = tuple(UNKNOWN if _is_ellipsis(a) else _either(a, scope) for a in args)
    shown = [
        "..." if _is_ellipsis(a) else k.name or "Any" for a, k in zip(args, kinds, strict=True)
    ]
    if len(kinds) == 2 and _is_ellipsis(args[1]):  # tuple[int, ...] holds ints
        kinds = kinds[:1]
    return Type("class", f"{base.name}[{', '.join(shown)}]", base.cls, kinds)


def _is_ellipsis(arg: Any) -> bool:
    return arg is ... or (isinstance(arg, ast.Constant) and arg.value is ...)


def _either(part: Any, scope: Scope) -> Type:
    return _from_syntax(part, scope) if isinstance(part, ast.AST) else read(part, scope)


def _from_text(text: str, scope: Scope) -> Type:
    found = scope.names.get(text)
    if isinstance(found, type):
        return read(found, scope)
    try:
        return _from_syntax(ast.parse(text.strip(), mode="eval").body, scope)
    except SyntaxError:
        return UNKNOWN


def _from_syntax(node: ast.AST, scope: Scope) -> Type:
    match node:
        case ast.Constant(value=None):
            return NONE
        case ast.Constant(value=str(text)):
            return _from_text(text, scope)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union((_from_syntax(left, scope), _from_syntax(right, scope)))
        case ast.Subscript(value=value, slice=inner):
            args = tuple(inner.elts) if isinstance(inner, ast.Tuple) else (inner,)
            origin = _live(value, scope)
            if origin is not None:
                return _apply(origin, args, scope)
            base = _dotted(value, scope)
            special = getattr(typing, base.removeprefix("typing."), None) if base else None
            if special is not None and base is not None and base.startswith("typing."):
                return _apply(special, args, scope)
            return _generic(Type("class", base), args, scope) if base else UNKNOWN
        case ast.Name() | ast.Attribute():
            found = _live(node, scope)
            if found is not None:
                return read(found, scope)
            dotted = _dotted(node, scope)
            if dotted is None or dotted in ("typing.Any", "object"):
                return UNKNOWN
            return _generic_free(dotted)
    return UNKNOWN


def _generic_free(dotted: str) -> Type:
    """The class behind a dotted name: live if its module is loaded already, or is our own."""
    module, _, name = dotted.rpartition(".")
    if module == "stackyard" or module.startswith("stackyard."):
        import importlib

        found = getattr(importlib.import_module(module), name, None)
    else:
        found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return of_class(found) if isinstance(found, type) else Type("class", dotted)


def _live(node: ast.AST, scope: Scope) -> Any:
    """The object that a name or an attribute chain stands for now, else None."""
    if isinstance(node, ast.Name):
        import builtins

        return scope.names.get(node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        owner = _live(node.value, scope)
        return None if owner is None else getattr(owner, node.attr, None)
    return None


def _dotted(node: ast.AST, scope: Scope) -> str | None:
    """The dotted name that a name or an attribute chain stands for by the import statements."""
    if isinstance(node, ast.Name):
        return imports(scope.names.get("__package__") or "", scope.file).get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, scope)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


@cache
def imports(package: str, file: str) -> Mapping[str, str]:
    """Local names that the import statements of a module bind, with what they stand for."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # a notebook cell with magics
        return {}
    return imported_names(tree, package)


def imported_names(tree: ast.Module, package: str) -> dict[str, str]:
    """Local names that import statements anywhere in ``tree`` bind, with their dotted names."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = package.split(".")
                base = parts[: len(parts) - node.level + 1]
                origin = ".".join([*base, *filter(None, [origin])])
            for alias in node.names:
                found[alias.asname or alias.name] = f"{origin}.{alias.name}"
    return found
