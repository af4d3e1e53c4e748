"""Reads one statement: its normal form, the names it refers to, what executing it would call."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, TypeAlias

from stackyard.store.code.calls import Calls
from stackyard.store.code.names import chain
from stackyard.store.code.scope import Scope, bound, loaded, parameters, targets
from stackyard.store.code.summary import Ref

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Walker(Calls):
    """Walks over one top-level statement, or a part of it."""

    def function(self, node: Function, *, decorators: bool = True) -> None:
        """A function: defaults and annotations are evaluated here, its body when it is called."""
        out = self.out
        out.append(f"{type(node).__name__} {node.name}(")
        if decorators:
            for decorator in node.decorator_list:
                self.decorator(decorator)
        generic = self._type_parameters(node)
        self._arguments(node.args)
        if node.returns is not None:
            out.append("->")
            self.annotation(node.returns)
        inner = bound(node.body)
        inner.names |= parameters(node.args)
        self._body(node.body, inner)
        if generic:
            self._scopes.pop()
        out.append(")")

    def _arguments(self, args: ast.arguments) -> None:
        for part in (args.posonlyargs, args.args, (args.vararg,), args.kwonlyargs, (args.kwarg,)):
            self.out.append("[")
            for arg in part:
                if arg is not None:
                    self.out.append(f"{arg.arg}:")
                    if arg.annotation is not None:
                        self.annotation(arg.annotation)
            self.out.append("]")
        self.many(args.defaults)
        self.many(args.kw_defaults)

    def _body(self, body: Sequence[ast.AST], scope: Scope) -> None:
        for name, origins in scope.imports.items():
            if name in scope.globals:
                self.global_imports.extend((name, origin) for origin in origins)
        self._scopes.append(scope)
        self._deferred += 1
        annotation, self._annotation = self._annotation, False
        self.many(body)
        self._annotation = annotation
        self._deferred -= 1
        self._scopes.pop()

    def lambda_(self, node: ast.Lambda) -> None:
        """A lambda, like a function."""
        self.out.append("Lambda(")
        self._arguments(node.args)
        inner = bound([node.body])
        inner.names |= parameters(node.args)
        self._body([node.body], inner)
        self.out.append(")")

    def class_(self, node: ast.ClassDef, *, decorators: bool = True) -> None:
        """A class: its body is executed here."""
        self.out.append(f"ClassDef {node.name}(")
        if decorators:
            for decorator in node.decorator_list:
                self.decorator(decorator)
        generic = self._type_parameters(node)
        for base in node.bases:
            self._base(base, "base")
        for keyword in node.keywords:
            self.out.append(f"{keyword.arg}=")
            self._base(keyword.value, "meta" if keyword.arg == "metaclass" else "")
        scope = bound(node.body, is_class=True)
        for origin in (o for origins in scope.imports.values() for o in origins):
            self.refs[Ref("", "", node.lineno, "", origin)] = None
        self._scopes.append(scope)
        self._classes.append(node.name)
        self.many(node.body)
        self._classes.pop()
        self._scopes.pop()
        if generic:
            self._scopes.pop()
        self.out.append(")")

    def _base(self, node: ast.expr, mode: str) -> None:
        inner = node.value if isinstance(node, ast.Subscript) else node
        found = chain(inner)
        if mode and not self._deferred:
            if found is not None:
                self._need(mode, found, node.lineno)
            elif not isinstance(inner, ast.Call):
                self.effect = True
        self.visit(node)

    def _type_parameters(self, node: ast.AST) -> bool:
        """``def f[T]()``: a scope around the definition (Python 3.12)."""
        given: list[Any] = getattr(node, "type_params", [])
        if given:
            self._scopes.append(Scope({parameter.name for parameter in given}))
            self.many(given)
        return bool(given)

    def type_alias(self, node: Any) -> None:
        """``type X = ...`` (Python 3.12): evaluated when it is used."""
        self.out.append(f"TypeAlias {node.name.id}=")
        generic = self._type_parameters(node)
        self._deferred += 1
        self.annotation(node.value)
        self._deferred -= 1
        if generic:
            self._scopes.pop()

    def annotation(self, node: ast.expr) -> None:
        """An annotation: names that do not resolve are for type checkers only."""
        self.annotated = True
        before, self._annotation = self._annotation, True
        self.visit(node)
        self._annotation = before

    def annotated_assignment(self, node: ast.AnnAssign) -> None:
        """``x: T = y``; of a local variable the annotation is never evaluated."""
        local = self._deferred and self._scopes and not self._scopes[-1].is_class
        if local:
            self.generic(node, skip="annotation")
            return
        self.generic(node, skip="annotation")
        self.annotation(node.annotation)

    def comprehension(self, node: Comprehension) -> None:
        """A comprehension: all but its first iterable is read in a scope of its own."""
        self.out.append(f"{type(node).__name__}(")
        first = node.generators[0]
        self.visit(first.iter)
        self._scopes.append(Scope(targets(node.generators)))
        for generator in node.generators:
            self.visit(generator.target)
            if generator is not first:
                self.visit(generator.iter)
            self.out.append(f"|{generator.is_async}")
            self.many(generator.ifs)
        if isinstance(node, ast.DictComp):
            self.visit(node.key)
            self.out.append(":")
            self.visit(node.value)
        else:
            self.visit(node.elt)
        self._scopes.pop()
        self.out.append(")")

    def import_(self, node: ast.Import | ast.ImportFrom) -> None:
        """An import inside a statement: executed with it, or when its function is called."""
        self.generic(node)
        (self.later if self._deferred else self.loads).extend(loaded(node))

    def doing(self, node: ast.AST) -> None:
        """A statement that does something whatever its parts are."""
        self.effect = self.effect or not self._deferred
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._refer(node.target.id, (), node.lineno)  # read before it is written
        self.generic(node)


Walker.visitors = {
    ast.Name: Walker.name,
    ast.Attribute: Walker.attribute,
    ast.Subscript: Walker.subscript,
    ast.Constant: Walker.constant,
    ast.BinOp: Walker.operation,
    ast.Call: Walker.call,
    ast.FunctionDef: Walker.function,
    ast.AsyncFunctionDef: Walker.function,
    ast.ClassDef: Walker.class_,
    ast.Lambda: Walker.lambda_,
    ast.AnnAssign: Walker.annotated_assignment,
    ast.ListComp: Walker.comprehension,
    ast.SetComp: Walker.comprehension,
    ast.DictComp: Walker.comprehension,
    ast.GeneratorExp: Walker.comprehension,
    ast.Import: Walker.import_,
    ast.ImportFrom: Walker.import_,
    **dict.fromkeys(
        (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Raise, ast.Assert,
         ast.Delete, ast.AugAssign, ast.Await),
        Walker.doing,
    ),
}  # fmt: skip
if hasattr(ast, "TypeAlias"):
    Walker.visitors[ast.TypeAlias] = Walker.type_alias
