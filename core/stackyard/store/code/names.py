"""The normal form of source text, and the names that it refers to.

The normal form is the syntax tree as text, without what has no meaning: comments, layout, line
numbers, docstrings, ``pass``, quotes around annotations, annotations of local variables.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from stackyard.store.code.known import DYNAMIC_ATTRIBUTES, TEXT_NAME, WORD
from stackyard.store.code.scope import Scope
from stackyard.store.code.summary import Import, Ref, Requirement

_SKIPPED = frozenset(("ctx", "kind", "type_comment", "type_ignores", "lineno"))


def chain(node: ast.AST) -> tuple[ast.Name, list[str]] | None:
    """``a.b.c`` as the name ``a`` and the attributes; None for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node, attributes[::-1]) if isinstance(node, ast.Name) else None


def _atom(value: object) -> str:
    """A part that is no node; ``1``, ``1.0`` and ``True`` differ, and so does what is not there."""
    if value is None:
        return "~"
    if type(value) is int:
        return hex(value)  # long decimal numbers cannot be written
    return repr(value)


class Names:
    """Reads names, attributes and literals, and everything that has no rule of its own."""

    visitors: ClassVar[dict[type, Callable[[Any, Any], None]]] = {}

    def __init__(self, *, lazy_annotations: bool, importers: frozenset[str]) -> None:
        self.out: list[str] = []
        self.docs: list[str] = []
        self.refs: dict[Ref, None] = {}
        self.requires: dict[Requirement, None] = {}
        self.loads: list[Import] = []
        self.later: list[Import] = []
        self.writes: set[str] = set()
        self.global_imports: list[tuple[str, Import]] = []
        self.attributes: dict[str, int] = {}
        self.stores: set[str] = set()
        self.effect = self.annotated = False
        self._seen: set[tuple[object, ...]] = set()
        self._scopes: list[Scope] = []
        self._classes: list[str] = []
        self._deferred = 0
        self._annotation = False
        self._lazy_annotations = lazy_annotations
        self._importers = importers

    # Names

    def _scope_of(self, name: str) -> Scope | None:
        """The scope that binds ``name``; None for a global one."""
        inner = True
        for scope in reversed(self._scopes):
            if name in scope.globals:
                return None
            if name in scope.names and (inner or not scope.is_class):
                return scope
            inner = False
        return None

    def _global(self, name: str) -> str:
        private = self._classes and name.startswith("__") and not name.endswith("__")
        return f"_{self._classes[-1].lstrip('_')}{name}" if private else name

    def _found(self, name: str, rest: Sequence[str], line: int, how: str = "") -> list[Ref]:
        """What a name in this place refers to outside of the statement."""
        how = "?" if self._annotation and not how else how
        attributes = ".".join(rest)
        scope = self._scope_of(name)
        if scope is None:
            return [Ref(self._global(name), attributes, line, how, None)]
        found = [Ref("", attributes, line, how, origin) for origin in scope.imports.get(name, ())]
        if scope.is_class:  # the name may not be bound yet, and then it is a global one
            found.append(Ref(self._global(name), attributes, line, "?", None))
        return found

    def _refer(self, name: str, rest: Sequence[str], line: int, how: str = "") -> None:
        if name in ("locals", "vars") and not self._deferred:
            name = "globals"  # which is what they are outside of a function
        for ref in self._found(name, rest, line, how):
            key = (ref.root, ref.rest, ref.how, ref.origin)
            if key not in self._seen:
                self._seen.add(key)
                self.refs[ref] = None

    def _text(self, text: str, *, words: bool) -> None:
        """Variables that a library may look up by the names inside a text."""
        if words or ("~" in text and "~/" not in text):  # a formula: "y ~ center(x)"
            names = WORD.findall(text)
        else:
            names = TEXT_NAME.findall(text)
        for name in names:
            self._refer(name, (), 0, "?")

    # The normal form

    def visit(self, node: ast.AST) -> None:
        """Read one node with all that is below it."""
        special = self.visitors.get(type(node))
        if special is not None:
            special(self, node)
        else:
            self.generic(node)

    def generic(self, node: ast.AST, skip: str = "") -> None:
        """Read a node that has no rule of its own."""
        out = self.out
        out.append(type(node).__name__)
        out.append("(")
        for name in node._fields:
            if name in _SKIPPED or name == skip:
                continue
            value = getattr(node, name, None)
            if isinstance(value, list):
                self.many(value)
            elif isinstance(value, ast.AST):
                self.visit(value)
            else:
                out.append(_atom(value))
        out.append(")")

    def many(self, nodes: Iterable[object]) -> None:
        """Read a list of nodes; statements that do nothing are left out."""
        self.out.append("[")
        for node in nodes:
            if isinstance(node, ast.Pass):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                self.docs.append(_atom(node.value.value))
                continue
            if isinstance(node, ast.AST):
                self.visit(node)
            else:
                self.out.append(_atom(node))
        self.out.append("]")

    def _chain(self, node: ast.AST) -> None:
        """The normal form of ``a.b.c`` whose reference was noted already."""
        found = chain(node)
        assert found is not None
        self._note_attributes(found[1], found[0].lineno)
        self.out.append(".".join((found[0].id, *found[1])))

    def _note_attributes(self, names: Iterable[str], line: int) -> None:
        for name in names:
            if name in DYNAMIC_ATTRIBUTES:
                self.attributes.setdefault(name, line)

    def name(self, node: ast.Name) -> None:
        """A name, read or assigned."""
        self.out.append(node.id)
        if isinstance(node.ctx, ast.Load):
            self._refer(node.id, (), node.lineno)
        elif self._deferred and self._scopes and self._scope_of(node.id) is None:
            self.writes.add(node.id)

    def attribute(self, node: ast.Attribute) -> None:
        """``a.b``, read or assigned."""
        found = chain(node)
        stored = not isinstance(node.ctx, ast.Load)
        if stored:
            self._stored(node)
        if found is None:
            self._note_attributes((node.attr,), node.lineno)
            self.visit(node.value)
            self.out.append(f".{node.attr}")
        else:
            self._refer(found[0].id, found[1], node.lineno, "?" if stored else "")
            self._chain(node)

    def subscript(self, node: ast.Subscript) -> None:
        """``a[b]``, read or assigned."""
        if not isinstance(node.ctx, ast.Load):
            self._stored(node)
        found = chain(node.value)
        last = "" if found is None else (found[1] or [found[0].id])[-1]
        if not self._annotation or last not in ("Literal", "Annotated"):
            self.generic(node)
            return
        self.visit(node.value)
        plain = [node.slice]
        if last == "Annotated" and isinstance(node.slice, ast.Tuple):
            self.visit(node.slice.elts[0])
            plain = node.slice.elts[1:]
        self._annotation = False
        self.many(plain)
        self._annotation = True

    def _stored(self, node: ast.AST) -> None:
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if not self._deferred:
            self.effect = True
            self.stores.add(node.id if isinstance(node, ast.Name) else "")
        elif isinstance(node, ast.Name) and self._scope_of(node.id) is None:
            self.writes.add(node.id)

    def constant(self, node: ast.Constant) -> None:
        """A literal; inside an annotation, text is an annotation too."""
        value = node.value
        if isinstance(value, str):
            if self._annotation:
                try:
                    self.visit(ast.parse(value.strip(), mode="eval").body)
                    return
                except (SyntaxError, ValueError):
                    pass
            self._text(value, words=False)
        self.out.append(f"={_atom(value)}" if value is not None else "=None")

    def operation(self, node: ast.BinOp) -> None:
        """``a + b + c`` without a level of recursion for each operand."""
        spine: list[ast.BinOp] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            spine.append(left)
            left = left.left
        self.out.append("BinOp(")
        self.visit(left)
        for part in reversed(spine):
            marks = isinstance(part.op, ast.LShift | ast.RShift | ast.MatMult)
            if marks and not self._deferred and not isinstance(part.left, ast.Constant):
                self.effect = True  # operators that some libraries use to change an operand
            self.out.append(type(part.op).__name__)
            self.visit(part.right)
        self.out.append(")")
