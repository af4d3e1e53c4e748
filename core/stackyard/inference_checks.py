"""Reading tensors of the Open Inference Protocol V2, with a reason for all that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

from stackyard.errors import suggest

if TYPE_CHECKING:
    import numpy as np

    from stackyard.components.registry import Field

NUMPY = {"BOOL": "bool", "BYTES": "object"} | {
    f"{word}{bits}": f"{kind}{bits}"
    for word, kind, sizes in (
        ("INT", "int", (8, 16, 32, 64)),
        ("UINT", "uint", (8, 16, 32, 64)),
        ("FP", "float", (16, 32, 64)),
    )
    for bits in sizes
}

# What JSON has for each kind of datatype, and how that is called. No float stands for a whole
# number, and no truth value for any number: 1.0 and true are more often a mistake than meant.
_ALLOWED: dict[str, tuple[frozenset[type], str]] = {
    "BOOL": (frozenset({bool}), "true or false"),
    "INT": (frozenset({int}), "a whole number"),
    "FP": (frozenset({int, float, type(None)}), "a number or null"),
    "BYTES": (frozenset({str, type(None)}), "text or null"),
}
_ACCEPTS = {"FP": {"FP", "INT"}}  # else only its own kind


@dataclass(frozen=True)
class Tensor:
    """One tensor as JSON gave it; ``data`` is flat, row by row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Any]


def tensors(document: Any, part: str, faults: list[str]) -> dict[str, Tensor]:
    """The tensors of ``document[part]`` by name; what is wrong with them goes to ``faults``."""
    if not isinstance(document, dict) or not isinstance(document.get(part), list):
        faults.append(f"there is no list {part!r} in it: {_SHAPE % part}")
        return {}
    found: dict[str, Tensor] = {}
    for index, one in enumerate(document[part]):
        tensor = _tensor(one, f"{part}[{index}]", part, faults)
        if tensor is not None and found.setdefault(tensor.name, tensor) is not tensor:
            faults.append(f"{part}[{index}]: {tensor.name!r} is there twice")
    if not document[part]:
        faults.append(f"{part!r} is empty: {_SHAPE % part}")
    return found


def same_rows(given: Iterable[Tensor], faults: list[str]) -> None:
    """All tensors must have the same number of rows, and at least one."""
    counts = {tensor.name: tensor.shape[0] for tensor in given}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        faults.append(f"the numbers of rows differ: {told}")
    elif 0 in counts.values():
        faults.append("it has no rows")


def values(tensor: Tensor, field: Field, faults: list[str]) -> np.ndarray[Any, Any] | None:
    """The tensor as an array of the field's type and shape, None where it is not that."""
    import numpy as np

    kind = field.datatype.rstrip("0123456789").removeprefix("U")
    given = tensor.datatype.rstrip("0123456789").removeprefix("U")
    if given not in _ACCEPTS.get(kind, {kind}):
        faults.append(f"{tensor.name!r} is {tensor.datatype}; the model takes {field.datatype}")
        return None
    inner = field.shape[1:]
    if tensor.shape[1:] != inner and (inner or tensor.shape[1:] != (1,)):
        wanted = ", ".join(["n", *map(str, inner)])
        faults.append(f"{tensor.name!r} has shape {list(tensor.shape)}; the model takes [{wanted}]")
        return None
    allowed, called = _ALLOWED[given]
    if not set(map(type, tensor.data)) <= allowed:
        index = next(i for i, value in enumerate(tensor.data) if type(value) not in allowed)
        faults.append(
            f"{tensor.name!r}: data[{index}] is {_short(tensor.data[index])}, not {called}"
        )
        return None
    dtype = np.dtype(NUMPY[field.datatype])
    try:
        with np.errstate(over="ignore"):
            made = np.asarray(tensor.data, dtype=dtype)
    except OverflowError:  # of whole numbers; those with a fraction become infinite
        made = None
    if made is None or (dtype.kind == "f" and np.isinf(made).any()):
        faults.append(f"{tensor.name!r}: a value is out of the range of {field.datatype}")
        return None
    return made.reshape((tensor.shape[0], *inner))


_SHAPE = (
    'write {"%s": [{"name": "...", "shape": [n], "datatype": "FP64", "data": [...]}, ...]}, '
    "as in the Open Inference Protocol V2"
)


def _tensor(one: Any, where: str, part: str, faults: list[str]) -> Tensor | None:
    if not isinstance(one, dict):
        faults.append(f"{where} is {_short(one)}: {_SHAPE % part}")
        return None
    name, shape, datatype, data = (one.get(k) for k in ("name", "shape", "datatype", "data"))
    if not isinstance(name, str) or not name:
        faults.append(f"{where} has no name")
        return None
    if not isinstance(datatype, str) or datatype not in NUMPY:
        near = suggest(str(datatype).upper(), [*NUMPY])
        faults.append(
            f"{name!r}: datatype {_short(datatype)} is unknown.{near} Known: {', '.join(NUMPY)}"
        )
        return None
    if not isinstance(shape, list) or not shape or any(type(n) is not int or n < 0 for n in shape):
        faults.append(f"{name!r}: shape {_short(shape)} is no list of whole numbers, rows first")
        return None
    if not isinstance(data, list):
        faults.append(f"{name!r}: data is {_short(data)}, not a list")
        return None
    flat = _flat(data, shape)
    if flat is None:
        faults.append(f"{name!r}: data is nested otherwise than shape {shape} says")
    elif len(flat) != prod(shape):
        faults.append(f"{name!r}: {len(flat)} values in data, {prod(shape)} by shape {shape}")
    else:
        return Tensor(name, datatype, tuple(shape), flat)
    return None


def _flat(data: list[Any], shape: list[int]) -> list[Any] | None:
    """The values row by row, whether nested or flat already; None where they are ragged."""
    if not data or not isinstance(data[0], list):
        return data
    for size in shape[1:]:
        if not all(isinstance(row, list) and len(row) == size for row in data):
            return None
        data = list(chain.from_iterable(data))
    return data


def _short(value: Any) -> str:
    """A value as JSON has it, cut."""
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
