"""Columns of Python objects: text, bytes, or any plain values, each cell then as tagged JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stackyard.errors import Unstorable
from stackyard.store.formats.arrow import canonical
from stackyard.store.formats.base import Unsuited, dotted_name
from stackyard.store.formats.plain import dumps, loads
from stackyard.store.formats.tagged import Encoder

_SAMPLE = 4096


def encode(values: Any, where: str) -> tuple[Mapping[str, Any], Any]:
    """Descriptor and canonical Arrow array of a numpy array of objects.

    Text, or bytes, whose missing values are all of one sort (None, NaN, NA or NaT) become Arrow's
    text or bytes; anything else becomes JSON.

    Raises:
        Unstorable: a cell holds what is not a plain value; names ``where`` and the way out.
    """
    import pyarrow as pa

    cells = values.tolist()
    for kind, arrow_type in ((str, pa.large_string()), (bytes, pa.large_binary())):
        missing = {_sort(cell) for cell in cells if type(cell) is not kind}
        if len(missing) <= 1 and "" not in missing:
            try:
                array = pa.array(cells, arrow_type, from_pandas=True)
            except UnicodeEncodeError:  # lone surrogates, which Arrow's text cannot hold
                break
            return {"as": "object", "missing": next(iter(missing), "none")}, canonical(array)
    encoder = Encoder(_refuse)
    try:
        rows = [None if cell is None else dumps(cell, encoder) for cell in cells]
    except Unsuited as exc:
        raise Unstorable(
            f"{where}: {exc}. Make it text, numbers or lists of them, or return it beside the "
            "frame, in a tuple or NamedTuple"
        ) from exc
    return {"as": "json"}, canonical(pa.array(rows, pa.large_binary()))


def decode(descriptor: Mapping[str, Any], array: Any, _: object = None) -> Any:
    """The numpy array of objects again."""
    import numpy as np

    if descriptor["as"] == "json":
        cells = [None if cell is None else loads(cell) for cell in array.to_pylist()]
        # np.array would take lists of equal length for rows of a matrix
        return np.fromiter(cells, dtype=object, count=len(cells))
    absent = _ABSENT[descriptor["missing"]]()
    sample = array.slice(0, _SAMPLE)
    if 2 * len(sample.unique()) < len(sample):  # many rows then share one object
        array = array.dictionary_encode()
        words = np.array([*array.dictionary.to_pylist(), absent], dtype=object)
        return words[array.indices.fill_null(len(words) - 1).to_numpy()]
    cells = [absent if cell is None else cell for cell in array.to_pylist()]
    return np.fromiter(cells, dtype=object, count=len(cells))


def _sort(cell: Any) -> str:
    """Which sort of missing value a cell is, empty where it is none."""
    if cell is None:
        return "none"
    if type(cell) is float:
        return "nan" if cell != cell else ""
    return {"NAType": "NA", "NaTType": "NaT"}.get(type(cell).__name__, "")


def _refuse(cell: Any) -> Any:
    raise Unsuited(f"holds a {dotted_name(type(cell))}, which a frame cannot store")


def _nan() -> Any:
    return float("nan")


def _pandas(name: str) -> Callable[[], Any]:
    def constant() -> Any:
        import pandas as pd

        return getattr(pd, name)

    return constant


def _none() -> None:
    return None


_ABSENT = {"none": _none, "nan": _nan, "NA": _pandas("NA"), "NaT": _pandas("NaT")}
