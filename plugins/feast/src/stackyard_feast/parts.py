"""Rows that the store keeps itself: Parquet files, each written once, named by time and content.

A file is called ``<microseconds>-<digest>.parquet``. Its rows carry the same time in the column
``_written``, so that of two rows for one entity and moment the one written later counts. Times are
in microseconds, because DuckDB refuses to materialize nanoseconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.feature_store import ViewDefinition
from stackyard.errors import InvalidInput
from stackyard.feature_rows import to_write

if TYPE_CHECKING:
    import pandas as pd

WRITTEN = "_written"
KINDS = ("int64", "float64", "bool", "string", "timestamp")
PATTERN = "*.parquet"
_FIRST = f"{0:020d}-empty.parquet"  # has the columns, so that a reader always finds a file


def write(folder: Path, view: ViewDefinition, rows: pd.DataFrame) -> bool:
    """Add rows, unless they are what was written last; tell whether they were added.

    Raises:
        InvalidInput: a column is missing or of another type.
    """
    import blake3
    import pyarrow as pa

    table = _table(to_write(rows, view), view)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    digest = blake3.blake3(sink.getvalue()).hexdigest()[:32]
    there = sorted(folder.glob(PATTERN))
    if not there:  # somebody removed the folder
        begin(folder, view, None)
        there = sorted(folder.glob(PATTERN))
    same = [place for place, part in enumerate(there) if digest_of(part) == digest]
    if not table.num_rows or (same and not _replaced(table, there[same[-1] + 1 :], view)):
        return False
    _put(folder, table, max(time.time_ns() // 1000, _time(there[-1]) + 1), digest)
    return True


def begin(folder: Path, view: ViewDefinition, before: Path | None) -> None:
    """Make the folder of a view; rows of an earlier definition get the columns of the new one.

    Raises:
        InvalidInput: a column that is there already cannot have the new type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    schema = _schema(view)
    for part in sorted(before.glob(PATTERN)) if before is not None else ():
        if part.name == _FIRST or (folder / part.name).exists():
            continue
        old = pq.read_table(part)
        columns = []
        for field in schema:
            if field.name not in old.column_names:
                columns.append(pa.nulls(old.num_rows, field.type))
                continue
            try:
                columns.append(old[field.name].cast(field.type))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
                raise InvalidInput(
                    f"view {view.name!r}: what was written in column {field.name!r} is "
                    f"{old[field.name].type}, and cannot be {field.type}: {exc}"
                ) from exc
        _put(folder, pa.table(columns, schema=schema), _time(part), digest_of(part))
    _write(folder / _FIRST, schema.empty_table())


def first_times(folder: Path, names: Iterable[str], timestamp: str) -> list[datetime]:
    """The earliest time of the rows in each of the files that has rows."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = [pq.read_table(folder / name, columns=[timestamp])[timestamp] for name in names]
    return [pc.min(column).as_py() for column in columns if len(column)]


def _put(folder: Path, table: Any, written: int, digest: str) -> None:
    import pyarrow as pa

    kind = pa.timestamp("us", tz="UTC")
    column = pa.array([written] * table.num_rows, pa.int64()).cast(kind)
    if WRITTEN in table.column_names:
        table = table.drop_columns([WRITTEN])
    _write(folder / f"{written:020d}-{digest}.parquet", table.append_column(WRITTEN, column))


def _write(path: Path, table: Any) -> None:
    """Put a file in its place whole; a reader's pattern does not see the temporary one."""
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _replaced(table: Any, later: list[Path], view: ViewDefinition) -> bool:
    """Whether a row of ``table`` was written again, with other values perhaps, in ``later``."""
    import pyarrow.parquet as pq

    key = [*view.entity, view.timestamp]
    mine = table.select(key).to_pandas()
    return any(len(mine.merge(pq.read_table(p, columns=key).to_pandas(), on=key)) for p in later)


def _table(rows: pd.DataFrame, view: ViewDefinition) -> Any:
    import pyarrow as pa

    schema = _schema(view)
    schema = schema.remove(schema.get_field_index(WRITTEN))
    return pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata()


def _schema(view: ViewDefinition) -> Any:
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    kinds = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(),
             "string": pa.string(), "timestamp": moment}  # fmt: skip
    types = {**view.entity, view.timestamp: "timestamp", **view.features, WRITTEN: "timestamp"}
    return pa.schema([(name, kinds[kind]) for name, kind in types.items()])


def _time(part: Path) -> int:
    return int(part.name.partition("-")[0])


def digest_of(part: Path) -> str:
    """Digest of the rows in a file."""
    return part.stem.partition("-")[2]
