"""Columns of pandas as Arrow arrays and back, with a descriptor of what they were.

Fixed-width columns wrap numpy's memory when written and are views of the reader's private map when
read. A descriptor is plain JSON and names no version of a library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from stackyard.errors import Unstorable
from stackyard.store.formats import objects, zones
from stackyard.store.formats.arrow import canonical, canonical_nan, fixed

Descriptor: TypeAlias = Mapping[str, Any]
View: TypeAlias = Callable[[Any, Any, int], Any]  # Arrow buffer, dtype, count -> writable numpy
_NAT = -(1 << 63)


def encode(values: Any, where: str) -> tuple[Descriptor, Any]:
    """Descriptor and canonical Arrow array of a Series or an Index.

    Raises:
        Unstorable: the dtype has no form here; names ``where`` and the way out.
    """
    import numpy as np

    dtype, array = values.dtype, values.array
    if isinstance(dtype, np.dtype):
        known = _ENCODE_NUMPY.get(dtype.kind)
        if known and dtype not in (np.longdouble, np.clongdouble):
            return known(values.to_numpy(), where)
    if hasattr(array, "_mask") and dtype.kind in "biuf":  # Int64, Float64, boolean and their like
        return {"as": "masked", "dtype": dtype.name}, _masked(array._data, ~array._mask)
    known = _ENCODE.get(type(dtype).__name__)
    if known is None:
        raise Unstorable(
            f"{where}: dtype {dtype} cannot be stored; convert it first, as with .astype(...) or "
            ".sparse.to_dense()"
        )
    return known(array, where)


def decode(descriptor: Descriptor, array: Any, view: View) -> Any:
    """The numpy or pandas array again; fixed-width ones are views that may be written to."""
    import pyarrow as pa

    if isinstance(array, pa.ExtensionArray) and descriptor["as"] != "arrow":
        array = array.storage
    return _DECODE[descriptor["as"]](descriptor, array, view)


def encode_index(index: Any, where: str) -> tuple[dict[str, Any], Any]:
    """Like ``encode``, with the frequency of a regular index."""
    descriptor, array = encode(index, where)
    freq = _freq(index)
    return {**descriptor, "freq": freq} if freq else dict(descriptor), array


def decode_index(descriptor: Descriptor, array: Any, view: View, name: Any = None) -> Any:
    """The index again, of one level."""
    import numpy as np
    import pandas as pd

    values = decode(descriptor, array, view)
    plain = isinstance(values, np.ndarray) and values.dtype == object
    index = pd.Index(values, name=name, dtype=object if plain else None, copy=False)
    if "freq" in descriptor:
        index.freq = descriptor["freq"]
    return index


def _freq(index: Any) -> str | None:
    """The text of an index's frequency, None where it has none that can be read back."""
    import pandas as pd

    freq = getattr(index, "freq", None)
    if freq is None or isinstance(index, pd.PeriodIndex):
        return None
    text: str = freq.freqstr
    try:
        return text if pd.tseries.frequencies.to_offset(text) == freq else None
    except ValueError:
        return None


def _valid(array: Any) -> Any:
    return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None


def _number(values: Any, _: str) -> tuple[Descriptor, Any]:
    descriptor = {"as": "numpy", "dtype": values.dtype.str.replace("=", "<")}
    return descriptor, _numbers(values, None)


def _numbers(values: Any, valid: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    dtype = values.dtype.newbyteorder("<")
    values = np.ascontiguousarray(values, dtype)
    if dtype.kind in "fc":
        values = canonical_nan(values)
    if dtype.kind == "b":
        return fixed(pa.int8(), values.view("i1"), valid)
    kind = pa.binary(dtype.itemsize) if dtype.kind == "c" else pa.from_numpy_dtype(dtype)
    return fixed(kind, values, valid)


def _masked(values: Any, valid: Any) -> Any:
    if valid.all():
        return _numbers(values, None)
    values = values.copy()
    values[~valid] = 0
    return _numbers(values, valid)


def _time(values: Any, _: str) -> tuple[Descriptor, Any]:
    import numpy as np
    import pyarrow as pa

    dtype = values.dtype.newbyteorder("<")
    unit = np.datetime_data(dtype)[0]
    kind = pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit)
    return {"as": "numpy", "dtype": dtype.str}, _moments(values.astype(dtype, copy=False), kind)


def _moments(values: Any, kind: Any) -> Any:
    """64-bit times; NaT is null to Arrow and keeps its own number beneath, as pandas reads it."""
    import numpy as np

    numbers = np.ascontiguousarray(values).view("i8")
    some_missing = len(numbers) and np.minimum.reduce(numbers) == _NAT
    return fixed(kind, numbers, numbers != _NAT if some_missing else None)


def _from_numpy(descriptor: Descriptor, array: Any, view: View) -> Any:
    import numpy as np

    dtype = np.dtype(descriptor["dtype"])
    values = view(array.buffers()[1], dtype.newbyteorder("<"), len(array))
    return values if dtype.isnative else values.astype(dtype)


def _from_masked(descriptor: Descriptor, array: Any, view: View) -> Any:
    import numpy as np
    import pandas as pd

    dtype: Any = pd.api.types.pandas_dtype(descriptor["dtype"])
    values = view(array.buffers()[1], np.dtype(dtype.type), len(array))
    valid = _valid(array)
    mask = np.zeros(len(array), bool) if valid is None else ~valid
    return dtype.construct_array_type()(values, mask)


