"""Whether one class is a subclass of another, of which perhaps only the dotted names are known.

A class that is known by name alone is looked up in the source or stub files of its package, which
are parsed and never imported. That happens only where two names differ.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stackyard.annotation import imported_names, public_name

_DEPTH = 12  # re-exports followed; more would be a circle
_HOOK = "__subclasshook__"  # a class that asks for methods, not for ancestors, as os.PathLike


@dataclass(frozen=True)
class _Source:
    """What a module's file binds at its top level."""

    module: str
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # imported name -> dotted name
    stars: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Definition:
    """Where a class is defined."""

    source: _Source
    node: ast.ClassDef

    @property
    def name(self) -> str:
        return f"{self.source.module}.{self.node.name}"


def is_subclass(one: type | str, other: type | str) -> bool | None:
    """Return True or False where it is known, None where it is not."""
    if isinstance(one, type) and isinstance(other, type):
        try:
            return issubclass(one, other)
        except TypeError:  # a Protocol with data members, for one
            return None
    if _short(one) == _short(other):  # nearly every edge: one class under one name or two
        return True
    names = _names_of(other)
    if names is None:
        return None
    ancestors, complete = _ancestors(one)
    if ancestors & names or {_short(a) for a in ancestors} & {_short(n) for n in names}:
        return True
    return False if complete else None


def _short(cls: type | str) -> str:
    """Top-level package and class: a class is often known by more than one path."""
    top, _, rest = (cls if isinstance(cls, str) else _full_name(cls)).partition(".")
    return f"{top}.{rest.rpartition('.')[2]}"


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _names_of(cls: type | str) -> set[str] | None:
    """The names under which ``cls`` may appear among ancestors, None if names do not decide."""
    if isinstance(cls, type):
        structural = cls.__module__ in ("collections.abc", "typing") or _HOOK in vars(cls)
        return None if structural else {_full_name(cls), public_name(cls)}
    found = _definition(cls, 0)
    if found is None:
        return None
    structural = any(getattr(part, "name", "") == _HOOK for part in found.node.body)
    ancestors, _ = _ancestors(found.name)
    return None if structural or "typing.Protocol" in ancestors else {cls, found.name}


def _ancestors(cls: type | str) -> tuple[set[str], bool]:
    """Names of ``cls`` and its base classes, and whether these are all."""
    if isinstance(cls, type):
        return {
            name for base in cls.__mro__ for name in (_full_name(base), public_name(base))
        }, True
    names: set[str] = set()
    complete = True
    waiting = [cls]
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.add(name)
        if name.startswith("builtins.") or name in ("typing.Generic", "typing.Protocol"):
            continue
        found = _definition(name, 0)
        if found is None:
            complete = False
            continue
        names.add(found.name)
        for base in found.node.bases:
            dotted = _dotted(base, found.source)
            if dotted is None:
                complete = False
            else:
                waiting.append(dotted)
    return names, complete


def _dotted(base: ast.expr, source: _Source) -> str | None:
    if isinstance(base, ast.Subscript):  # Generic[T]
        return _dotted(base.value, source)
    if isinstance(base, ast.Attribute):
        owner = _dotted(base.value, source)
        return None if owner is None else f"{owner}.{base.attr}"
    if not isinstance(base, ast.Name):
        return None
    if base.id in source.classes:
        return f"{source.module}.{base.id}"
    if base.id in source.names:
        return source.names[base.id]
    return f"builtins.{base.id}" if hasattr(builtins, base.id) else None


def _definition(dotted: str, depth: int) -> _Definition | None:
    """Follow re-exports to the class statement of ``dotted``."""
    module, _, name = dotted.rpartition(".")
    source = _source(module) if module and depth < _DEPTH else None
    if source is None:
        return None
    if name in source.classes:
        return _Definition(source, source.classes[name])
    if name in source.names:
        return _definition(source.names[name], depth + 1)
    for star in source.stars:
        found = _definition(f"{star}.{name}", depth + 1)
        if found is not None:
            return found
    return None


@cache
def _source(module: str) -> _Source | None:
    """Parse the file of ``module``, a stub before the source; None if there is none."""
    file = _file(module)
    if file is None:
        return None
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return None
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    source = _Source(module)
    top = ast.Module(list(_top_level(tree.body)), [])
    source.classes.update({n.name: n for n in top.body if isinstance(n, ast.ClassDef)})
    plain = [n for n in top.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names = imported_names(ast.Module(list(plain), []), package)
    star = names.pop("*", None)
    source.names.update(names)
    if star is not None:
        for node in plain:
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                [origin] = imported_names(ast.Module([node], []), package).values()
                source.stars.append(origin.removesuffix(".*"))
    return source


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also below ``if`` and ``try``."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _top_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [part for handler in node.handlers for part in handler.body]
            yield from _top_level([*node.body, *handlers, *node.orelse])


@cache
def _file(module: str) -> Path | None:
    """The stub or source file of ``module``, found without importing its parents."""
    from importlib.machinery import PathFinder

    top, *rest = module.split(".")
    spec = PathFinder.find_spec(top)
    if spec is None:
        return None
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    if not folders:
        return Path(spec.origin) if spec.origin and not rest and spec.has_location else None
    for part in rest[:-1]:
        folders = [folder / part for folder in folders if (folder / part).is_dir()]
    for folder in folders:
        paths = (
            [folder / rest[-1], folder / rest[-1] / "__init__"] if rest else [folder / "__init__"]
        )
        for path in paths:
            for suffix in (".pyi", ".py"):
                file = path.with_name(path.name + suffix)
                if file.is_file():
                    return file
    return None
