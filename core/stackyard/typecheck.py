"""Whether a value of one annotation may be given where another is asked for.

Classes are compared nominally. What is unknown is allowed: an edge is refused only where the two
annotations cannot both be right.
"""

from __future__ import annotations

import collections.abc
import typing
from typing import Any

from stackyard.annotation import NONE, Type, of_class, union
from stackyard.subclass import is_subclass

_TOWER = {(int, float), (int, complex), (float, complex), (bool, float), (bool, complex)}


def fits(given: Type, wanted: Type) -> bool:
    """Return whether a value annotated ``given`` may be passed where ``wanted`` is annotated."""
    if given.form == "any" or wanted.form == "any":
        return True
    if given.form == "union":
        return all(fits(member, wanted) for member in given.args)
    if given.form == "literal":
        return all(value_fits(value, wanted) for value in given.values)
    if wanted.form == "union":
        return any(fits(given, member) for member in wanted.args)
    if wanted.form == "literal":
        return False
    return _class_fits(given, wanted)


def value_fits(value: Any, wanted: Type) -> bool:
    """Return whether plain data written in the pipeline fits the annotation ``wanted``."""
    if wanted.form == "any":
        return True
    if wanted.form == "union":
        return any(value_fits(value, member) for member in wanted.args)
    if wanted.form == "literal":
        return any(value == choice and type(value) is type(choice) for choice in wanted.values)
    if isinstance(value, (list, dict)) and not value:
        return _class_fits(of_class(type(value)), wanted)
    return fits(type_of(value), wanted)


def type_of(value: Any) -> Type:
    """Return the type of plain data, with that of its elements."""
    if value is None:
        return NONE
    if isinstance(value, (list, tuple)):
        return collection(type(value), tuple(map(type_of, value)))
    if isinstance(value, dict):
        return collection(dict, tuple(map(type_of, value.values())))
    return of_class(type(value))


def collection(cls: type, items: tuple[Type, ...]) -> Type:
    """Return the type of a list, tuple or dict with string keys that holds ``items``."""
    if not items:
        return of_class(cls)
    if cls is tuple:
        return Type("class", f"tuple[{', '.join(i.name or 'Any' for i in items)}]", tuple, items)
    item = union(items)
    keys = (of_class(str),) if cls is dict else ()
    shown = ", ".join(part.name or "Any" for part in (*keys, item))
    return Type("class", f"{cls.__name__}[{shown}]", cls, (*keys, item))


def _class_fits(given: Type, wanted: Type) -> bool:
    one, other = _plain_class(given.cls), _plain_class(wanted.cls)
    if one is not None and (one, other) in _TOWER:
        return True
    if other is not None and (_structural(other) or other is collections.abc.Hashable):
        return True
    related = is_subclass(one or given.name, other or wanted.name)
    if related is False:
        return False
    return related is None or _arguments_fit(given, wanted)


def _arguments_fit(given: Type, wanted: Type) -> bool:
    """Compare ``list[int]`` with ``list[float]`` by their elements, where both name them."""
    if not given.args or not wanted.args:
        return True
    have, want = given.args, wanted.args
    if given.cls is tuple:
        if wanted.cls is tuple and "..." not in given.name + wanted.name:
            return len(have) == len(want) and all(map(fits, have, want))
        if len(want) == 1:
            return all(fits(item, want[0]) for item in have)
        return True
    if len(have) != len(want):
        return True
    return all(map(fits, have, want))


def _plain_class(cls: type | None) -> type | None:
    return dict if cls is not None and typing.is_typeddict(cls) else cls


def _structural(cls: type) -> bool:
    """Whether ``cls`` is a Protocol of somebody's own: its methods decide, not its name."""
    return bool(getattr(cls, "_is_protocol", False)) and cls.__module__ not in (
        "typing", "collections.abc", "builtins",
    )  # fmt: skip
