"""Divides a module's source into units, the smallest things that count alone."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stackyard.store.code.calls import IMPORTING
from stackyard.store.code.known import DYNAMIC
from stackyard.store.code.names import chain
from stackyard.store.code.scope import bound, imports, loaded
from stackyard.store.code.summary import Decorator, Import, Ref, Summary, Unit
from stackyard.store.code.walk import Function, Walker
from stackyard.store.digest import digest

_BUILTINS = frozenset(dir(builtins))
_TYPING = ("typing", "typing_extensions")
_CONSTRUCTORS = frozenset(
    ("__init__", "__new__", "__post_init__", "__setattr__", "__set_name__", "__init_subclass__",
     "__getattribute__", "_missing_", "__attrs_post_init__")
)  # fmt: skip
_PLAIN_METHODS = frozenset(
    ("property", "staticmethod", "classmethod", "cached_property", "abstractmethod", "setter")
)
_PLAIN_FACTORIES = frozenset(("dict", "list", "set", "tuple", "frozenset", "deque", "Counter"))


def scan(source: bytes, text: str) -> Summary:
    """Return the summary of ``source``, whose digest is ``text``; opaque if it cannot be read."""
    try:
        return _Module(ast.parse(source)).summary(text)
    except SyntaxError as error:
        return Summary(text, opaque=f"it cannot be parsed, line {error.lineno}")
    except (ValueError, RecursionError) as error:
        return Summary(text, opaque=f"it cannot be parsed: {type(error).__name__}")


@dataclass(slots=True)
class _Part:
    """A top-level statement, and whether it stands below ``if __name__ == "__main__"``."""

    node: ast.stmt
    main: bool


@dataclass
class _Module:
    tree: ast.Module
    typing_only: set[str] = field(default_factory=set)
    stars: list[Import] = field(default_factory=list)

    def summary(self, text: str) -> Summary:
        self.lazy = False
        self.futures: list[str] = []
        self.checking = self._type_checking()
        self.importers = frozenset(self._importers())
        units = [unit for part in self._parts(self.tree.body, False) for unit in self._units(part)]
        defined = {name for unit in units for name in unit.names}
        used = {ref.root for unit in units for ref in _all_refs(unit)} | self._exported()
        for unit in units:
            unit.unused = unit.kind == "import" and not used.intersection(unit.names)
            if not self.stars:
                unit.refs = [r for r in unit.refs if r.root in defined or not _harmless(r)]
        only = sorted(self.typing_only - defined)
        return Summary(text, units, self.stars, only)

    # Statements

    def _parts(self, body: Sequence[ast.stmt], main: bool) -> Iterator[_Part]:
        for node in body:
            if isinstance(node, ast.If) and self._is_checking(node.test):
                self.typing_only |= bound(node.body).names
                yield from self._parts(node.orelse, main)
            elif isinstance(node, ast.If) and _is_main(node.test):
                yield from self._parts(node.body, True)
                yield from self._parts(node.orelse, main)
            elif not _does_nothing(node):
                yield _Part(node, main)

    def _type_checking(self) -> set[str]:
        """What ``typing.TYPE_CHECKING`` is called here."""
        known: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                known |= {
                    f"{alias.asname or alias.name}.TYPE_CHECKING"
                    for alias in node.names
                    if alias.name in _TYPING
                }
            elif isinstance(node, ast.ImportFrom) and node.module in _TYPING:
                known |= {a.asname or a.name for a in node.names if a.name == "TYPE_CHECKING"}
            elif "TYPE_CHECKING" in bound([node]).names:
                value = getattr(node, "value", None)
                if not isinstance(value, ast.Constant) or value.value is not False:
                    return set()
                known.add("TYPE_CHECKING")
        return known

    def _is_checking(self, test: ast.expr) -> bool:
        found = chain(test)
        return found is not None and ".".join((found[0].id, *found[1])) in self.checking

    def _importers(self) -> Iterator[str]:
        """Local names of functions that import by name."""
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom):
                yield from (a.asname for a in node.names if a.name in IMPORTING and a.asname)

    def _exported(self) -> set[str]:
        """Names listed in ``__all__``."""
        return {
            item.value
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
            for item in ast.walk(node.value)
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        }

    # Units

    def _units(self, part: _Part) -> Iterator[Unit]:
        node = part.node
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            self.futures += sorted(alias.name for alias in node.names)
            self.lazy = "annotations" in self.futures
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            units = self._imports(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            units = [self._definition(node)]
        else:
            units = [self._statement(node)]
        for unit in units:
            unit.main = part.main
            yield unit

    def _imports(self, node: ast.Import | ast.ImportFrom) -> list[Unit]:
        units = []
        pairs = zip(imports(node), loaded(node), node.names, strict=True)
        for (name, origin), load, alias in pairs:
            form = f"{type(node).__name__} {load} as {alias.asname}"
            unit = Unit("import", [name], node.lineno, digest(form), loads=[load])
            if name == "*":
                self.stars.append(origin)
                unit.names = []
            else:
                unit.binds = [(name, origin)]
            units.append(unit)
        return units

    def _definition(self, node: Function | ast.ClassDef) -> Unit:
        walker = self._walker()
        if isinstance(node, ast.ClassDef):
            unit = Unit("class", [node.name], node.lineno)
            walker.class_(node, decorators=False)
            unit.hooks = any(_name_of(n) == "__init_subclass__" for n in node.body)
            unit.record = _is_record(node)
        else:
            unit = Unit("function", [node.name], node.lineno)
            walker.function(node, decorators=False)
            unit.wrapper = _wrapper_depth(node)
        self._fill(unit, walker)
        for expression in node.decorator_list:
            single = self._walker()
            single.decorator(expression)
            made = digest("\n".join(single.out))
            unit.decorators.append(Decorator(made, [*single.refs], [*single.requires]))
            unit.effect = unit.effect or single.effect
        return unit

    def _statement(self, node: ast.stmt) -> Unit:
        walker = self._walker()
        walker.visit(node)
        scope = bound([node])
        self.stars += scope.stars
        names = sorted(scope.names)
        single = isinstance(node, ast.Assign | ast.AnnAssign) and len(names) > 0
        alias = type(node).__name__ == "TypeAlias"
        unit = Unit("constant" if single or alias else "statement", names, node.lineno)
        unit.plain = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        unit.binds = [(name, o) for name in names for o in scope.imports.get(name, ())]
        self._fill(unit, walker)
        return unit

    def _walker(self) -> Walker:
        return Walker(lazy_annotations=self.lazy, importers=self.importers)

    def _fill(self, unit: Unit, walker: Walker) -> None:
        if walker.annotated:
            walker.out += self.futures
        unit.digest = digest("\n".join(walker.out))
        unit.doc = digest("\n".join(walker.docs)) if walker.docs else ""
        unit.refs = [*walker.refs]
        unit.requires = [*walker.requires]
        unit.effect, unit.stores = walker.effect, sorted(walker.stores)
        unit.loads += walker.loads
        unit.later = walker.later
        unit.writes = sorted(walker.writes)
        unit.attributes = [*walker.attributes.items()]
        for name, origin in walker.global_imports:
            unit.names = [*dict.fromkeys([*unit.names, name])]
            unit.binds.append((name, origin))


def _all_refs(unit: Unit) -> Iterator[Ref]:
    yield from unit.refs
    for decorator in unit.decorators:
        yield from decorator.refs


def _harmless(ref: Ref) -> bool:
    """A builtin that does not look around, or text that names nothing here."""
    if ref.origin is not None:
        return False
    return ref.how == "?" or (ref.root in _BUILTINS and f"builtins.{ref.root}" not in DYNAMIC)


def _does_nothing(node: ast.stmt) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Pass)


def _is_main(test: ast.expr) -> bool:
    """``__name__ == "__main__"``."""
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, *test.comparators]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    values = [side.value for side in sides if isinstance(side, ast.Constant)]
    return len(sides) == 2 and names == ["__name__"] and values == ["__main__"]


def _wrapper_depth(node: Function) -> int:
    """How many calls deep a function only defines a function and returns it, as decorators do."""
    body = [n for n in node.body if not _does_nothing(n)]
    inner = {n.name: n for n in body[:-1] if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    if not body or len(inner) != len(body) - 1 or isinstance(node, ast.AsyncFunctionDef):
        return 0
    last = body[-1]
    if not isinstance(last, ast.Return) or not isinstance(last.value, ast.Name):
        return 0
    returned = inner.get(last.value.id)
    if returned is None or not all(_is_wraps(d) for n in inner.values() for d in n.decorator_list):
        return 0
    if any(n.args.defaults or n.args.kw_defaults for n in inner.values()):
        return 0
    return 1 + _wrapper_depth(returned)


def _is_wraps(node: ast.expr) -> bool:
    found = chain(node.func) if isinstance(node, ast.Call) else None
    return found is not None and (found[1] or [found[0].id])[-1] == "wraps"


def _is_record(node: ast.ClassDef) -> bool:
    """Whether making an instance only keeps its arguments, if the bases are so too."""
    if node.keywords or any(_name_of(n) in _CONSTRUCTORS for n in node.body):
        return False
    for inner in node.body:
        for decorator in getattr(inner, "decorator_list", ()):
            found = chain(decorator)
            if found is None or (found[1] or [found[0].id])[-1] not in _PLAIN_METHODS:
                return False
        for call in ast.walk(inner):
            if isinstance(call, ast.keyword) and call.arg in ("default_factory", "factory"):
                found = chain(call.value)
                if found is None or (found[1] or [found[0].id])[-1] not in _PLAIN_FACTORIES:
                    return False
    return True


def _name_of(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""
