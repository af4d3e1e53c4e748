"""Which names a scope of Python source binds, so that a local name is not taken for a global one.

The rules are those of the language reference, section 4.2 "Naming and binding". A name that is
wrongly taken as local would hide what it refers to, so every doubt ends at "not local".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stackyard.store.code.summary import Import

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(slots=True)
class Scope:
    """A function, lambda, comprehension or class body that is being read."""

    names: set[str] = field(default_factory=set)
    imports: dict[str, list[Import]] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    is_class: bool = False
    stars: list[Import] = field(default_factory=list)


def bound(nodes: Iterable[ast.AST], *, is_class: bool = False) -> Scope:
    """The names that the statements ``nodes`` bind in the scope that they stand in."""
    scope = Scope(is_class=is_class)
    outer: set[str] = set()
    stack: list[ast.AST] = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                scope.names.add(node.id)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            if not isinstance(node, ast.Lambda):
                scope.names.add(node.name)
            stack.extend(_evaluated_outside(node))
        elif isinstance(node, _COMPREHENSIONS):
            stack.extend(_walrus_targets(node))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, origin in imports(node):
                if name == "*":
                    scope.stars.append(origin)
                else:
                    scope.names.add(name)
                    scope.imports.setdefault(name, []).append(origin)
        elif isinstance(node, ast.Global):
            scope.globals.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            outer.update(node.names)
        elif type(node).__name__ == "TypeAlias":  # Python 3.12; its parameters are its own
            scope.names.add(node.name.id)  # type: ignore[attr-defined]
        else:
            name = None
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
                name = node.name
            elif isinstance(node, ast.MatchMapping):
                name = node.rest
            if name is not None:
                scope.names.add(name)
            stack.extend(ast.iter_child_nodes(node))
    scope.names -= outer
    return scope


def _evaluated_outside(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda,
) -> Iterator[ast.AST]:
    """The parts of a definition that run where it stands, where ``:=`` binds."""
    if isinstance(node, ast.ClassDef):
        yield from (*node.decorator_list, *node.bases, *node.keywords)
        return
    if not isinstance(node, ast.Lambda):
        yield from node.decorator_list
    yield from node.args.defaults
    yield from (default for default in node.args.kw_defaults if default is not None)


def _walrus_targets(node: ast.AST) -> Iterator[ast.AST]:
    """``:=`` inside a comprehension binds in the scope around it."""
    stack = list(ast.iter_child_nodes(node))
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.NamedExpr):
            yield inner.target
        if not isinstance(inner, ast.Lambda):
            stack.extend(ast.iter_child_nodes(inner))


def imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Import]]:
    """Each name that an import binds ("*" for all), and what it stands for."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            origin = Import(node.level, node.module or "", alias.name)
            yield alias.asname or alias.name, origin
        elif alias.asname:
            yield alias.asname, Import(0, alias.name, "")
        else:
            top = alias.name.partition(".")[0]
            yield top, Import(0, top, "")


def loaded(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
    """What an import executes, which for ``import a.b`` is more than what it binds."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield Import(node.level, node.module or "", alias.name)
        else:
            yield Import(0, alias.name, "")


def parameters(args: ast.arguments) -> set[str]:
    """The names of a function's parameters."""
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return {arg.arg for arg in every if arg is not None}


def targets(generators: Iterable[ast.comprehension]) -> set[str]:
    """The names that the ``for`` parts of a comprehension bind, inside it."""
    return {
        name.id
        for generator in generators
        for name in ast.walk(generator.target)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