def _zoned(array: Any, where: str) -> tuple[Descriptor, Any]:
    import pyarrow as pa

    fields = zones.describe(array.dtype, where)
    unit = array.dtype.unit
    kind = pa.timestamp(unit, zones.arrow_name(fields["zone"]))
    return {"as": "zoned", "unit": unit, **fields}, _moments(array.asi8, kind)


def _from_zoned(descriptor: Descriptor, array: Any, view: View) -> Any:
    import pandas as pd

    values = view(array.buffers()[1], f"M8[{descriptor['unit']}]", len(array))
    index = pd.DatetimeIndex(values, copy=False)
    return index.tz_localize("UTC").tz_convert(zones.find(descriptor)).array


def _categorical(array: Any, where: str) -> tuple[Descriptor, Any]:
    import pyarrow as pa

    inner, categories = encode_index(array.categories, f"{where}, its categories")
    codes = _masked(array.codes, array.codes >= 0)
    made = pa.DictionaryArray.from_arrays(codes, categories, ordered=bool(array.ordered))
    return {"as": "categorical", "ordered": bool(array.ordered), "categories": inner}, made


def _from_categorical(descriptor: Descriptor, array: Any, view: View) -> Any:
    import pandas as pd

    categories = decode_index(descriptor["categories"], array.dictionary, view)
    indices = array.indices
    codes = view(indices.buffers()[1], indices.type.to_pandas_dtype(), len(indices))
    if indices.null_count:
        codes[~_valid(indices)] = -1
    dtype = pd.CategoricalDtype(categories, ordered=descriptor["ordered"])
    return pd.Categorical.from_codes(codes, dtype=dtype)


def _string(array: Any, where: str) -> tuple[Descriptor, Any]:
    import pandas as pd
    import pyarrow as pa

    try:
        text = pa.array(array, pa.large_string())
    except UnicodeEncodeError as exc:
        raise Unstorable(
            f"{where}: holds text with lone surrogates; store it as dtype object"
        ) from exc
    storage = "python" if array.dtype.storage == "python" else "pyarrow"
    missing = "NA" if array.dtype.na_value is pd.NA else "nan"
    if text.type != pa.large_string():
        text = text.cast(pa.large_string())
    return {"as": "string", "storage": storage, "missing": missing}, canonical(text)


def _from_string(descriptor: Descriptor, array: Any, _: View) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    storage = descriptor["storage"]
    dtype: Any
    if descriptor["missing"] == "NA":
        dtype = pd.StringDtype(storage)
    elif pd.__version__.startswith("2.2."):
        dtype = pd.StringDtype("pyarrow_numpy")
    else:
        dtype = pd.StringDtype(storage, na_value=np.nan)
    return dtype.__from_arrow__(pa.chunked_array([array]))


def _arrow(array: Any, where: str) -> tuple[Descriptor, Any]:
    try:
        return {"as": "arrow"}, canonical(array.__arrow_array__())
    except Unstorable as exc:
        raise Unstorable(f"{where}: {exc}") from exc


def _from_arrow(_: Descriptor, array: Any, view: View) -> Any:
    import pandas as pd
    import pyarrow as pa

    return pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))


def _period(array: Any, _: str) -> tuple[Descriptor, Any]:
    import pyarrow as pa

    return {"as": "period", "dtype": array.dtype.name}, _moments(array.asi8, pa.int64())


def _from_period(descriptor: Descriptor, array: Any, view: View) -> Any:
    import pandas as pd

    values = view(array.buffers()[1], "i8", len(array))
    return pd.arrays.PeriodArray(values, dtype=descriptor["dtype"])


def _interval(array: Any, where: str) -> tuple[Descriptor, Any]:
    import pyarrow as pa

    left, left_array = encode(array.left, where)
    right, right_array = encode(array.right, where)
    made = pa.StructArray.from_arrays([left_array, right_array], ["left", "right"])
    return {"as": "interval", "closed": array.closed, "left": left, "right": right}, made


def _from_interval(descriptor: Descriptor, array: Any, view: View) -> Any:
    import pandas as pd

    left = decode(descriptor["left"], array.field(0), view)
    right = decode(descriptor["right"], array.field(1), view)
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=descriptor["closed"])


_ENCODE_NUMPY: dict[str, Callable[[Any, str], tuple[Descriptor, Any]]] = {
    **dict.fromkeys("biufc", _number),
    **dict.fromkeys("Mm", _time),
    "O": objects.encode,
}
_ENCODE: dict[str, Callable[[Any, str], tuple[Descriptor, Any]]] = {
    "DatetimeTZDtype": _zoned,
    "CategoricalDtype": _categorical,
    "StringDtype": _string,
    "ArrowDtype": _arrow,
    "PeriodDtype": _period,
    "IntervalDtype": _interval,
}
_DECODE: dict[str, Callable[[Descriptor, Any, View], Any]] = {
    "numpy": _from_numpy,
    "masked": _from_masked,
    "zoned": _from_zoned,
    "categorical": _from_categorical,
    "string": _from_string,
    "arrow": _from_arrow,
    "period": _from_period,
    "interval": _from_interval,
    "object": objects.decode,
    "json": objects.decode,
}
