"""The tagged JSON tree behind the ``plain`` format: an encoder and its decoder.

A tag is ``{"$": name, "v": encoded}``; a class is named ``module:QualifiedName`` and, when read,
must be a dataclass, a NamedTuple or an Enum. No constructor is called: fields are set.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import pathlib
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from stackyard.errors import StoreError
from stackyard.store.formats import classes, scalars
from stackyard.store.formats.base import Unsuited, dotted_name

Tree: TypeAlias = Any  # what json.dumps takes
_SIMPLE = frozenset({type(None), bool, str})
_INT_LIMIT = 1 << 63  # larger ones are written in hexadecimal, whose reading takes linear time
_FACTORIES: dict[str, Any] = {
    f.__name__: f for f in (int, float, str, bool, list, dict, set, tuple, bytes)
}


class Encoder:
    """Turns a value into a tree. ``leaf`` is asked for the tag of what is not plain."""

    def __init__(self, leaf: Callable[[Any], Tree] | None = None) -> None:
        self._leaf = leaf or _not_plain

    def encode(self, value: Any) -> Tree:
        """Return the tree of ``value``."""
        encode = _ENCODERS.get(type(value))
        if encode is not None:
            return encode(self, value)
        return self._other(value)

    def _other(self, value: Any) -> Tree:
        cls = type(value)
        if isinstance(value, enum.Enum):
            return _tag("enum", [classes.name_of(cls), self.encode(value.value)])
        if isinstance(value, tuple) and classes.is_namedtuple(cls):
            return _tag("namedtuple", [classes.name_of(cls), [self.encode(v) for v in value]])
        if classes.is_plain_dataclass(cls):
            fields = classes.field_values(value)
            tree = {n: self.encode(v) for n, v in sorted(fields.items())}
            return _tag("dataclass", [classes.name_of(cls), tree])
        found = scalars.encode(value)
        if found is not None:
            return _tag(*found)
        return self._leaf(value)

    def items(self, values: Iterable[Any]) -> list[Tree]:
        """Encode a sequence, at the speed of C where its members are JSON already."""
        values = values if isinstance(values, list) else list(values)
        kinds = set(map(type, values))
        if kinds <= _SIMPLE:
            return values
        if kinds == {float} and all(map(math.isfinite, values)):
            return values
        if kinds == {int} and min(values) >= -_INT_LIMIT and max(values) < _INT_LIMIT:
            return values
        return [self.encode(v) for v in values]

    def sorted_items(self, values: Iterable[Any]) -> list[Tree]:
        """Encode members without an order: sorted by their encoding, so that any types mix."""
        return sorted(self.items(values), key=_text)

    def mapping(self, value: dict[Any, Any]) -> Tree:
        """An object where all keys are text, else sorted pairs."""
        if set(map(type, value)) <= {str} and "$" not in value:
            keys = sorted(value)
            return dict(zip(keys, self.items([value[k] for k in keys]), strict=True))
        pairs = [[self.encode(k), self.encode(v)] for k, v in value.items()]
        return _tag("dict", sorted(pairs, key=lambda pair: _text(pair[0])))

    def pairs(self, value: dict[Any, Any]) -> list[Tree]:
        """The pairs of a mapping in its own order."""
        return [[self.encode(k), self.encode(v)] for k, v in value.items()]

    def default_dict(self, value: defaultdict[Any, Any]) -> Tree:
        """A defaultdict whose factory is a builtin type or None."""
        factory = value.default_factory
        name = getattr(factory, "__name__", "")
        if factory is not None and _FACTORIES.get(name) is not factory:
            raise Unsuited("a defaultdict whose factory is not a builtin type is not plain")
        return _tag("defaultdict", [name, self.mapping(dict(value))])


class Decoder:
    """Turns a tree back into the value. ``leaf`` reads the tags that the encoder's leaf made."""

    def __init__(self, leaf: Callable[[Tree], Any] | None = None) -> None:
        self._leaf = leaf

    def decode(self, tree: Tree) -> Any:
        """Return the value of ``tree``."""
        if isinstance(tree, list):
            return self.items(tree)
        if not isinstance(tree, dict):
            return tree
        tag = tree.get("$")
        if tag is None:
            return dict(zip(tree, self.items(list(tree.values())), strict=True))
        body = tree["v"]
        if tag == "artifact" and self._leaf is not None:
            return self._leaf(body)
        decode = _DECODERS.get(tag)
        if decode is not None:
            return decode(self, body)
        found = scalars.DECODERS.get(tag)
        if found is None:
            raise StoreError(f"unknown tag {tag!r}: written by a newer Stackyard")
        return found(body)

    def items(self, trees: list[Tree]) -> list[Any]:
        """Decode the members of a list."""
        if dict in (kinds := set(map(type, trees))) or list in kinds:
            return [self.decode(t) for t in trees]
        return trees

    def pairs(self, trees: list[Tree]) -> list[tuple[Any, Any]]:
        """Decode the pairs of a mapping."""
        return [(self.decode(k), self.decode(v)) for k, v in trees]

    def default_dict(self, body: Tree) -> Any:
        """Rebuild a defaultdict."""
        return defaultdict(_FACTORIES[body[0]] if body[0] else None, self.decode(body[1]))


