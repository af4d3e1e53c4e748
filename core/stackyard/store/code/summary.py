"""What a cache key needs to know of one module: its units, and what each of them refers to.

A summary depends on the text of the module alone, not on its name, place or neighbours, so that it
can be kept on disk under the digest of the text. Scanning costs some 25 ms per thousand lines,
reading a kept summary a hundredth of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from stackyard.store.digest import digest
from stackyard.store.kept import write_atomically

# Raise it when a summary's content or meaning changes, or what counts of a statement.
FORMAT = 1
_READER = ("calls", "known", "names", "scan", "scope", "summary", "walk")
_KEPT = 2000  # summaries on disk; beyond that the older half goes


class Import(NamedTuple):
    """``from {dots}{module} import {attr}``, or ``import {module}`` where ``attr`` is empty."""

    level: int
    module: str
    attr: str


class Ref(NamedTuple):
    """A name that code refers to, with the attributes that follow: ``np.linalg.norm``.

    ``how``: "" plainly; "?" perhaps, as in annotations and text; "getattr" handed to getattr and
    the like; "=x" called with the constant "x"; "=x*" with text that begins with x.
    """

    root: str  # "" where ``origin`` says where the name comes from
    rest: str  # attributes, joined by dots
    line: int
    how: str
    origin: Import | None  # of a name that is imported inside a function


class Requirement(NamedTuple):
    """What executing a statement calls: "call", "apply", "decorate", "decorate()" or "base"."""

    mode: str
    ref: Ref


class Decorator(NamedTuple):
    """A decorator of a top-level function or class, apart, for Stackyard's own do not count."""

    digest: str
    refs: Sequence[Ref]
    requires: Sequence[Requirement]


Json: TypeAlias = Any


@dataclass(slots=True)
class Unit:
    """One top-level statement, or one name of an import: the smallest thing that counts alone."""

    kind: str  # function, class, constant, import or statement
    names: list[str]
    line: int
    digest: str = ""
    doc: str = ""  # digest of its docstrings
    effect: bool = False  # does something when imported, whatever it calls
    plain: bool = False  # assigns a literal that cannot be changed
    main: bool = False  # below ``if __name__ == "__main__"``
    stores: list[str] = field(default_factory=list)  # names to whose attributes or items it assigns
    wrapper: int = 0  # so often a call returns a nested function and does nothing else
    record: bool = False  # a class whose constructor does nothing but keep its arguments
    hooks: bool = False  # a class that hears of its subclasses
    refs: list[Ref] = field(default_factory=list)
    requires: list[Requirement] = field(default_factory=list)
    decorators: list[Decorator] = field(default_factory=list)
    binds: list[tuple[str, Import]] = field(default_factory=list)  # names bound by imports
    loads: list[Import] = field(default_factory=list)  # imported when the statement executes
    later: list[Import] = field(default_factory=list)  # imported when its functions are called
    unused: bool = False  # an import whose names are never used in the module
    writes: list[str] = field(default_factory=list)  # globals that its functions change
    attributes: list[tuple[str, int]] = field(default_factory=list)  # dynamic ones, with lines

    def is_repeatable(self, acts: bool) -> bool:
        """Whether executing it again right away changes nothing."""
        defines = self.kind in ("function", "class", "import")
        return not acts and (defines or (self.kind == "constant" and self.plain))


@dataclass(slots=True)
class Summary:
    """One module. ``opaque`` says why it could not be read; then it may do anything."""

    text: str  # digest of its text
    units: list[Unit] = field(default_factory=list)
    stars: list[Import] = field(default_factory=list)
    typing_only: list[str] = field(default_factory=list)  # names that only type checkers see
    opaque: str = ""
    bindings: dict[str, list[tuple[int, Import | None]]] = field(default_factory=dict)
    writers: dict[str, list[int]] = field(default_factory=dict)

    def index(self) -> Summary:
        """Fill the tables that are made from the rest."""
        for number, unit in enumerate(self.units):
            imported: dict[str, list[Import]] = {}
            for name, origin in unit.binds:
                imported.setdefault(name, []).append(origin)
            for name in unit.names:
                rows = self.bindings.setdefault(name, [])
                rows.extend((number, origin) for origin in imported.get(name, ()))
                if unit.kind != "import":
                    rows.append((number, None))
            for name in unit.writes:
                self.writers.setdefault(name, []).append(number)
        return self


class Summaries:
    """Makes summaries, and keeps them in a folder if it is given one."""

    def __init__(self, folder: Path | None) -> None:
        version = f"{FORMAT}-{sys.version_info[0]}.{sys.version_info[1]}"
        self.folder = None if folder is None else folder / f"code-{version}-{_reader()}"

    def of(self, source: bytes) -> Summary:
        """Return the summary of a module's text."""
        text = digest(source)
        kept = self._read(text)
        if kept is not None:
            return kept
        from stackyard.store.code.scan import scan

        summary = scan(source, text)
        self._write(summary)
        return summary.index()

    def _read(self, text: str) -> Summary | None:
        if self.folder is None:
            return None
        try:
            return from_json(text, json.loads((self.folder / text).read_bytes()))
        except (OSError, ValueError, TypeError, LookupError):
            return None  # not there, or not ours: it is made again

    def _write(self, summary: Summary) -> None:
        if self.folder is None:
            return
        data = json.dumps(to_json(summary), separators=(",", ":")).encode()
        write_atomically(self.folder / summary.text, data, keep=_KEPT)


def _reader() -> str:
    """Changes with the code that makes summaries, so that its users cannot get those of another."""
    here = Path(__file__).parent
    stats = [os.stat(here / f"{name}.py") for name in _READER]
    return digest(repr([(s.st_size, s.st_mtime_ns) for s in stats]))[:8]


def to_json(summary: Summary) -> Json:
    """Plain lists; ``from_json`` reads them back."""
    units = [[getattr(unit, name) for name in _UNIT] for unit in summary.units]
    return [units, summary.stars, summary.typing_only, summary.opaque]


def from_json(text: str, data: Json) -> Summary:
    """Rebuild a summary; anything that was not written by ``to_json`` raises."""
    rows, stars, typing_only, opaque = data
    units = [Unit(*row) for row in rows]
    for unit in units:
        unit.refs = [_ref(row) for row in unit.refs]
        unit.requires = [Requirement(mode, _ref(row)) for mode, row in unit.requires]
        unit.decorators = [
            Decorator(name, [_ref(r) for r in refs], [Requirement(m, _ref(r)) for m, r in needs])
            for name, refs, needs in unit.decorators
        ]
        unit.binds = [(name, Import(*row)) for name, row in unit.binds]
        unit.loads = [Import(*row) for row in unit.loads]
        unit.later = [Import(*row) for row in unit.later]
        unit.attributes = [(name, line) for name, line in unit.attributes]
    return Summary(text, units, [Import(*s) for s in stars], typing_only, opaque).index()


def _ref(row: Sequence[Any]) -> Ref:
    root, rest, line, how, origin = row
    return Ref(root, rest, line, how, Import(*origin) if origin else None)


_UNIT = tuple(Unit.__dataclass_fields__)
