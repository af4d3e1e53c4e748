"""numpy arrays as ``.npy`` files (NEP 1, https://numpy.org/neps/nep-0001-npy-format.html).

Equal arrays have equal bytes: always little-endian and in C order, every NaN the same. Byte order
and memory order are not content, and an array is read back in C order. It is a view of a private
map: the reader may change it and nobody else sees that.
"""

from __future__ import annotations

import ast
import struct
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError
from stackyard.store.formats.arrow import canonical_nan
from stackyard.store.formats.base import Format, Sink, Unsuited, dotted_name
from stackyard.store.formats.maps import private

_MAGIC = b"\x93NUMPY"
_ROWS = 1 << 22  # bytes that are put in order at a time


class ArrayFormat(Format):
    """``numpy.ndarray`` of any type but objects, structures included."""

    name: ClassVar[str] = "array"
    suffix: ClassVar[str] = ".npy"

    def write(self, value: Any, sink: Sink) -> None:
        """Write the array, from its own memory where that is in order.

        Raises:
            Unsuited: a subclass, or an array of Python objects.
        """
        import numpy as np

        if type(value) is not np.ndarray:
            raise Unsuited(f"{dotted_name(type(value))} is more than an array")
        dtype = value.dtype.newbyteorder("<")
        if dtype.hasobject or dtype in (np.longdouble, np.clongdouble) or dtype.metadata:
            raise Unsuited(f"an array of {dtype} has no portable form")
        sink.write(_header(dtype, value.shape))
        for part in _parts(value):
            part = canonical_members(np.ascontiguousarray(part, dtype).reshape(-1))
            if part.nbytes:
                sink.write(part.view(np.uint8))

    def read(self, path: Path) -> Any:
        """Read it back, to be written to at will."""
        import numpy as np

        memory = private(path)
        dtype, shape, start = _parse(memory)
        count = int(np.prod(shape, dtype=object))
        if not count or not dtype.itemsize:
            return np.zeros(shape, dtype)
        return np.frombuffer(memory, dtype, count, start).reshape(shape)


def _parts(value: Any) -> Any:
    """The array whole where its memory can be written as it is, else some rows at a time."""
    if value.ndim == 0 or (value.flags.c_contiguous and not value.dtype.names):
        return [value]
    rows = max(1, _ROWS // max(1, value.nbytes // max(1, len(value))))
    return (value[i : i + rows] for i in range(0, len(value), rows))


def canonical_members(values: Any) -> Any:
    """Contiguous values with one bit pattern of NaN and zeros between members of a structure."""
    import numpy as np

    if values.dtype.kind in "fc":
        return canonical_nan(values)
    if not values.dtype.names:
        return values
    clean = np.zeros(values.shape, values.dtype)
    for name in values.dtype.names:
        clean[name] = canonical_members(np.ascontiguousarray(values[name]))
    return clean


def _header(dtype: Any, shape: tuple[int, ...]) -> bytes:
    """The header as numpy writes it, but independent of numpy's version."""
    import numpy as np

    described = np.lib.format.dtype_to_descr(dtype)
    text = f"{{'descr': {described!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    data = text.encode()
    version, size = ((1, 0), "<H") if len(data) < 60_000 else ((3, 0), "<I")
    begin = len(_MAGIC) + 2 + struct.calcsize(size)
    padded = -(-(begin + len(data) + 1) // 64) * 64
    line = data.ljust(padded - begin - 1) + b"\n"
    return _MAGIC + bytes(version) + struct.pack(size, len(line)) + line


def _parse(memory: Any) -> tuple[Any, tuple[int, ...], int]:
    """Type, shape and where the elements begin."""
    import numpy as np

    if bytes(memory[:6]) != _MAGIC or memory[6] not in (1, 2, 3):
        raise StoreError("this artifact is not an .npy file")
    size = "<H" if memory[6] == 1 else "<I"
    begin = 8 + struct.calcsize(size)
    (length,) = struct.unpack(size, memory[8:begin])
    about = ast.literal_eval(bytes(memory[begin : begin + length]).decode())
    dtype = np.lib.format.descr_to_dtype(about["descr"])
    if dtype.hasobject or about["fortran_order"]:
        raise StoreError("this .npy file was not written by Stackyard")
    return dtype, tuple(about["shape"]), begin + length
