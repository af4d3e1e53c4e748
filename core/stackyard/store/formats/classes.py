"""Dataclasses, NamedTuples and Enums by name, taken apart and put together without calling them."""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from stackyard.errors import StoreError
from stackyard.store.formats.base import Unsuited

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


def name_of(cls: type) -> str:
    """Return ``module:QualifiedName``.

    Raises:
        Unsuited: the class cannot be found under that name, as one made inside a function.
    """
    name = f"{cls.__module__}:{cls.__qualname__}"
    try:
        found = _find(name)
    except StoreError:
        found = None
    if found is not cls:
        raise Unsuited(f"class {name} cannot be found by its name; define it at module level")
    return name


def is_namedtuple(cls: type) -> bool:
    """Whether ``cls`` is a NamedTuple and nothing more."""
    return cls.__base__ is tuple and isinstance(getattr(cls, "_fields", None), tuple)


def is_plain_dataclass(cls: type) -> bool:
    """Whether its fields are all the state there is, and nothing says how to pickle it."""
    if not dataclasses.is_dataclass(cls):
        return False
    own_ways = ("reduce", "reduce_ex", "getnewargs", "getnewargs_ex", "setstate")
    names = [f"__{n}__" for n in own_ways]
    if any(getattr(cls, n, None) is not getattr(object, n, None) for n in names):
        return False
    return all(base is object or base.__flags__ & _HEAP_TYPE for base in cls.__mro__)


def field_values(value: Any) -> dict[str, Any]:
    """The fields of a dataclass instance that are set.

    Raises:
        Unsuited: it has attributes besides, which would be lost.
    """
    cls = type(value)
    names = [f.name for f in dataclasses.fields(value)]
    extra = {
        n
        for n in getattr(value, "__dict__", {})
        if n not in names and not isinstance(getattr(cls, n, None), functools.cached_property)
    }
    if extra:
        raise Unsuited(f"{cls.__qualname__} has attributes that are not fields: {sorted(extra)}")
    return {n: getattr(value, n) for n in names if hasattr(value, n)}


def make_dataclass(name: str, fields: Mapping[str, Any]) -> Any:
    """Rebuild an instance from its fields; neither ``__init__`` nor ``__post_init__`` runs."""
    cls = _load(name)
    if not is_plain_dataclass(cls):
        raise StoreError(f"{name} is no longer a plain dataclass")
    known = {f.name for f in dataclasses.fields(cls)}
    if unknown := sorted(set(fields) - known):
        raise StoreError(f"{name} no longer has the field {unknown[0]!r}; run its step again")
    made: Any = object.__new__(cls)
    for key, value in fields.items():
        object.__setattr__(made, key, value)
    return made


def make_namedtuple(name: str, values: Sequence[Any]) -> Any:
    """Rebuild a NamedTuple."""
    cls = _load(name)
    if not is_namedtuple(cls) or len(getattr(cls, "_fields", ())) != len(values):
        raise StoreError(f"{name} is no longer a NamedTuple of {len(values)} fields")
    return tuple.__new__(cls, values)


def make_enum(name: str, value: Any) -> Any:
    """Look up a member of an Enum by its value."""
    cls = _load(name)
    if not issubclass(cls, enum.Enum):
        raise StoreError(f"{name} is no longer an Enum")
    try:
        return cls(value)
    except ValueError:
        raise StoreError(f"{name} no longer has a member of value {value!r}") from None


def _load(name: str) -> type:
    found = _find(name)
    if not isinstance(found, type):
        raise StoreError(f"{name} is not a class")
    return found


def _find(name: str) -> Any:
    """Import the module and walk to the attribute; nothing is called."""
    if _NAME.fullmatch(name) is None:
        raise StoreError(f"{name!r} does not name a class")
    module_name, _, path = name.partition(":")
    try:
        found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as exc:
        raise StoreError(f"cannot find class {name} to read a value with ({exc})") from exc
    return found
