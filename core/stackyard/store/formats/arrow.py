"""Arrow arrays in canonical form: equal values give equal buffers, whatever their history.

Chunks are joined, slices cut out, offsets begin at zero, a validity bitmap exists only where there
are nulls, what lies under a null is zero or empty, and NaN has one bit pattern. The order of a
dictionary is content. Layout after the Arrow columnar format,
https://arrow.apache.org/docs/format/Columnar.html.
"""

from __future__ import annotations

from typing import Any

from stackyard.errors import Unstorable

_STEP = 1 << 16  # elements looked at in one go, so that temporary arrays stay small


def canonical(array: Any) -> Any:
    """Return a ``pyarrow.Array`` equal to ``array``; without a copy where it is canonical already.

    Raises:
        Unstorable: unions, run-end encoded arrays and views have no canonical form here.
    """
    import pyarrow as pa
    from pyarrow import types

    if isinstance(array, pa.ChunkedArray):
        array = _joined(array)
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, canonical(array.storage))
    if types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(
            canonical(array.indices), canonical(array.dictionary), ordered=kind.ordered
        )
    if types.is_null(kind) or not len(array):
        return pa.nulls(len(array), kind)
    for names, rebuild in _REBUILD.items():
        if any(getattr(types, f"is_{name}")(kind) for name in names):
            return rebuild(array)
    try:
        width = kind.bit_width
    except ValueError:
        raise Unstorable(f"Arrow type {kind} cannot be stored; cast it to a plain type") from None
    return _fixed(array, width // 8)


def canonical_nan(values: Any) -> Any:
    """Return numbers in which every NaN is numpy's own; a copy only if needed.

    ``values`` is contiguous, of floats or complex numbers.
    """
    import numpy as np

    size = values.itemsize // (2 if values.dtype.kind == "c" else 1)
    parts = values.reshape(-1).view(f"f{size}")
    with np.errstate(invalid="ignore"):  # a signalling NaN
        if parts.size == 0 or not np.isnan(np.minimum.reduce(parts)):
            return values  # the reduction carries a NaN through and makes no temporary array
    quiet = np.array(np.nan, f"f{size}").view(f"u{size}")
    copied = False
    for start in range(0, parts.size, _STEP):
        chunk = parts[start : start + _STEP]
        odd = np.isnan(chunk) & (chunk.view(f"u{size}") != quiet)
        if odd.any():
            if not copied:
                parts, copied = parts.copy(), True
            parts[start : start + _STEP][odd] = np.nan
    return parts.view(values.dtype).reshape(values.shape)


def bitmap(valid: Any) -> Any:
    """The validity bitmap of a boolean array, None where all are valid or there is no array."""
    import numpy as np
    import pyarrow as pa

    if valid is None or valid.all():
        return None
    return pa.py_buffer(np.packbits(valid, bitorder="little"))


def fixed(kind: Any, values: Any, valid: Any = None) -> Any:
    """An Arrow array around the memory of a contiguous numpy array."""
    import pyarrow as pa

    data = pa.py_buffer(values.view("u1")) if len(values) else None
    return pa.Array.from_buffers(kind, len(values), [bitmap(valid), data])


def _joined(chunked: Any) -> Any:
    import pyarrow as pa

    if chunked.num_chunks == 1:
        return chunked.chunk(0)
    if pa.types.is_dictionary(chunked.type):
        chunked = chunked.unify_dictionaries()
        if not chunked.num_chunks:
            return pa.array([], chunked.type)
    joined = chunked.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _valid(array: Any) -> Any:
    return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None


def _view(array: Any, number: int, dtype: str, extra: int = 0) -> Any:
    """One of the array's buffers as numpy, cut to the slice that the array is."""
    import numpy as np

    width = np.dtype(dtype).itemsize
    buffer = array.buffers()[number]
    return np.frombuffer(buffer, dtype, len(array) + extra, array.offset * width)


def _fixed(array: Any, width: int) -> Any:
    import pyarrow as pa

    valid = _valid(array)
    is_float = pa.types.is_floating(array.type)
    values = _view(array, 1, f"f{width}" if is_float else f"V{width}")
    if valid is not None:
        values = values.copy()
        values[~valid] = 0 if is_float else b""
    return fixed(array.type, canonical_nan(values) if is_float else values, valid)


def _boolean(array: Any) -> Any:
    import pyarrow as pa

    valid = _valid(array)
    values = array.fill_null(False).to_numpy(zero_copy_only=False)
    return pa.Array.from_buffers(array.type, len(array), [bitmap(valid), _bits(values)])


def _bits(values: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return pa.py_buffer(np.packbits(values, bitorder="little"))


def _binary(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    kind, valid = array.type, _valid(array)
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    offsets = _view(array, 1, "i8" if large else "i4", 1)
    if valid is not None and np.diff(offsets)[~valid].any():
        array = array.fill_null(pa.scalar(b"", pa.binary()).cast(kind))
        offsets = _view(array, 1, offsets.dtype.str, 1)
    first, last = int(offsets[0]), int(offsets[-1])
    data = array.buffers()[2]
    data = data.slice(first, last - first) if last > first else pa.py_buffer(b"")
    offsets = offsets - offsets[0] if first else offsets
    return pa.Array.from_buffers(kind, len(array), [bitmap(valid), pa.py_buffer(offsets), data])


def _list(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute

    kind, valid = array.type, _valid(array)
    large = pa.types.is_large_list(kind)
    plain = array if not pa.types.is_map(kind) else _map_as_list(array)
    lengths = compute.list_value_length(plain).fill_null(0).to_numpy()
    offsets = np.zeros(len(array) + 1, "i8" if large else "i4")
    np.cumsum(lengths, out=offsets[1:])
    parts = [bitmap(valid), pa.py_buffer(offsets)]
    values = canonical(plain.flatten())
    return pa.Array.from_buffers(kind, len(array), parts, children=[values])


def _map_as_list(array: Any) -> Any:
    import pyarrow as pa

    kind = array.type
    entry = pa.struct([kind.key_field.with_name("key"), kind.item_field.with_name("value")])
    entries = pa.field("entries", entry, nullable=False)
    return array.cast(pa.list_(entries))


def _fixed_size_list(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    kind, valid, size = array.type, _valid(array), array.type.list_size
    places = np.arange(len(array) * size) + array.offset * size
    if valid is not None:
        places = pa.array(places, mask=np.repeat(~valid, size))
    values = array.values
    if valid is not None or len(values) != len(places):
        values = values.take(places)
    children = [canonical(values)]
    return pa.Array.from_buffers(kind, len(array), [bitmap(valid)], children=children)


def _struct(array: Any) -> Any:
    import pyarrow as pa

    children = [canonical(child) for child in array.flatten()]  # null where the parent is
    parts = [bitmap(_valid(array))]
    return pa.Array.from_buffers(array.type, len(array), parts, children=children)


_REBUILD = {
    ("boolean",): _boolean,
    ("string", "binary", "large_string", "large_binary"): _binary,
    ("list", "large_list", "map"): _list,
    ("fixed_size_list",): _fixed_size_list,
    ("struct",): _struct,
}
