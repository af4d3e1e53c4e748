"""Values of a stack file decoded into typed Python, every error with its file, line and column.

Scalars are compared here, with the words of a YAML file; any other type that msgspec knows (enums,
dates, constrained numbers) is decoded by msgspec.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackyard.components.base import Secret
from stackyard.errors import ConfigError, StackyardError, suggest
from stackyard.references import Lookup, Template, resolve
from stackyard.shape import Shape, members, plain_type, shape_of, takes_secret
from stackyard.tree import Node, Place, kind_of

_WORDS = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false",
    type(None): "null", Secret: "${secret:NAME}", Path: "a path",
}  # fmt: skip
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)
_WAIT: Any = object()  # stands for a value that is known only at use


@dataclass
class Decoder:
    """Decodes one component or resource; collects what is wrong in ``problems``.

    ``lookup`` finds secrets; None decodes what is known now and only checks the rest. ``literal``
    leaves out what refers to the environment, so that the default counts.
    """

    label: str  # "tracker (mlflow)"
    lookup: Lookup | None = None
    literal: bool = False
    problems: list[str] = field(default_factory=list)

    def decode(self, node: Node, target: Any) -> Any:
        """Return ``target(**values)``; None where ``problems`` say why not, or only checking.

        Raises:
            SecretError: an environment variable is not set.
        """
        made = self._object(node, target, "")
        return None if self.problems or made is _WAIT else made

    def values(self, node: Node, shape: Shape, where: str) -> dict[str, Any] | None:
        """The keys of a mapping decoded; None where something is missing or unknown."""
        given: dict[str, Any] = {}
        before = len(self.problems)
        for key, value in node.items().items():
            if key in shape.keys:
                kind = shape.keys[key].type
                if self.literal and not shape.keys[key].required and _waits(value):
                    continue
                given[key] = self._value(value, kind, f"{where}{key}")
            elif shape.open:
                given[key] = self._value(value, Any, f"{where}{key}")
            else:
                known = ", ".join(shape.keys) or "none"
                near = suggest(key, tuple(shape.keys))
                self._wrong(value.named_at, f"unknown key {where + key!r}. Keys: {known}.{near}")
        for key, wanted in shape.keys.items():
            if wanted.required and key not in node.items():
                words = in_words(wanted.type)
                self._wrong(node.place, f"missing key {where + key!r} ({words})")
        return given if len(self.problems) == before else None

    def _object(self, node: Node, target: Any, where: str) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(
                node.place, f"{where.rstrip('.')}: expected a mapping, got {got(node)}"
            )
        given = self.values(node, shape_of(target), where)
        if given is None:
            return None
        if any(value is _WAIT for value in given.values()):
            return _WAIT
        try:
            return target(**given)
        except StackyardError:
            raise
        except Exception as exc:  # the class's own checks may raise anything
            said = " ".join(str(exc).split()) or type(exc).__name__
            key = said.partition(":")[0]
            culprit = node.get(key) or node
            return self._wrong(culprit.place, f"{where}{said}")

    def _value(self, node: Node, kind: Any, where: str) -> Any:
        kind = plain_type(kind)
        if takes_secret(kind):
            return self._secret(node, kind, where)
        value = node.value
        options = [m for m in members(kind) if m is not type(None)]
        optional = len(options) < len(members(kind))
        if value is None and optional:
            return None
        if isinstance(value, Template):
            return self._template(node, value, kind, options, optional, where)
        if isinstance(value, dict | list) and len(options) == 1:
            return self._nested(node, plain_type(options[0]), where)
        return self._plain(node, kind, where, strict=True)

    def _secret(self, node: Node, kind: Any, where: str) -> Any:
        value = node.value
        if value is None and type(None) in members(kind):
            return None
        if isinstance(value, Template) and value.secret:
            if self.lookup is None:
                return Secret(str(value), str)
            return resolve(node, self.lookup)
        # The value may be a secret that somebody wrote here: it is not shown.
        return self._wrong(node.place, f"{where}: holds a secret: write ${{secret:NAME}}")

    def _template(
        self, node: Node, value: Template, kind: Any, options: list[Any], optional: bool, where: str
    ) -> Any:
        if value.secret:
            return self._wrong(node.place, f"{where}: is not a secret and cannot take {value}")
        if all(_is_nested(option) for option in options):
            return self._wrong(node.place, f"{where}: expected {in_words(kind)}, got text {value}")
        if self.lookup is None or self.literal:
            return _WAIT
        text = resolve(node, self.lookup)
        if text == "" and optional and str not in options:
            return None
        resolved = dataclasses.replace(node, value=text)
        return self._plain(resolved, kind, where, strict=False, shown=f"what {value} holds")

    def _nested(self, node: Node, kind: Any, where: str) -> Any:
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return self._object(node, kind, f"{where}.")
        origin = typing.get_origin(kind) or kind
        arguments = typing.get_args(kind)
        if isinstance(node.value, dict) and (origin in _MAPPINGS or kind is Any):
            inner = arguments[1] if len(arguments) == 2 else Any
            made = {k: self._value(n, inner, f"{where}.{k}") for k, n in node.value.items()}
            return _WAIT if any(v is _WAIT for v in made.values()) else made
        if isinstance(node.value, list) and (origin in _LISTS or kind is Any):
            return self._list(node, origin, arguments, where)
        return self._wrong(node.place, f"{where}: expected {in_words(kind)}, got {got(node)}")

    def _list(self, node: Node, origin: Any, arguments: tuple[Any, ...], where: str) -> Any:
        fixed = origin is tuple and bool(arguments) and arguments[-1] is not Ellipsis
        if fixed and len(arguments) != len(node.value):
            return self._wrong(node.place, f"{where}: expected {len(arguments)} items")
        inner = arguments if fixed else [arguments[0] if arguments else Any] * len(node.value)
        made = [
            self._value(n, kind, f"{where}[{i}]")
            for i, (n, kind) in enumerate(zip(node.value, inner, strict=True))
        ]
        if any(v is _WAIT for v in made):
            return _WAIT
        make: Any = origin if origin in (tuple, set, frozenset) else list
        return frozenset(made) if origin is collections.abc.Set else make(made)

    def _plain(
        self, node: Node, kind: Any, where: str, *, strict: bool, shown: str | None = None
    ) -> Any:
        for member in members(kind):
            done, value = _scalar(plain_type(member), node.value, strict=strict)
            if done:
                return value
        if all(_simple(plain_type(m)) for m in members(kind)):
            near = "." + _nearest(kind, node.value) if shown is None else ""
            expected = in_words(kind)
            what = shown or got(node)
            return self._wrong(
                node.place, f"{where}: expected {expected}, got {what}{near.rstrip('.')}"
            )
        import msgspec

        try:
            return msgspec.convert(node.plain(), kind, strict=strict)
        except (msgspec.ValidationError, TypeError, ValueError) as exc:
            return self._wrong(node.place, f"{where}: {exc}")

    def _wrong(self, place: Place, text: str) -> None:
        self.problems.append(f"{place} {self.label}: {text}")


def _waits(node: Node) -> bool:
    """Whether a part of it is known only at use, other than secrets, which are looked up then."""
    return any(
        isinstance(leaf.value, Template) and not leaf.value.secret for _, leaf in node.leaves()
    )


def _simple(kind: Any) -> bool:
    return kind in _WORDS or typing.get_origin(kind) is typing.Literal or _is_nested(kind)


def _is_nested(kind: Any) -> bool:
    """Whether it is a mapping or a list in a YAML file."""
    kind = plain_type(kind)
    origin = typing.get_origin(kind) or kind
    return origin in (*_MAPPINGS, *_LISTS) or dataclasses.is_dataclass(origin)


def _scalar(kind: Any, value: Any, *, strict: bool) -> tuple[bool, Any]:
    """Whether ``value`` is of ``kind``, and what it then is; not strict: text may say it."""
    if kind is Any:
        return True, value
    if typing.get_origin(kind) is typing.Literal:
        for choice in typing.get_args(kind):
            if (choice == value and type(choice) is type(value)) or (
                not strict and str(choice) == value
            ):
                return True, choice
        return False, None
    if kind is Path and isinstance(value, str):
        return True, Path(value)
    if kind is float and type(value) in (int, float):
        return True, float(value)
    if kind in (str, int, bool, type(None)) and type(value) is kind:
        return True, value
    if not strict and isinstance(value, str) and kind in (int, float, bool):
        return _said(kind, value)
    return False, None


def _said(kind: type, text: str) -> tuple[bool, Any]:
    if kind is bool:
        word = text.strip().lower()
        return word in ("true", "false", "1", "0"), word in ("true", "1")
    try:
        return True, kind(text)
    except ValueError:
        return False, None


def _nearest(kind: Any, value: Any) -> str:
    choices = [
        c
        for m in members(kind)
        if typing.get_origin(m) is typing.Literal
        for c in typing.get_args(m)
    ]
    if isinstance(value, bool) or not isinstance(value, str):
        return ""
    return suggest(value, [c for c in choices if isinstance(c, str)])


def in_words(kind: Any) -> str:
    """A type in the words of a YAML file: ``a whole number or null``."""
    words = [_in_words(plain_type(m)) for m in members(kind)]
    return " or ".join(dict.fromkeys(words))


def _in_words(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    origin = typing.get_origin(kind) or kind
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(kind)))}"
    if origin in _MAPPINGS or dataclasses.is_dataclass(origin):
        return "a mapping"
    if origin in _LISTS:
        return "a list"
    if kind is Any:
        return "anything"
    return str(getattr(kind, "__name__", kind))


def got(node: Node) -> str:
    """What a node is, with its value where that is short: ``text '8'``."""
    if isinstance(node.value, str | int | float) and not isinstance(node.value, bool):
        return f"{kind_of(node.value)} {node.value!r}"[:80]
    if isinstance(node.value, bool):
        return str(node.value).lower()
    return kind_of(node.value)


def decode(node: Node, target: Any, label: str, lookup: Lookup, *, literal: bool = False) -> Any:
    """Return ``target`` made of a node's values, with environment variables looked up now.

    Raises:
        ConfigError: a key or value is wrong; one line each.
        SecretError: an environment variable is not set.
    """
    decoder = Decoder(label, lookup, literal)
    made = decoder.decode(node, target)
    if decoder.problems:
        raise ConfigError("\n".join(decoder.problems))
    return made


def check(node: Node, target: Any, label: str) -> list[str]:
    """What is wrong with a node's values, as far as it is known without looking anything up."""
    decoder = Decoder(label)
    decoder.decode(node, target)
    return decoder.problems
