"""YAML files as trees in which every key and value knows its file, line and column.

Read is plain data only, from PyYAML's events: tags, custom or not, are refused, and so are merge
keys and further documents. Words mean what YAML 1.2 says: ``yes``, ``no``, ``on`` and ``off`` are
text, and so are dates and ``12:30``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from stackyard.errors import ConfigError
from stackyard.tree import Node, Place, kind_of
from stackyard.tree_cache import keep, known_tree

Scalar: TypeAlias = str | int | float | bool | None

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 20_000  # with every alias counted as often as it is used: no bomb gets far

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def read(path: Path, label: str, cache: Path | None = None) -> Node:
    """Read a YAML file whose top level is a mapping; ``label`` is its name in errors.

    What it holds is kept in the folder ``cache``, so that it is parsed only once.

    Raises:
        ConfigError: it cannot be read, or holds anything but plain data.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{label}:1:1 the file is larger than {MAX_BYTES // 1000} kB")
        data = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{label}: cannot be read: {exc.strerror}") from exc
    known = None if cache is None else known_tree(cache, data, label)
    if known is not None:
        return known
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line, column = _position(data[: exc.start].decode("utf-8", "replace"))
        raise ConfigError(f"{Place(label, line, column)} the file is not UTF-8 text") from exc
    root = parse(text, label)
    if cache is not None:
        keep(cache, data, root)
    return root


def parse(text: str, label: str) -> Node:
    """As ``read``, from text."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(label)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = Place(label, mark.line + 1, mark.column + 1) if mark else Place(label, 1, 1)
        if "cannot start any token" in str(exc.problem) and "\t" in _line(text, place)[:80]:
            raise ConfigError(f"{place} a tab: indent YAML with spaces") from exc
        about = f" {exc.context}" if exc.context else ""
        if exc.context and exc.context_mark:
            about += f" that begins in line {exc.context_mark.line + 1}"
        raise ConfigError(f"{place} not valid YAML: {exc.problem}{about}") from exc
    except yaml.reader.ReaderError as exc:  # it knows the character, but no line
        wrong = chr(exc.character)
        place = Place(label, *_position(text.partition(wrong)[0]))
        raise ConfigError(f"{place} character {wrong!r} may not stand in YAML") from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{Place(label, 1, 1)} not valid YAML: {exc}") from exc
    root = builder.root or Node({}, Place(label, 1, 1))
    if root.value is None:
        return replace(root, value={})
    if not isinstance(root.value, dict):
        raise ConfigError(f"{root.place} is {kind_of(root.value)}, not a mapping of keys to values")
    return root


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _line(text: str, place: Place) -> str:
    lines = text.splitlines()
    return lines[place.line - 1] if place.line <= len(lines) else ""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    place: Place
    value: list[Node] | dict[str, Node]
    size: int  # number of nodes when it began
    anchor: str | None
    key: tuple[str, Place] | None = None  # of a mapping: the key whose value comes next


class _Builder:
    """Makes a tree of nodes from PyYAML's events."""

    def __init__(self, label: str) -> None:
        self.root: Node | None = None
        self._label = label
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        handler = getattr(self, f"_{type(event).__name__}", None)
        if handler is not None:
            place = Place(self._label, event.start_mark.line + 1, event.start_mark.column + 1)
            handler(event, place)

    def _DocumentStartEvent(self, event: Any, place: Place) -> None:
        self._documents += 1
        if self._documents > 1:
            raise ConfigError(f"{place} a second document ('---'): the file holds one")
        if event.tags:
            raise ConfigError(f"{place} %TAG: tags are not allowed")

    def _ScalarEvent(self, event: Any, place: Place) -> None:
        self._refuse_tag(event, place)
        plain = bool(event.implicit[0])
        value = scalar(event.value) if plain else event.value
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._count(place)
            self._take_key(top, event.value, value, plain, place)
            return
        self._count(place)
        node = Node(value, place)
        if event.anchor:
            self._anchors[event.anchor] = (node, 1)
        self._add(node)

    def _take_key(self, top: _Open, text: str, value: Scalar, plain: bool, place: Place) -> None:
        assert isinstance(top.value, dict)
        if plain and text == "<<":
            raise ConfigError(
                f"{place} merge keys ('<<') are not supported; in a stack use 'extends' or 'vars'"
            )
        if plain and not isinstance(value, str):
            raise ConfigError(f"{place} key {text!r} is {kind_of(value)}: write it in quotes")
        if text in top.value:
            first = top.value[text].named_at
            raise ConfigError(f"{place} key {text!r} stands twice, first in line {first.line}")
        top.key = (text, place)

    def _AliasEvent(self, event: Any, place: Place) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            inside = any(o.anchor == event.anchor for o in self._stack)
            why = "refers to what it stands in" if inside else "refers to no anchor before it"
            raise ConfigError(f"{place} alias '*{event.anchor}' {why}")
        node, size = found
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            raise ConfigError(f"{place} alias '*{event.anchor}' cannot be a key")
        self._count(place, size)
        self._add(replace(node, key=None))

    def _SequenceStartEvent(self, event: Any, place: Place) -> None:
        self._open(event, place, [])

    def _MappingStartEvent(self, event: Any, place: Place) -> None:
        self._open(event, place, {})

    def _SequenceEndEvent(self, event: Any, place: Place) -> None:
        self._close()

    def _MappingEndEvent(self, event: Any, place: Place) -> None:
        self._close()

    def _open(self, event: Any, place: Place, value: list[Node] | dict[str, Node]) -> None:
        self._refuse_tag(event, place)
        if len(self._stack) >= MAX_DEPTH:
            raise ConfigError(f"{place} nested deeper than {MAX_DEPTH} levels")
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            raise ConfigError(f"{place} a key must be text")
        self._stack.append(_Open(place, value, self._nodes, event.anchor))
        self._count(place)

    def _close(self) -> None:
        done = self._stack.pop()
        node = Node(done.value, done.place)
        if done.anchor:
            self._anchors[done.anchor] = (node, self._nodes - done.size)
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(node)
            return
        assert top.key is not None
        name, place = top.key
        top.value[name] = replace(node, key=place)
        top.key = None

    def _refuse_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            raise ConfigError(f"{place} tag {tag!r}: tags are not allowed")

    def _count(self, place: Place, number: int = 1) -> None:
        self._nodes += number
        if self._nodes > MAX_NODES:
            raise ConfigError(
                f"{place} more than {MAX_NODES} values, aliases counted as often as used"
            )


def scalar(text: str) -> Scalar:
    """The value of an unquoted scalar in the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 400:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    return text
