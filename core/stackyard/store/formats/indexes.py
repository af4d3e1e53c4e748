"""Indexes of pandas as Arrow arrays and back, and frames put together without copying columns."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from stackyard.errors import StoreError, Unstorable
from stackyard.store.formats import columns
from stackyard.store.formats.base import Unsuited
from stackyard.store.formats.tagged import Decoder, Encoder

_TILE = 1024  # rows that are turned at a time, few enough for the processor's cache


def encode(index: Any, where: str) -> tuple[dict[str, Any], list[Any]]:
    """Descriptor and Arrow arrays of an index, one for each level; none for a RangeIndex."""
    import pandas as pd

    names = [plain(name, f"the name of {where}") for name in index.names]
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "names": names}, []
    multi = isinstance(index, pd.MultiIndex)
    levels = [_level(index, i) for i in range(index.nlevels)] if multi else [index]
    encoded = [columns.encode_index(level, where) for level in levels]
    about = {"levels": [d for d, _ in encoded], "names": names, "multi": multi}
    if multi and (gaps := [i for i in range(index.nlevels) if _has_gaps(index, i)]):
        about["gaps"] = gaps
    return about, [array for _, array in encoded]


def decode(about: Mapping[str, Any], arrays: Sequence[Any], view: columns.View) -> Any:
    """The index again."""
    import pandas as pd

    names = [Decoder().decode(name) for name in about["names"]]
    if "range" in about:
        start, stop, step = about["range"]
        return pd.RangeIndex(start, stop, step, name=names[0])
    levels = [
        columns.decode_index(descriptor, array, view, name)
        for descriptor, array, name in zip(about["levels"], arrays, names, strict=True)
    ]
    if not about["multi"]:
        return levels[0]
    index = pd.MultiIndex.from_arrays(levels)
    for number in about.get("gaps", ()):
        index = index.set_levels(levels[number].categories, level=number)
    return index


def _level(index: Any, number: int) -> Any:
    """A level's values; as categories where missing ones would change their type."""
    import numpy as np
    import pandas as pd

    if not _has_gaps(index, number):
        return index.get_level_values(number)
    used = index.remove_unused_levels()
    order = used.levels[number].argsort()
    places = np.append(np.argsort(order), -1)  # a code of -1 stays what it is
    values = pd.Categorical.from_codes(places[used.codes[number]], used.levels[number][order])
    return pd.CategoricalIndex(values, name=used.names[number])


def _has_gaps(index: Any, number: int) -> bool:
    return bool(index.get_level_values(number).dtype != index.levels[number].dtype)


def plain(value: Any, where: str) -> Any:
    """Tagged JSON of a label or attribute.

    Raises:
        Unstorable: it is not a plain value; names ``where``.
    """
    try:
        return Encoder().encode(value)
    except Unsuited as exc:
        raise Unstorable(f"{where}: {exc}; remove it or make it plain text or numbers") from exc


def pack(index: Any, where: str) -> dict[str, Any]:
    """An index as JSON by itself: the labels of columns, which are not as many as the rows."""
    import pyarrow as pa

    about, arrays = encode(index, where)
    if not arrays:
        return about
    sink = pa.BufferOutputStream()
    batch = pa.record_batch(arrays, names=[str(i) for i in range(len(arrays))])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return {**about, "labels": base64.b64encode(sink.getvalue()).decode()}


def unpack(about: Mapping[str, Any]) -> Any:
    """Read what ``pack`` made."""
    import numpy as np
    import pyarrow as pa

    if "labels" not in about:
        return decode(about, [], _no_view)
    batch = pa.ipc.open_stream(base64.b64decode(about["labels"])).read_next_batch()

    def view(buffer: Any, dtype: Any, count: int) -> Any:
        return np.frombuffer(buffer, dtype, count).copy() if count else np.empty(0, dtype)

    return decode(about, batch.columns, view)


def contiguous_items(frame: Any) -> Iterator[tuple[Any, Any]]:
    """Labels and columns; those of a matrix laid out by rows are first turned, tile by tile."""
    import numpy as np
    import pandas as pd

    kinds = {str(dtype) for dtype in frame.dtypes}
    if (
        len(kinds) == 1
        and frame.shape[1] > 1
        and len(frame)
        and frame.dtypes.iloc[0].kind in "biuf"
    ):
        first = frame.iloc[:, 0]
        rows = frame.to_numpy() if isinstance(first.dtype, np.dtype) else None
        if rows is not None and rows.strides[0] > rows.strides[1] == rows.itemsize:
            turned = np.empty(rows.shape[::-1], rows.dtype)
            for start in range(0, len(rows), _TILE):
                turned[:, start : start + _TILE] = rows[start : start + _TILE].T
            for label, values in zip(frame.columns, turned, strict=True):
                yield label, pd.Series(values, copy=False)
            return
    yield from frame.items()


def series(values: Any, index: Any, name: Any = None) -> Any:
    """A Series around an array, of the array's own dtype."""
    import numpy as np
    import pandas as pd

    objects = isinstance(values, np.ndarray) and values.dtype == object
    return pd.Series(values, index, name=name, dtype=object if objects else None, copy=False)


def frame(arrays: Sequence[Any], index: Any) -> Any:
    """A DataFrame around arrays, with columns 0, 1, ...; numbers of one type are one block."""
    import pandas as pd

    matrix = _as_matrix(arrays)
    if matrix is not None:
        return pd.DataFrame(matrix.T, index=index, copy=False)
    parts = {i: series(values, index) for i, values in enumerate(arrays)}
    return pd.DataFrame(parts, index=index, columns=range(len(arrays)), copy=False)


def _as_matrix(arrays: Sequence[Any]) -> Any:
    """The arrays as rows of one matrix, where they lie at equal distances in memory."""
    import numpy as np

    first = arrays[0] if len(arrays) > 1 else None
    if not isinstance(first, np.ndarray) or first.dtype.kind not in "biufc" or not len(first):
        return None
    if any(not isinstance(a, np.ndarray) or a.dtype != first.dtype for a in arrays):
        return None
    places = [a.__array_interface__["data"][0] for a in arrays]
    step = places[1] - places[0]
    if step < first.nbytes or any(b - a != step for a, b in pairwise(places)):
        return None
    shape = (len(arrays), len(first))
    return np.lib.stride_tricks.as_strided(first, shape, (step, first.itemsize))


def _no_view(*_: Any) -> Any:
    raise StoreError("a RangeIndex has no buffers")
