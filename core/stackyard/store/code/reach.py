"""All that a step's code reaches: the closure of its references and of what importing does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stackyard.store.code.effects import Effects
from stackyard.store.code.resolve import Edges, Resolver

_NOTEBOOK = "__main__"


@dataclass
class Reach:
    """Grows by ``add``, ``load`` and ``whole``; ``finish`` follows everything to its end."""

    resolver: Resolver
    effects: Effects
    units: dict[str, dict[int, None]] = field(default_factory=dict)
    wholes: dict[str, str] = field(default_factory=dict)  # module -> why
    loaded: dict[str, None] = field(default_factory=dict)
    outside: dict[str, None] = field(default_factory=dict)
    docs: bool = False  # something reads docstrings
    texts: bool = False  # something reads the text of the code
    _loaded_whole: str = ""
    _project_whole: str = ""
    _todo: list[Edges] = field(default_factory=list)
    _idle: dict[int, None] = field(default_factory=dict)  # of a notebook: not known to matter

    def take(self, edges: Edges) -> None:
        """Add what something reaches."""
        self._todo.append(edges)

    def load(self, name: str) -> None:
        """A module is imported, after the packages that hold it."""
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            self._load(".".join(parts[:end]))

    def _load(self, name: str) -> None:
        if name in self.loaded or self.resolver.modules.find(name) is None:
            return
        self.loaded[name] = None
        summary = self.resolver.summary(name)
        if summary.opaque:
            self.whole(name, summary.opaque)
            self._whole_project(f"{self.resolver.place(name, 0)}: {summary.opaque}")
        if self._loaded_whole:
            self.whole(name, self._loaded_whole)
        for unit in summary.units:
            if unit.main and name != _NOTEBOOK:
                continue
            for module in self.resolver.imports(name, unit).loads:
                self.load(module)
        for number in self.effects.of(name):
            kind = summary.units[number].kind
            if name == _NOTEBOOK and kind in ("constant", "statement"):
                self._idle[number] = None
            else:
                self.add(name, number)

    def add(self, name: str, number: int) -> None:
        """A unit is reached, and so its module is loaded."""
        units = self.units.setdefault(name, {})
        if number not in units:
            units[number] = None
            self._idle.pop(number, None) if name == _NOTEBOOK else None
            self.load(name)
            self.take(self.resolver.edges(name, number))

    def whole(self, name: str, why: str) -> None:
        """A module counts whole, with all that can be reached from it as an object."""
        if name in self.wholes or self.resolver.modules.find(name) is None:
            return
        self.wholes[name] = why
        self.load(name)
        for number, unit in enumerate(self.resolver.summary(name).units):
            if not unit.main or name == _NOTEBOOK:
                self.add(name, number)
        self.take(self.resolver.whole(name))

    def _whole_project(self, why: str) -> None:
        if not self._project_whole:
            self._project_whole = why
            for name in self.resolver.modules.under(""):
                self.whole(name, why)

    def finish(self) -> None:
        """Follow everything until nothing new is found."""
        while self._todo:
            self._settle(self._todo.pop())
            if not self._todo and self._idle:
                for number in [n for n in self._idle if self._matters(n)]:
                    self.add(_NOTEBOOK, number)

    def _settle(self, edges: Edges) -> None:
        self.outside.update(edges.outside)
        for name in edges.loads:
            self.load(name)
        for name, why in edges.wholes.items():
            self.whole(name, why)
        for name, number in edges.units:
            self.add(name, number)
        for level, name, why in edges.levels:
            if level == "here":
                self.whole(name, why)
            elif level == "loaded" and not self._loaded_whole:
                self._loaded_whole = why
                for module in [*self.loaded]:
                    self.whole(module, why)
            elif level == "project":
                self._whole_project(why)
            self.docs = self.docs or level == "doc"
            self.texts = self.texts or level == "source"

    # Notebooks: most statements of a notebook only look, and must not make every step run again

    def _matters(self, number: int) -> bool:
        """Whether a statement of a notebook may change what the step does.

        It does if it assigns into a module, configures a library, or touches a variable that is
        reached, itself or through the functions that it calls.
        """
        unit = self.resolver.summary(_NOTEBOOK).units[number]
        if self.effects.configures(_NOTEBOOK, unit):
            return True
        own = self.resolver.summary(_NOTEBOOK).bindings
        for root in unit.stores:
            if not own.get(root) or any(origin is not None for _, origin in own[root]):
                return True
        reached = self.resolver.edges(_NOTEBOOK, number)
        if any(level in ("here", "project") for level, _, _ in reached.levels) and unit.stores:
            return True
        named = [key for key in reached.units if not self._is_pipeline(*key)]
        if any(self._is_reached(*key) and self._is_state(*key) for key in named):
            return True
        return any(
            self._is_reached(*key) and self.resolver.summary(key[0]).units[key[1]].writes
            for key in self._closure(named)
        )

    def _is_reached(self, name: str, number: int) -> bool:
        return number in self.units.get(name, ())

    def _is_state(self, name: str, number: int) -> bool:
        return self.resolver.summary(name).units[number].kind in ("constant", "statement")

    def _is_pipeline(self, name: str, number: int) -> bool:
        unit = self.resolver.summary(name).units[number]
        return any(self.resolver.is_authoring(name, d, "pipeline") for d in unit.decorators)

    def _closure(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], None]:
        seen: dict[tuple[str, int], None] = {}
        stack = [*keys]
        while stack:
            key = stack.pop()
            if key not in seen:
                seen[key] = None
                stack += self.resolver.edges(*key).units
        return seen
