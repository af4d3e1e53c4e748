"""What a format is, and how the format of a value is found without importing a library."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

from stackyard.errors import PluginError, StoreError, suggest
from stackyard.flavors import ArtifactFormat
from stackyard.store.records import ArtifactRef

Buffer: TypeAlias = Any  # anything with the buffer protocol: bytes, memoryview, numpy array


class Unsuited(StoreError):
    """This format cannot hold this value; the next one that knows its type is asked."""


class Sink(Protocol):
    """Where a format writes: every buffer is hashed and stored, none is kept."""

    def write(self, data: Buffer) -> None:
        """Append the bytes of a contiguous buffer; it may be changed again after the call."""


class Parts(Protocol):
    """The store as a composite format sees it."""

    @property
    def cache_dir(self) -> Path:
        """A local folder whose content may be deleted at any time."""

    def save(self, value: Any) -> ArtifactRef:
        """Store a value that is part of another."""

    def load(self, ref: ArtifactRef) -> Any:
        """Read such a part back."""

    def keep_file(self, path: Path) -> str:
        """Store the bytes of a file; return their digest."""

    def path(self, digest: str) -> Path:
        """Return the store's own verified file, never to be written to."""

    def holds(self, digest: str, path: Path) -> bool:
        """Whether a local file has the bytes that the digest names."""


class Format(ABC):
    """One way of storing values as a file.

    The digest of an artifact is of these bytes only, so a format obeys two rules: equal values
    give equal bytes, whatever their history, the process or the hash seed; and the bytes begin
    with something that no other format writes, a version included.
    """

    name: ClassVar[str]
    runs_code: ClassVar[bool] = False  # reading runs what the file names, as pickle does
    suffix: ClassVar[str] = ".bin"  # of its files outside the store; others must be able to read it

    @abstractmethod
    def write(self, value: Any, sink: Sink) -> None:
        """Write ``value``.

        Raises:
            Unsuited: the value is not for this format; what was written so far is thrown away.
            Unstorable: no other format is to be asked either; says why and what to do.
        """

    @abstractmethod
    def read(self, path: Path) -> Any:
        """Read the value back from a file whose digest has been verified.

        The file is the store's own: never write to it. What is returned belongs to the caller,
        who may change it without anybody else seeing that.
        """


class CompositeFormat(Format):
    """A format whose file refers to other artifacts, which ``references`` lists by digest."""

    @abstractmethod
    def write_parts(self, value: Any, sink: Sink, store: Parts) -> None:
        """Like ``write``, with the store to put the parts into."""

    @abstractmethod
    def read_parts(self, path: Path, store: Parts) -> Any:
        """Like ``read``, with the store to take the parts from."""

    def write(self, value: Any, sink: Sink) -> None:
        """Refuse: a composite needs the store."""
        raise Unsuited(f"format {self.name!r} writes only into a store")

    def read(self, path: Path) -> Any:
        """Refuse: a composite needs the store."""
        raise Unsuited(f"format {self.name!r} reads only from a store")


class FormatRegistry:
    """Finds formats by name, and for a value by the dotted names of its classes.

    A value's class and the classes it inherits from are compared, nearest first, with the names
    that the formats declare; among several, the higher priority is asked first. Only the modules
    of the formats that are asked are imported.
    """

    def __init__(self, formats: Iterable[ArtifactFormat]) -> None:
        self._descriptors: dict[str, ArtifactFormat] = {}
        self._live: dict[str, Format] = {}
        self._of_type: dict[type, tuple[Format, ...]] = {}
        for descriptor in formats:
            known = self._descriptors.setdefault(descriptor.name, descriptor)
            if known != descriptor:
                raise PluginError(
                    f"artifact format {descriptor.name!r} is offered twice: "
                    f"{known.target} and {descriptor.target}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all formats, sorted."""
        return tuple(sorted(self._descriptors))

    def named(self, name: str) -> Format:
        """Return the format called ``name``.

        Raises:
            StoreError: there is none, as when the plugin that wrote an artifact is not installed.
        """
        live = self._live.get(name)
        if live is None:
            descriptor = self._descriptors.get(name)
            if descriptor is None:
                have = ", ".join(self.names)
                raise StoreError(
                    f"artifact format {name!r} is not installed. Installed: {have}."
                    f"{suggest(name, self.names)}"
                )
            live = self._live[name] = made(descriptor)
        return live

    def candidates(self, value: Any) -> tuple[Format, ...]:
        """Return the formats to ask for ``value``, in order."""
        cls = type(value)
        found = self._of_type.get(cls)
        if found is None:
            found = self._of_type[cls] = tuple(self.named(n) for n in self._matching(cls))
        return found

    def _matching(self, cls: type) -> list[str]:
        distance = {dotted_name(c): i for i, c in reversed(list(enumerate(cls.__mro__)))}
        ranked = [
            (-d.priority, min(distance[t] for t in d.types if t in distance), order, d.name)
            for order, d in enumerate(self._descriptors.values())
            if any(t in distance for t in d.types)
        ]
        return [name for *_, name in sorted(ranked)]


def dotted_name(cls: type) -> str:
    """``module.QualifiedName`` of a class, as ``ArtifactFormat.types`` spells it."""
    return f"{cls.__module__}.{cls.__qualname__}"


def made(descriptor: ArtifactFormat) -> Format:
    """Import the class of a format and make it.

    Raises:
        PluginError: it cannot be imported or made, or is no Format of that name.
    """
    from stackyard.registry import as_written, load

    what = f"artifact format {descriptor.name!r}"
    cls = load(descriptor.target, what)
    try:
        found = cls()
    except (Exception, SystemExit) as exc:  # another's class may raise anything
        from stackyard.location import said

        text = f"{what}: {descriptor.target} cannot be made: {said(exc)}"
        raise PluginError(as_written(text)) from exc
    if not isinstance(found, Format) or found.name != descriptor.name:
        # Records keep the class's name, and look the descriptor's up.
        text = f"{what}: {descriptor.target} is no Format with name = {descriptor.name!r}"
        raise PluginError(as_written(text))
    return found


def need(module: str, extra: str) -> Any:
    """Import a library that a format is made of.

    Raises:
        StoreError: it is not installed; says what to type.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise StoreError(
            f"{module} is needed for this value and not installed: "
            f"uv pip install 'stackyard[{extra}]'"
        ) from exc


def header(name: str, fields: Mapping[str, Any] | None = None) -> bytes:
    """The first line of our own file layouts: ``stackyard-<name>``, and JSON where there is any."""
    import json

    line = f"stackyard-{name}"
    if fields:
        line += " " + json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return line.encode() + b"\n"
