"""Calls: what they refer to, and whether executing them at import may change something."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from stackyard.store.code.known import IMPORTERS, MUTATORS, PURE_METHODS, TEXT_READERS
from stackyard.store.code.names import Names, chain
from stackyard.store.code.summary import Requirement

_GETTERS = frozenset(("getattr", "hasattr", "setattr", "delattr"))
IMPORTING = frozenset(name.rpartition(".")[2] for name in IMPORTERS)
_ORDERING = frozenset(("sorted", "min", "max", "sort"))
_PROPERTY = frozenset(("setter", "getter", "deleter"))


class Calls(Names):
    """Reads calls and decorators."""

    def call(self, node: ast.Call) -> None:
        """A call: what it calls, and whether calling it at import may do something."""
        found = chain(node.func)
        self._require(node, found)
        self.out.append("Call(")
        arguments: list[ast.expr] = list(node.args)
        if found is None:
            self.visit(node.func)
        else:
            root, rest = found
            self._refer(root.id, rest, node.lineno, self._argument(node, rest or [root.id]))
            self._chain(node.func)
            if rest and rest[-1] in MUTATORS and self._deferred and not self._scope_of(root.id):
                self.writes.add(root.id)
            if not rest and root.id in _GETTERS and len(arguments) > 1:
                arguments = self._getter(arguments)
        self.many(arguments)
        self.many(node.keywords)
        self.out.append(")")
        last = node.func.attr if isinstance(node.func, ast.Attribute) else found and found[0].id
        if last in TEXT_READERS:
            for argument in node.args:
                for part in ast.walk(argument):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        self._text(part.value, words=True)

    def _argument(self, node: ast.Call, rest: Sequence[str]) -> str:
        """For what imports by name: the constant that it is given, or its constant beginning."""
        if rest[-1] not in IMPORTING | self._importers or not node.args:
            return ""
        first = node.args[0]
        more = ""
        if isinstance(first, ast.JoinedStr) and first.values:
            first, more = first.values[0], "*"
        elif isinstance(first, ast.BinOp):
            first, more = first.left, "*"
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return f"={first.value}{more}"
        return ""

    def _getter(self, arguments: list[ast.expr]) -> list[ast.expr]:
        """``getattr(a.b, "c")`` refers to ``a.b.c``; with a variable it may refer to anything."""
        found = chain(arguments[0])
        if found is None:
            return arguments
        name = arguments[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            self._refer(found[0].id, [*found[1], name.value], name.lineno)
            self._note_attributes((name.value,), name.lineno)
        else:
            self._refer(found[0].id, found[1], arguments[0].lineno, "getattr")
        self._chain(arguments[0])
        return arguments[1:]

    def _require(self, node: ast.Call, found: tuple[ast.Name, list[str]] | None) -> None:
        if self._deferred or (self._annotation and self._lazy_annotations):
            return
        last = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if found is None:
            inner = chain(node.func.func) if isinstance(node.func, ast.Call) else None
            if inner is not None:
                self._need("apply", inner, node.lineno)
            elif last not in PURE_METHODS:
                self.effect = True
            return
        ordering = last or found[0].id
        if ordering in _ORDERING and any(k.arg in ("key", None) for k in node.keywords):
            self.effect = True  # calls what it is given
        self._need("call", found, node.lineno)

    def _need(self, mode: str, found: tuple[ast.Name, list[str]], line: int) -> None:
        """Executing this calls ``found``: note it, or that nothing is known of it."""
        root, rest = found
        scope = self._scope_of(root.id)
        if scope is not None and not scope.imports.get(root.id):
            last = rest[-1] if rest else ""
            if last not in PURE_METHODS and last not in _PROPERTY:
                self.effect = True
            return
        for ref in self._found(root.id, rest, line):
            self.requires[Requirement(mode, ref._replace(line=0, how=""))] = None

    def decorator(self, node: ast.expr) -> None:
        """A decorator, whose own call is part of decorating."""
        inner = node.func if isinstance(node, ast.Call) else node
        found = chain(inner)
        if found is None:
            self.effect = self.effect or not self._deferred
            self.visit(node)
            return
        self._refer(found[0].id, found[1], node.lineno)
        if not self._deferred:
            mode = "decorate()" if isinstance(node, ast.Call) else "decorate"
            self._need(mode, found, node.lineno)
        self.out.append("@")
        self._chain(inner)
        if isinstance(node, ast.Call):
            self.out.append("(")
            self.many(node.args)
            self.many(node.keywords)
            self.out.append(")")
