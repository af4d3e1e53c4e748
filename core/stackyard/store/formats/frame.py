"""Frames as Arrow IPC files (https://arrow.apache.org/docs/format/Columnar.html), uncompressed.

Holds pandas DataFrame, Series and Index, and pyarrow Table. What Arrow cannot say about them stands
in the schema's metadata under ``stackyard``, as JSON without any library's version. Content is the
values, dtypes, labels, names, the index (with its ``freq`` where that has a name) and ``attrs``;
how the memory came to be, chunks, slices and what lies under missing values are not. ``0.0`` and
``-0.0`` differ; every NaN is the same. Any Arrow reader can read the columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError, Unstorable
from stackyard.store.formats import columns, indexes
from stackyard.store.formats.arrow import canonical
from stackyard.store.formats.base import Buffer, Format, Sink, Unsuited, dotted_name, need
from stackyard.store.formats.maps import private
from stackyard.store.formats.tagged import Decoder

_KEY = b"stackyard"
_FORMAT = "frame/1"


class FrameFormat(Format):
    """pandas and Arrow tables."""

    name: ClassVar[str] = "frame"
    suffix: ClassVar[str] = ".arrow"

    def write(self, value: Any, sink: Sink) -> None:
        """Write one record batch; numbers and times straight from numpy's memory.

        Raises:
            Unsuited: a subclass, whose own state would be lost.
            Unstorable: a column cannot be stored; names it and the way out.
        """
        pa = need("pyarrow", "frames")
        describe = _WRITERS.get(_kind(value))
        if describe is None:
            raise Unsuited(f"{dotted_name(type(value))} is a subclass with a state of its own")
        about, batch = describe(value)
        about["format"] = _FORMAT
        schema = batch.schema.with_metadata({**(batch.schema.metadata or {}), _KEY: _json(about)})
        file = pa.PythonFile(_Output(sink), mode="w")
        with pa.ipc.new_file(file, schema) as writer:
            writer.write_batch(pa.record_batch(batch.columns, schema=schema))

    def read(self, path: Path) -> Any:
        """Read it back; numbers and times are views of a private map, and so may be written to."""
        pa = need("pyarrow", "frames")
        memory = private(path)
        whole = pa.py_buffer(memory)

        def view(buffer: Any, dtype: Any, count: int) -> Any:
            import numpy as np

            if not count:
                return np.empty(0, dtype)
            # numpy over the map itself may write; over an Arrow buffer it may not
            return np.frombuffer(memory, dtype, count, buffer.address - whole.address)

        reader = pa.ipc.open_file(pa.BufferReader(whole))
        about = json.loads((reader.schema.metadata or {}).get(_KEY, b"{}"))
        if about.get("format") != _FORMAT:
            raise StoreError(f"{path.name[:12]} is not of format {_FORMAT}")
        return _READERS[about["kind"]](about, reader.get_batch(0), view)


@dataclass(frozen=True)
class Outline:
    """What a stored frame says of itself: rows, and columns with their types; no value is read."""

    rows: int
    columns: tuple[tuple[str, str], ...]
    index: tuple[tuple[str, str], ...]  # levels of an index, unless it is unnamed row numbers


def outline(path: Path) -> Outline:
    """Read the outline of a frame's file, without pandas."""
    pa = need("pyarrow", "frames")
    with pa.memory_map(str(path)) as memory:
        reader = pa.ipc.open_file(memory)
        schema, rows = reader.schema, reader.get_batch(0).num_rows
    about = json.loads(schema.metadata[_KEY])
    index = about.get("index", {})
    descriptors = [*about.get("values", ()), *index.get("levels", ())]
    descriptors += [{}] * (len(schema) - len(descriptors))
    types = [_type_name(d, f.type) for d, f in zip(descriptors, schema, strict=True)]
    count = len(schema) - len(index.get("levels", ()))
    labels = [Decoder().decode(name) for name in index.get("names", ())]
    levels = types[count:]
    if "range" in index:
        rows = len(range(*index["range"]))
        labels = [label for label in labels if label is not None]
        levels = ["int64"] * len(labels)
    unnamed = about["kind"] == "series" and about["name"] is None
    return Outline(
        rows=about.get("rows", rows),
        columns=tuple(zip([""] if unnamed else schema.names[:count], types[:count], strict=True)),
        index=tuple(zip(["" if x is None else str(x) for x in labels], levels, strict=True)),
    )


def _type_name(descriptor: Mapping[str, Any], stored: Any) -> str:
    """A column's type as its library calls it."""
    kind = descriptor.get("as")
    if kind == "numpy":
        import numpy as np

        return str(np.dtype(descriptor["dtype"]).name)
    if kind == "zoned":
        return f"datetime64[{descriptor['unit']}, {descriptor['zone']}]"
    if kind == "string":
        return "string" if descriptor.get("missing") == "NA" else "str"
    same = {"categorical": "category", "json": "object", "object": "object", "interval": "interval"}
    return same.get(str(kind)) or str(descriptor.get("dtype", stored))


class _Output:
    """The sink as the file object that pyarrow writes to, buffer by buffer, without a copy."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Buffer) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The sink is closed by who made it."""


def _json(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True, separators=(",", ":")).encode()


def _kind(value: Any) -> str:
    """Which of the four it is, empty for a subclass made elsewhere."""
    cls = type(value)
    if cls.__module__.partition(".")[0] == "pyarrow":
        return "table" if cls.__name__ == "Table" else ""
    if cls.__module__.partition(".")[0] != "pandas":
        return ""
    return {"DataFrame": "dataframe", "Series": "series"}.get(cls.__name__, "index")


