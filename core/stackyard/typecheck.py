"""Whether a value of one annotation may be given where another is asked for.

Classes are compared nominally. What is unknown is allowed: an edge is refused only where the two
annotations cannot both be right.
"""

from __future__ import annotations

import collections.abc
import sys
import typing
from typing import Any

from stackyard.annotation import NONE, Type, of_class, union

# Kinds of numpy's scalars that stand for Python's numbers.
_NUMPY = {bool: "b", int: "biu", float: "biuf", complex: "biufc"}
_TOWER: dict[type, tuple[type, ...]] = {float: (int,), complex: (int, float)}


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


def instance_fits(value: Any, wanted: Type) -> bool:
    """Return whether a live value may be what a step annotated ``wanted`` returns.

    Looks at the outer class alone, and imports nothing: a class that nobody imported is unknown.
    """
    if wanted.form == "any":
        return True
    if wanted.form == "union":
        return any(instance_fits(value, member) for member in wanted.args)
    if wanted.form == "literal":
        plain = value.item() if _numpy_scalar(value) else value
        return any(isinstance(plain, type(choice)) for choice in wanted.values)
    cls = _plain_class(wanted.cls or _imported(wanted.name))
    given = type(value)
    if cls is None or given is cls or getattr(cls, "_is_protocol", False):
        return True
    if isinstance(value, cls) or _promoted(given, cls):
        return True
    if _numpy_scalar(value):
        return value.dtype.kind in _NUMPY.get(cls, "")
    if given.__name__ == "NaTType" and cls.__module__.partition(".")[0] == "pandas":
        return cls.__name__ in ("Timestamp", "Timedelta", "Period")  # it is the missing one of each
    same = (cls.__module__, cls.__qualname__)  # a class that was loaded twice
    return any((base.__module__, base.__qualname__) == same for base in given.__mro__)


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
    if _promoted(one, other):
        return True
    if other is not None and (_structural(other) or other is collections.abc.Hashable):
        return True
    from stackyard.subclass import is_subclass

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


def _promoted(given: type | None, wanted: type | None) -> bool:
    """Whether a number of one class counts as one of the other, as type checkers have it."""
    below = _TOWER.get(wanted) if wanted is not None else None
    return given is not None and below is not None and issubclass(given, below)


def _numpy_scalar(value: Any) -> bool:
    return type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()


def _plain_class(cls: type | None) -> type | None:
    return dict if cls is not None and typing.is_typeddict(cls) else cls


def _imported(name: str) -> type | None:
    """The class behind a dotted name, if its module is imported already."""
    module, _, attribute = name.partition("[")[0].rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    return found if isinstance(found, type) else None


def _structural(cls: type) -> bool:
    """Whether ``cls`` is a Protocol of somebody's own: its methods decide, not its name."""
    return bool(getattr(cls, "_is_protocol", False)) and cls.__module__ not in (
        "typing", "collections.abc", "builtins",
    )  # fmt: skip
