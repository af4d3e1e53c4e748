"""Finds the modules of a project by name, as Python's path finder would, without importing any."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

_GENERATED = ("dags", "generated")  # files that ``stackyard compile`` wrote; nothing imports them


class Module(NamedTuple):
    """Where a module is. A namespace package has no file; ``text`` is given instead of a file."""

    name: str
    file: str
    label: str  # the file below its code root, for people
    package: bool
    compiled: bool = False
    text: str | None = None

    def source(self) -> bytes:
        """The bytes of its file."""
        if self.text is not None:
            return self.text.encode("utf-8", "surrogatepass")
        return Path(self.file).read_bytes() if self.file else b""


class Modules:
    """The modules below ``roots``, which stand at the front of ``sys.path`` in this order."""

    def __init__(self, roots: Sequence[Path], sources: Mapping[str, str]) -> None:
        self.roots = [os.path.abspath(root) for root in roots]
        self._sources = dict(sources)
        self._found: dict[str, Module | None] = {}
        self._listings: dict[str, frozenset[str]] = {}

    def find(self, name: str) -> Module | None:
        """Return the module called ``name``, or None if the project has none."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Module | None:
        if name in self._sources:
            return Module(name, "", name, package=False, text=self._sources[name])
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        namespace: Module | None = None
        for root in self.roots:
            folder = os.path.join(root, *parts[:-1])
            if parts[:-1] and not self._below(root, parts[:-1]):
                continue
            found = self._in(folder, parts, root)
            if found is None:
                continue
            if found.file:
                return found
            namespace = found
        return namespace

    def _below(self, root: str, parts: Sequence[str]) -> bool:
        folder = root
        for part in parts:
            if part not in self._listing(folder):
                return False
            folder = os.path.join(folder, part)
        return os.path.isdir(folder)

    def _in(self, folder: str, parts: Sequence[str], root: str) -> Module | None:
        """What ``import`` finds in one folder: package, extension, source, namespace package."""
        name, last = ".".join(parts), parts[-1]
        entries = self._listing(folder)
        place = os.path.join(folder, last)
        is_folder = last in entries and os.path.isdir(place)
        if is_folder and "__init__.py" in self._listing(place):
            file = os.path.join(place, "__init__.py")
            return Module(name, file, self._label(file, root), package=True)
        for suffix in EXTENSION_SUFFIXES:
            if last + suffix in entries:
                file = place + suffix
                return Module(name, file, self._label(file, root), package=False, compiled=True)
        if f"{last}.py" in entries:
            file = f"{place}.py"
            return Module(name, file, self._label(file, root), package=False)
        return Module(name, "", name, package=True) if is_folder else None

    def _label(self, file: str, root: str) -> str:
        return os.path.relpath(file, root).replace(os.sep, "/")

    def _listing(self, folder: str) -> frozenset[str]:
        known = self._listings.get(folder)
        if known is None:
            try:
                known = frozenset(os.listdir(folder))
            except OSError:
                known = frozenset()
            self._listings[folder] = known
        return known

    def under(self, package: str) -> Iterator[str]:
        """The names of all modules below ``package``, or of the project if it is empty."""
        seen: set[str] = set()
        parts = package.split(".") if package else []
        for root in self.roots:
            for name in self._walk(os.path.join(root, *parts), package, ()):
                if name not in seen and self.find(name) is not None:
                    seen.add(name)
                    yield name

    def _walk(self, folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[str]:
        real = os.path.realpath(folder)
        if real in above:  # a link to a folder that holds it
            return
        for entry in sorted(self._listing(folder)):
            stem, dot, _ = entry.partition(".")
            place = os.path.join(folder, entry)
            if not stem.isidentifier() or stem == "__pycache__":
                continue
            name = f"{prefix}.{stem}" if prefix else stem
            if dot:
                module = entry == f"{stem}.py" or entry[len(stem) :] in EXTENSION_SUFFIXES
                if module and stem != "__init__":
                    yield name
            elif not prefix and (os.path.basename(folder), stem) == _GENERATED:
                continue
            elif os.path.isdir(place):
                yield name
                yield from self._walk(place, name, (*above, real))
