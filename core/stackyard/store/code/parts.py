"""Names and digests of what a step reaches: the parts by which ``--explain`` tells a change."""

from __future__ import annotations

import builtins
import json
from collections.abc import Sequence

from stackyard.store.code.effects import Effects
from stackyard.store.code.reach import Reach
from stackyard.store.code.resolve import Resolver
from stackyard.store.code.summary import Unit
from stackyard.store.digest import digest

_BUILTINS = frozenset(dir(builtins))


class Parts:
    """Writes down what a ``Reach`` holds."""

    def __init__(self, resolver: Resolver, effects: Effects) -> None:
        self._resolver = resolver
        self._effects = effects
        self._closures: dict[str, frozenset[str]] = {}

    def _numbers(self, reach: Reach, name: str) -> set[int]:
        return set(reach.units.get(name, ()))

    def of(self, reach: Reach) -> dict[str, str]:
        """All that counts, by name: "function cleaning.trim" to its digest."""
        acting = {
            name
            for name in reach.loaded
            if not self._numbers(reach, name).isdisjoint(self._effects.of(name))
        }
        names = {*reach.units, *reach.wholes, *(reach.loaded if acting else ())}
        parts: dict[str, str] = {}
        for name in sorted(names):
            parts.update(self._module(reach, name, acting))
        return parts

    def _module(self, reach: Reach, name: str, acting: set[str]) -> dict[str, str]:
        summary = self._resolver.summary(name)
        parts: dict[str, str] = {}
        if name in reach.wholes:
            every = [
                self._unit(reach, name, number)
                for number, unit in enumerate(summary.units)
                if not unit.main or name == "__main__"
            ]
            text = summary.text if summary.opaque or reach.texts else ""
            return {f"module {name}": digest("\n".join([*every, text]))}
        numbers = self._distinct(name, sorted(self._numbers(reach, name)))
        labelled: dict[str, list[str]] = {}
        order: list[str] = []
        matters, imports = bool(summary.stars), 0
        for number, unit in enumerate(summary.units):
            if unit.kind == "import" and not unit.main and self._imports_any(name, unit, acting):
                order.append(f"import {unit.digest}")
                imports += 1
            if number not in numbers:
                continue
            label = _label(name, unit)
            acts = self._effects.does_something(name, number)
            several = any(self._is_bound_twice(name, n, numbers) for n in unit.names)
            if label:
                labelled.setdefault(label, []).append(self._unit(reach, name, number))
                entry = f"{label} {len(labelled[label])}"
            else:
                entry = self._unit(reach, name, number)
            matters = matters or acts or several
            if acts or several or unit.kind not in ("function", "import"):
                order.append(entry)
        for label, digests in labelled.items():
            parts[label] = digests[0] if len(digests) == 1 else digest("\n".join(digests))
        if matters or imports > 1:
            parts[f"statements {name}"] = digest(json.dumps(order))
        if reach.texts and numbers:
            parts[f"text {name}"] = summary.text
        return parts

    def _is_bound_twice(self, name: str, variable: str, numbers: Sequence[int]) -> bool:
        """Whether a name stands for different things one after the other."""
        bindings = self._resolver.summary(name).bindings.get(variable, ())
        return len({origin or number for number, origin in bindings if number in numbers}) > 1

    def _unit(self, reach: Reach, name: str, number: int) -> str:
        """The digest of a unit with the decorators that count, and its docstrings if they do."""
        unit = self._resolver.summary(name).units[number]
        digests = [unit.digest]
        for decorator in unit.decorators:
            if not self._resolver.is_authoring(name, decorator):
                digests.append(decorator.digest)
        defines = unit.kind in ("function", "class")
        if reach.docs or (defines and self._effects.does_something(name, number)):
            digests.append(unit.doc)  # an unknown decorator or base class may read it
        return digests[0] if len(digests) == 1 else digest("\n".join(digests))

    def _imports_any(self, name: str, unit: Unit, acting: set[str]) -> bool:
        """Whether an import leads to a module that does something when it is imported."""
        if not acting:
            return False
        loads = self._resolver.imports(name, unit).loads
        return any(not self._closure(module).isdisjoint(acting) for module in loads)

    def _closure(self, name: str) -> frozenset[str]:
        """The modules of the project that importing ``name`` imports."""
        if name not in self._closures:
            seen: dict[str, None] = {}
            stack = [name]
            while stack:
                module = stack.pop()
                if module in seen or self._resolver.modules.find(module) is None:
                    continue
                seen[module] = None
                parent = module.rpartition(".")[0]
                stack += [parent] if parent else []
                for unit in self._resolver.summary(module).units:
                    if not unit.main:
                        stack += self._resolver.imports(module, unit).loads
            self._closures[name] = frozenset(seen)
        return self._closures[name]

    def _distinct(self, name: str, numbers: Sequence[int]) -> list[int]:
        """In a notebook: without cells that were run again unchanged and so did nothing.

        A definition counts once if nothing was rebound and nothing acted since it was last made.
        """
        if name != "__main__":
            return list(numbers)
        kept: list[int] = []
        last: dict[str, tuple[str, int]] = {}  # name -> digest of what bound it, and when
        changes = 0
        for number in numbers:
            unit = self._resolver.summary(name).units[number]
            acts = self._effects.does_something(name, number)
            again = [last.get(variable) for variable in unit.names]
            if unit.is_repeatable(acts) and again and set(again) == {(unit.digest, changes)}:
                continue
            if acts or any(again) or not _BUILTINS.isdisjoint(unit.names):
                changes += 1
            last.update(dict.fromkeys(unit.names, (unit.digest, changes)))
            kept.append(number)
        return kept


def _label(name: str, unit: Unit) -> str:
    if unit.kind == "import" or not unit.names:
        return ""
    kind = "definition" if unit.kind == "statement" else unit.kind
    more = ", ..." if len(unit.names) > 3 else ""
    return f"{kind} {name}.{', '.join(unit.names[:3])}{more}"