def _field(name: str, descriptor: Mapping[str, Any], array: Any) -> Any:
    """An Arrow field; truth values, one byte each, carry Arrow's own name for that."""
    import pyarrow as pa

    metadata = None
    if descriptor.get("dtype") in ("|b1", "boolean"):
        metadata = {"ARROW:extension:name": "arrow.bool8", "ARROW:extension:metadata": ""}
    return pa.field(name, array.type, metadata=metadata)


def _describe_dataframe(frame: Any) -> tuple[dict[str, Any], Any]:
    names, descriptors, arrays = [], [], []
    for label, series in indexes.contiguous_items(frame):
        descriptor, array = columns.encode(series, f"column {label!r}")
        names.append(str(label))
        descriptors.append(descriptor)
        arrays.append(array)
    about: dict[str, Any] = {"kind": "dataframe", "values": descriptors}
    about["columns"] = indexes.pack(frame.columns, "the columns' labels")
    return _finish(about, frame, names, arrays)


def _describe_series(series: Any) -> tuple[dict[str, Any], Any]:
    descriptor, array = columns.encode(series, f"series {series.name!r}")
    about = {
        "kind": "series",
        "values": [descriptor],
        "name": indexes.plain(series.name, "the name"),
    }
    return _finish(about, series, [str(series.name)], [array])


def _finish(
    about: dict[str, Any], value: Any, names: list[str], arrays: list[Any]
) -> tuple[dict[str, Any], Any]:
    about["index"], more = indexes.encode(value.index, "the index")
    about["rows"] = len(value)
    if value.attrs:
        about["attrs"] = indexes.plain(value.attrs, "attrs")
    if not value.flags.allows_duplicate_labels:
        about["unique"] = True
    descriptors = [*about["values"], *about["index"].get("levels", ())]
    names = [*names, *(f"__index_{i}__" for i in range(len(more)))]
    return about, _batch(names, descriptors, [*arrays, *more])


def _batch(names: list[str], descriptors: list[Any], arrays: list[Any]) -> Any:
    import pyarrow as pa

    fields = [_field(n, d, a) for n, d, a in zip(names, descriptors, arrays, strict=True)]
    return pa.record_batch(arrays, schema=pa.schema(fields))


def _describe_index(index: Any) -> tuple[dict[str, Any], Any]:
    descriptor, arrays = indexes.encode(index, "the index")
    names = [f"__index_{i}__" for i in range(len(arrays))]
    about = {"kind": "index", "index": descriptor}
    return about, _batch(names, descriptor.get("levels", []), arrays)


def _describe_table(table: Any) -> tuple[dict[str, Any], Any]:
    import pyarrow as pa

    arrays = []
    for field, column in zip(table.schema, table.columns, strict=True):
        try:
            arrays.append(canonical(column))
        except Unstorable as exc:
            raise Unstorable(f"column {field.name!r}: {exc}") from exc
    schema = table.schema.with_metadata(_without_versions(table.schema.metadata or {}))
    return {"kind": "table"}, pa.record_batch(arrays, schema=schema)


def _without_versions(metadata: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """A table's own metadata, sorted, without the versions that pandas and Arrow put there."""
    kept = {k: v for k, v in sorted(metadata.items()) if k != _KEY}
    if b"pandas" in kept:
        about = json.loads(kept[b"pandas"])
        about.pop("creator", None)
        kept[b"pandas"] = _json(about)
    return kept


def _with_attributes(made: Any, about: Mapping[str, Any]) -> Any:
    if "attrs" in about:
        made.attrs = Decoder().decode(about["attrs"])
    return made.set_flags(allows_duplicate_labels=False) if "unique" in about else made


def _read_index(about: Mapping[str, Any], batch: Any, view: columns.View) -> Any:
    return indexes.decode(about["index"], batch.columns, view)


def _read_series(about: Mapping[str, Any], batch: Any, view: columns.View) -> Any:
    index = indexes.decode(about["index"], batch.columns[1:], view)
    values = columns.decode(about["values"][0], batch.columns[0], view)
    name = Decoder().decode(about["name"])
    return _with_attributes(indexes.series(values, index, name), about)


def _read_dataframe(about: Mapping[str, Any], batch: Any, view: columns.View) -> Any:
    count = len(about["values"])
    index = indexes.decode(about["index"], batch.columns[count:], view)
    arrays = [
        columns.decode(descriptor, array, view)
        for descriptor, array in zip(about["values"], batch.columns[:count], strict=True)
    ]
    frame = indexes.frame(arrays, index)
    frame.columns = indexes.unpack(about["columns"])
    return _with_attributes(frame, about)


def _read_table(about: Mapping[str, Any], batch: Any, view: columns.View) -> Any:
    import pyarrow as pa

    metadata = {k: v for k, v in batch.schema.metadata.items() if k != _KEY}
    return pa.Table.from_batches([batch]).replace_schema_metadata(metadata or None)


_WRITERS: dict[str, Callable[[Any], tuple[dict[str, Any], Any]]] = {
    "dataframe": _describe_dataframe,
    "series": _describe_series,
    "index": _describe_index,
    "table": _describe_table,
}
_READERS: dict[str, Callable[[Mapping[str, Any], Any, columns.View], Any]] = {
    "dataframe": _read_dataframe,
    "series": _read_series,
    "index": _read_index,
    "table": _read_table,
}