def _not_plain(value: Any) -> Tree:
    raise Unsuited(f"{dotted_name(type(value))} is not plain")


def _tag(name: str, body: Tree) -> Tree:
    return {"$": name, "v": body}


def _text(tree: Tree) -> str:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _float(_: Encoder, value: float) -> Tree:
    return value if math.isfinite(value) else _tag("float", scalars.float_text(value))


def _int(_: Encoder, value: int) -> Tree:
    return value if -_INT_LIMIT <= value < _INT_LIMIT else _tag("int", hex(value))


def _bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _complex(_: Encoder, value: complex) -> Tree:
    return _tag("complex", [scalars.float_text(value.real), scalars.float_text(value.imag)])


def _path_encoder(name: str) -> Callable[[Encoder, Any], Tree]:
    return lambda _, v: _tag(name, v.as_posix())


_ENCODERS: dict[type, Callable[[Encoder, Any], Tree]] = {
    type(None): lambda _, v: v,
    bool: lambda _, v: v,
    str: lambda _, v: v,
    int: _int,
    float: _float,
    complex: _complex,
    list: lambda e, v: e.items(v),
    tuple: lambda e, v: _tag("tuple", e.items(v)),
    dict: lambda e, v: e.mapping(v),
    set: lambda e, v: _tag("set", e.sorted_items(v)),
    frozenset: lambda e, v: _tag("frozenset", e.sorted_items(v)),
    OrderedDict: lambda e, v: _tag("ordereddict", e.pairs(v)),
    Counter: lambda e, v: _tag("counter", e.mapping(dict(v))),
    defaultdict: lambda e, v: e.default_dict(v),
    deque: lambda e, v: _tag("deque", [v.maxlen, e.items(v)]),
    bytes: lambda _, v: _tag("bytes", _bytes(v)),
    bytearray: lambda _, v: _tag("bytearray", _bytes(v)),
    range: lambda _, v: _tag("range", [v.start, v.stop, v.step]),
    slice: lambda e, v: _tag("slice", e.items([v.start, v.stop, v.step])),
    decimal.Decimal: lambda _, v: _tag("decimal", str(v)),
    fractions.Fraction: lambda _, v: _tag("fraction", [hex(v.numerator), hex(v.denominator)]),
    uuid.UUID: lambda _, v: _tag("uuid", str(v)),
    dt.date: lambda _, v: _tag("date", v.isoformat()),
    dt.timedelta: lambda _, v: _tag("timedelta", [v.days, v.seconds, v.microseconds]),
    dt.datetime: lambda _, v: _tag("datetime", scalars.datetime_tree(v)),
    dt.time: lambda _, v: _tag("time", scalars.datetime_tree(v)),
    pathlib.PosixPath: _path_encoder("path"),
    pathlib.WindowsPath: _path_encoder("path"),
    pathlib.PurePosixPath: _path_encoder("pureposixpath"),
    pathlib.PureWindowsPath: _path_encoder("purewindowspath"),
}

_DECODERS: dict[str, Callable[[Decoder, Tree], Any]] = {
    "float": lambda _, b: float(b),
    "int": lambda _, b: int(b, 16),
    "complex": lambda _, b: complex(float(b[0]), float(b[1])),
    "tuple": lambda d, b: tuple(d.items(b)),
    "dict": lambda d, b: dict(d.pairs(b)),
    "set": lambda d, b: set(d.items(b)),
    "frozenset": lambda d, b: frozenset(d.items(b)),
    "ordereddict": lambda d, b: OrderedDict(d.pairs(b)),
    "counter": lambda d, b: Counter(d.decode(b)),
    "defaultdict": lambda d, b: d.default_dict(b),
    "deque": lambda d, b: deque(d.items(b[1]), b[0]),
    "bytes": lambda _, b: base64.b64decode(b),
    "bytearray": lambda _, b: bytearray(base64.b64decode(b)),
    "range": lambda _, b: range(*b),
    "slice": lambda d, b: slice(*d.items(b)),
    "decimal": lambda _, b: decimal.Decimal(b),
    "fraction": lambda _, b: fractions.Fraction(int(b[0], 16), int(b[1], 16)),
    "uuid": lambda _, b: uuid.UUID(b),
    "date": lambda _, b: dt.date.fromisoformat(b),
    "timedelta": lambda _, b: dt.timedelta(*b),
    "datetime": lambda _, b: scalars.datetime_value(dt.datetime, b),
    "time": lambda _, b: scalars.datetime_value(dt.time, b),
    "path": lambda _, b: pathlib.Path(b),
    "pureposixpath": lambda _, b: pathlib.PurePosixPath(b),
    "purewindowspath": lambda _, b: pathlib.PureWindowsPath(b),
    "enum": lambda d, b: classes.make_enum(b[0], d.decode(b[1])),
    "namedtuple": lambda d, b: classes.make_namedtuple(b[0], d.items(b[1])),
    "dataclass": lambda d, b: classes.make_dataclass(
        b[0], dict(zip(b[1], d.items(list(b[1].values())), strict=True))
    ),
}
