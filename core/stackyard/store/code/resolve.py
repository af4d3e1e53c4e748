"""Follows references from one unit of the project's code to the units that they name."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field

from stackyard.store.code.known import (
    AMBIENT,
    DYNAMIC,
    DYNAMIC_ATTRIBUTES,
    IMPORTERS,
    MODULE_ATTRIBUTES,
)
from stackyard.store.code.modules import Modules
from stackyard.store.code.summary import Decorator, Import, Ref, Summaries, Summary, Unit
from stackyard.store.digest import digest

_BUILTINS = frozenset(dir(builtins))
_AUTHORING = ("step", "pipeline")  # Stackyard's own decorators: their options do not count
# Used as an object, these give access to the names in DYNAMIC.
_OPEN = frozenset(("builtins", "gc", "importlib", "inspect", "pickle", "pkgutil", "sys"))


@dataclass(slots=True)
class Edges:
    """What a piece of code reaches. Dictionaries stand for sets that keep their order."""

    units: dict[tuple[str, int], str] = field(default_factory=dict)  # with attributes left over
    wholes: dict[str, str] = field(default_factory=dict)  # modules that count whole, and why
    loads: dict[str, None] = field(default_factory=dict)  # modules of the project it imports
    outside: dict[str, None] = field(default_factory=dict)  # dotted names beyond the project
    levels: list[tuple[str, str, str]] = field(default_factory=list)  # level, module, why


@dataclass(slots=True)
class _Search:
    """One reference on its way: from where, how it is used, what it has found."""

    edges: Edges
    where: str  # "helpers.py:12"
    how: str = ""
    seen: set[tuple[str, str, str]] = field(default_factory=set)


class Resolver:
    """Knows every module that was asked for; each is read at most once."""

    def __init__(self, modules: Modules, summaries: Summaries) -> None:
        self.modules = modules
        self._summaries = summaries
        self._read: dict[str, Summary] = {}
        self._edges: dict[tuple[str, int], Edges] = {}

    def summary(self, name: str) -> Summary:
        """The summary of a module of the project."""
        known = self._read.get(name)
        if known is None:
            module = self.modules.find(name)
            assert module is not None
            try:
                source = module.source()
            except OSError as error:
                known = Summary("", opaque=f"it cannot be read: {error.strerror}")
            else:
                compiled = Summary(digest(source), opaque="it is compiled")
                known = compiled if module.compiled else self._summaries.of(source)
            self._read[name] = known
        return known

    def place(self, name: str, line: int) -> str:
        """``helpers.py:12``."""
        module = self.modules.find(name)
        label = module.label if module is not None else name
        return f"{label}:{line}" if line else label

    # From a unit

    def edges(self, name: str, number: int) -> Edges:
        """What one unit of a module reaches directly."""
        known = self._edges.get((name, number))
        if known is None:
            known = self._edges[name, number] = self._follow_unit(name, number)
        return known

    def _follow_unit(self, name: str, number: int) -> Edges:
        edges = Edges()
        unit = self.summary(name).units[number]
        for ref in unit.refs:
            self._follow(name, ref, edges)
        for decorator in unit.decorators:
            if not self.is_authoring(name, decorator):
                for ref in decorator.refs:
                    self._follow(name, ref, edges)
        for origin in (*unit.loads, *unit.later):
            self._load(name, origin, edges, outside=unit.kind != "import" or unit.unused)
        for attribute, line in unit.attributes:
            why = f"{attribute} at {self.place(name, line)}"
            edges.levels.append((DYNAMIC_ATTRIBUTES[attribute], name, why))
        return edges

    def is_authoring(self, name: str, decorator: Decorator, only: str = "") -> bool:
        """Whether a decorator is Stackyard's ``step`` or ``pipeline``, under whatever name."""
        if not decorator.requires:
            return False
        names = (only,) if only else _AUTHORING
        edges = self.resolve(name, decorator.requires[0].ref)
        if any(self.summary(m).units[n].kind != "import" for m, n in edges.units):
            return False
        return bool(edges.outside) and all(
            dotted.startswith("stackyard.") and dotted.rpartition(".")[2] in names
            for dotted in edges.outside
        )

    def resolve(self, name: str, ref: Ref) -> Edges:
        """What a single reference reaches."""
        edges = Edges()
        self._follow(name, ref, edges)
        return edges

    def _follow(self, name: str, ref: Ref, edges: Edges) -> None:
        search = _Search(edges, self.place(name, ref.line), ref.how)
        rest = ref.rest.split(".") if ref.rest else []
        if ref.origin is not None:
            self.imported(name, ref.origin, rest, search)
        elif not self.lookup(name, ref.root, rest, search, builtin=True) and ref.how != "?":
            edges.wholes.setdefault(name, f"{ref.root} is not defined in it, {search.where}")

    def start(self, name: str, attribute: str) -> tuple[Edges, bool]:
        """What the name ``attribute`` of a module stands for, and whether it was found."""
        edges = Edges()
        return edges, self.lookup(name, attribute, [], _Search(edges, name))

    # Names

    def lookup(
        self, name: str, root: str, rest: Sequence[str], search: _Search, *, builtin: bool = False
    ) -> bool:
        """Follow the global name ``root`` of a module; True if anything may have bound it."""
        key = (name, root, ".".join(rest))
        if key in search.seen:
            return True
        search.seen.add(key)
        summary, edges = self.summary(name), search.edges
        if summary.opaque:
            edges.wholes.setdefault(name, summary.opaque)
            return True
        found = False
        for number, origin in summary.bindings.get(root, ()):
            found = True
            edges.units.setdefault((name, number), "" if origin else key[2])
            if origin is not None:
                self.imported(name, origin, rest, search)
        for number in summary.writers.get(root, ()):
            found = True
            edges.units.setdefault((name, number), key[2])
        for star in summary.stars:
            found = self._star(name, star, root, rest, search) or found
        if found or not builtin or root in summary.typing_only or root in AMBIENT:
            return found or (builtin and (root in summary.typing_only or root in AMBIENT))
        outside_star = any(
            self.modules.find(self.absolute(name, s) or "") is None for s in summary.stars
        )
        dotted = f"builtins.{root}"
        if root in _BUILTINS or dotted in DYNAMIC:
            self._outside(".".join((dotted, *rest)), name, search)
            return True
        return outside_star

    def _star(
        self, name: str, star: Import, root: str, rest: Sequence[str], search: _Search
    ) -> bool:
        base = self.absolute(name, star)
        if base is None:
            return False
        if self.modules.find(base) is None:
            search.edges.outside[base] = None
            return False
        search.edges.loads[base] = None
        self.lookup(base, "__all__", [], search)
        found = self.lookup(base, root, rest, search)
        if self.modules.find(f"{base}.{root}") is not None:
            self.module(f"{base}.{root}", rest, search, name)
            found = True
        return found

    def absolute(self, name: str, origin: Import) -> str | None:
        """The full name of the module in ``from ..module import attr``, seen from ``name``."""
        if not origin.level:
            return origin.module
        module = self.modules.find(name)
        parts = name.split(".")
        up = origin.level - (1 if module is not None and module.package else 0)
        if up >= len(parts) and up:
            return None
        base = parts[: len(parts) - up]
        return ".".join([*base, origin.module] if origin.module else base)

    def imported(self, name: str, origin: Import, rest: Sequence[str], search: _Search) -> None:
        """Follow a name that ``name`` got by an import."""
        base = self.absolute(name, origin)
        if base is None:
            return
        if not origin.attr:
            self.module(base, rest, search, name)
        elif self.modules.find(base) is None:
            self._outside(".".join((base, origin.attr, *rest)), name, search)
        else:
            self.module(base, [origin.attr, *rest], search, name)

    def module(self, base: str, rest: Sequence[str], search: _Search, name: str) -> None:
        """Follow ``rest`` from the module ``base``, which ``name`` refers to."""
        found = self.modules.find(base)
        edges = search.edges
        if found is None:
            self._outside(".".join((base, *rest)), name, search)
            return
        edges.loads[base] = None
        if not rest:
            use = "getattr on it" if search.how == "getattr" else "used as an object"
            use = "imported by name" if search.how.startswith("=") else use
            edges.wholes.setdefault(base, f"{use} at {search.where}")
            return
        attribute, deeper = rest[0], rest[1:]
        known = self.lookup(base, attribute, deeper, search)
        if self.modules.find(f"{base}.{attribute}") is not None:
            self.module(f"{base}.{attribute}", deeper, search, name)
        elif not known and not found.file and found.text is None:
            self._outside(".".join((base, *rest)), name, search)  # another part of a namespace
        elif not known and attribute not in MODULE_ATTRIBUTES and search.how != "?":
            dynamic = "__getattr__" in self.summary(base).bindings
            why = "its __getattr__" if dynamic else f"{attribute} is not defined in it"
            edges.wholes.setdefault(base, f"{why}, {search.where}")

    def _outside(self, dotted: str, name: str, search: _Search) -> None:
        """A name beyond the project: a library, or something that looks around."""
        edges = search.edges
        edges.outside[dotted] = None
        if search.how == "?":
            return
        if search.how.startswith("=") and dotted in IMPORTERS:
            self._by_name(search.how[1:], name, search)
            return
        parts = dotted.split(".")
        for end in range(1, len(parts) + 1):
            level = DYNAMIC.get(".".join(parts[:end]))
            if level is not None:
                edges.levels.append((level, name, f"{parts[end - 1]} at {search.where}"))
        if dotted in _OPEN:
            edges.levels.append(("project", name, f"{dotted} used as an object at {search.where}"))

    def _by_name(self, text: str, name: str, search: _Search) -> None:
        """``import_module("x")``, or with text that begins with x."""
        known = not text.endswith("*")
        target = text if known else text[:-1].rpartition(".")[0]
        if not target or target.startswith("."):
            why = f"imports by name at {search.where}"
            search.edges.levels.append(("project", name, why))
        elif self.modules.find(target) is None:
            search.edges.outside[target] = None
        else:
            self.module(target, [], search, name)

    def _load(self, name: str, origin: Import, edges: Edges, *, outside: bool) -> None:
        base = self.absolute(name, origin)
        if base is None:
            return
        if self.modules.find(base) is None:
            if outside:
                edges.outside[base] = None
            return
        edges.loads[base] = None
        if origin.attr and self.modules.find(f"{base}.{origin.attr}") is not None:
            edges.loads[f"{base}.{origin.attr}"] = None

    def imports(self, name: str, unit: Unit) -> Edges:
        """The modules that executing a unit imports."""
        edges = Edges()
        for origin in unit.loads:
            self._load(name, origin, edges, outside=True)
        return edges

    def whole(self, name: str) -> Edges:
        """What can be reached from a module as an object, beside its own units."""
        edges = Edges()
        search = _Search(edges, f"{self.place(name, 0)}, which counts whole", "?")
        for unit in self.summary(name).units:
            for _, origin in unit.binds:
                self.imported(name, origin, [], search)
        for below in self.modules.under(name):
            edges.wholes.setdefault(below, f"part of {name}, which counts whole")
        return edges
