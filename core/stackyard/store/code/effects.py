"""Decides which statements may do something when their module is imported.

Such a statement counts for every step that loads the module: it may register, patch or configure
what the step uses without naming it. All others count only where they are referred to.
"""

from __future__ import annotations

import builtins
import sys

from stackyard.store.code.known import (
    PURE_BASES,
    PURE_CALL_FAMILIES,
    PURE_CALLS,
    PURE_DECORATOR_FAMILIES,
    PURE_DECORATORS,
    PURE_METHODS,
    SETTING,
)
from stackyard.store.code.resolve import Resolver
from stackyard.store.code.summary import Requirement, Unit

_DECORATING = ("apply", "decorate", "decorate()")


class Effects:
    """Answers are remembered: each statement is judged once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[tuple[str, int], bool] = {}
        self._of: dict[str, list[int]] = {}

    def of(self, name: str) -> list[int]:
        """The numbers of the units of a module that do something when it is imported."""
        known = self._of.get(name)
        if known is None:
            units = self._resolver.summary(name).units
            here = name == "__main__"
            known = self._of[name] = [
                number
                for number, unit in enumerate(units)
                if (here or not unit.main) and self.does_something(name, number)
            ]
        return known

    def does_something(self, name: str, number: int) -> bool:
        """Whether executing a unit may have an effect beyond the names that it binds."""
        key = (name, number)
        if key not in self._known:
            self._known[key] = True  # for a class that somehow is its own base
            self._known[key] = self._judge(name, self._resolver.summary(name).units[number])
        return self._known[key]

    def _judge(self, name: str, unit: Unit) -> bool:
        if unit.effect:
            return True
        if unit.kind == "import":
            outside = self._resolver.imports(name, unit).outside
            return unit.unused and any(map(is_library, outside))
        decorating = [need for decorator in unit.decorators for need in decorator.requires]
        return not all(self._is_pure(name, need) for need in (*unit.requires, *decorating))

    def _is_pure(self, name: str, need: Requirement) -> bool:
        edges = self._resolver.resolve(name, need.ref)
        units = {
            key: rest
            for key, rest in edges.units.items()
            if self._resolver.summary(key[0]).units[key[1]].kind != "import"
        }
        if edges.wholes or not (units or edges.outside):
            return False
        return all(_is_known(need.mode, dotted) for dotted in edges.outside) and all(
            self._is_pure_unit(need.mode, *key, rest) for key, rest in units.items()
        )

    def _is_pure_unit(self, mode: str, name: str, number: int, rest: str) -> bool:
        unit = self._resolver.summary(name).units[number]
        if unit.kind == "constant" and not self.does_something(name, number):
            return mode == "base" or (mode == "call" and rest in PURE_METHODS)
        if rest:
            return False
        if unit.kind == "function" and not unit.decorators:
            return unit.wrapper >= {"decorate": 1, "decorate()": 2, "apply": 2}.get(mode, 9)
        if unit.kind != "class" or self.does_something(name, number):
            return False
        if mode == "base":
            return not unit.hooks and self._bases_are(name, unit, "hooks")
        return mode == "call" and unit.record and self._bases_are(name, unit, "record")

    def _bases_are(self, name: str, unit: Unit, what: str) -> bool:
        """Whether the project's classes among the bases hear of nothing, or are records."""
        for need in unit.requires:
            if need.mode != "base":
                continue
            for key in self._resolver.resolve(name, need.ref).units:
                base = self._resolver.summary(key[0]).units[key[1]]
                if base.kind != "class":
                    continue
                bad = base.hooks if what == "hooks" else not base.record
                if bad or not self._bases_are(key[0], base, what):
                    return False
        return True

    def configures(self, name: str, unit: Unit) -> bool:
        """Whether a unit calls something of a library that sounds like setting it up."""
        return any(
            SETTING.search(dotted.partition(".")[2])
            for need in unit.requires
            for dotted in self._resolver.resolve(name, need.ref).outside
            if not dotted.startswith(("builtins.", "stackyard."))
        )


def is_library(dotted: str) -> bool:
    """Whether a name is neither Python's own nor Stackyard's."""
    top = dotted.partition(".")[0]
    return top not in sys.stdlib_module_names and top not in ("stackyard", "")


def _is_known(mode: str, dotted: str) -> bool:
    if mode == "call":
        last = dotted.removeprefix("builtins.")
        kind = getattr(builtins, last, None)
        exception = isinstance(kind, type) and issubclass(kind, BaseException)
        return exception or dotted in PURE_CALLS or dotted.startswith(PURE_CALL_FAMILIES)
    if mode in _DECORATING:
        return dotted in PURE_DECORATORS or dotted.startswith(PURE_DECORATOR_FAMILIES)
    return not is_library(dotted) or (mode == "base" and dotted.startswith(PURE_BASES))
