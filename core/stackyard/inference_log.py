"""The inference log of an endpoint, as frames: what was asked and answered, and labels to it.

A server keeps it as a folder of Parquet files, ``<UTC day>/<any name>.parquet``, each of one
version of the model. A file whose name begins with ``.`` or ``_`` is being written. There is one
row for each row of a request, with the columns ``id``, ``row``, ``time``, ``version``, ``role``
(``champion``, ``challenger`` or ``shadow``), ``latency_ms``, ``error``, ``input:<name>`` and
``output:<name>``. A request without an answer has one row with its ``error``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.errors import InvalidInput, NotFound, StoreError

if TYPE_CHECKING:
    import pandas as pd

INDEX = ("id", "row", "time", "version")
_INPUT = "input:"


def read_inferences(
    folder: str | Path,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    *,
    version: str | None = None,
    shadow: bool = False,
) -> pd.DataFrame:
    """Read what an endpoint was asked and answered within a window.

    Args:
        folder: of the endpoint's log, as ``server.inferences(name)`` gives it.
        since: from this moment on, with a time zone.
        until: before this moment.
        version: only answers of this version of the model.
        shadow: what a shadow would have answered, instead of what was answered.

    Returns:
        A frame with a column for each input by its name and for each output as ``output:<name>``,
        sorted by time; its index has ``id``, ``row``, ``time`` and ``version``. A column that one
        version has and another has not is null there; one with a list in each row becomes columns
        ``name[0]``, ``name[1]``, ...

    Raises:
        NotFound: there is no such folder.
        InvalidInput: a moment has no time zone.
        StoreError: a file cannot be read.
    """
    import pandas as pd

    path = Path(folder)
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput(f"{name}: {moment.isoformat()} has no time zone")
    import pyarrow.compute as pc

    wanted = pc.field("error").is_null()
    role = pc.field("role") == "shadow"
    wanted &= role if shadow else ~role
    if version is not None:
        wanted &= pc.field("version") == version
    frame = _read(path, since, until, wanted)
    if frame.empty:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[]] * len(INDEX), names=INDEX))
    frame = frame.set_index(list(INDEX)).drop(columns=["role", "latency_ms", "error"])
    return _flat(frame.rename(columns=lambda name: name.removeprefix(_INPUT)))


def read_answers(folder: str | Path, since: dt.datetime, until: dt.datetime) -> pd.DataFrame:
    """Read who answered what within a window, and how: also what a shadow said, and failures.

    Args:
        folder: of the endpoint's log, as ``server.inferences(name)`` gives it.
        since: from this moment on, with a time zone.
        until: before this moment.

    Returns:
        The columns of the log as they are but for the inputs, sorted by time. Requests without an
        answer have an ``error``.

    Raises:
        NotFound: there is no such folder.
        StoreError: a file cannot be read.
    """
    import pandas as pd

    frame = _read(Path(folder), since, until, None, inputs=False)
    if frame.empty:
        return pd.DataFrame(columns=["id", "row", "time", "version", "role", "latency_ms", "error"])
    return frame


def join_labels(served: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Add the truth that came meanwhile to what ``read_inferences`` gave.

    Args:
        served: what was served.
        labels: has the column ``id``, any columns with the truth, and ``row`` unless each request
            had one row.

    Returns:
        All rows of ``served``, in order, with the columns of ``labels``: null where none came.

    Raises:
        InvalidInput: ``labels`` lacks a column, has two labels of one row, or columns that
            ``served`` has.
    """
    many = bool((served.index.get_level_values("row") > 0).any())
    keys = label_keys(labels, [*served.columns], many=many)
    return served.join(labels.set_index(keys), on=keys)


def label_keys(labels: pd.DataFrame, taken: Sequence[str], *, many: bool) -> list[str]:
    """The columns that say which row each label is of.

    Args:
        labels: with the truth.
        taken: columns of what was served.
        many: whether a request may have more than one row.

    Raises:
        InvalidInput: see ``join_labels``.
    """
    keys = [name for name in ("id", "row") if name in labels.columns]
    truth = [name for name in labels.columns if name not in keys]
    if "id" not in keys or not truth:
        have = ", ".join(map(str, labels.columns)) or "none"
        raise InvalidInput(f"labels: needs the column 'id' and one with the truth. Columns: {have}")
    both = [str(name) for name in truth if name in taken]
    if both:
        raise InvalidInput(f"labels: what was served has a column {both[0]!r}, too")
    if "row" not in keys and many:
        raise InvalidInput("labels: there are requests of many rows; add the column 'row'")
    double = int(labels.duplicated(keys).sum())
    if double:
        raise InvalidInput(f"labels: {double:,} of {len(labels):,} are of a row that has one")
    return keys


def _files(folder: Path, since: dt.datetime | None, until: dt.datetime | None) -> Iterator[Path]:
    """The finished files of the days of the window, oldest first."""
    first = since.astimezone(dt.UTC).date().isoformat() if since else ""
    last = until.astimezone(dt.UTC).date().isoformat() if until else "9999-12-31"
    for day in sorted(folder.iterdir()):
        if day.is_dir() and first <= day.name <= last:
            yield from sorted(p for p in day.glob("*.parquet") if p.name[0] not in "._")


def _read(
    folder: Path,
    since: dt.datetime | None,
    until: dt.datetime | None,
    wanted: Any,
    *,
    inputs: bool = True,
) -> pd.DataFrame:
    """The rows within a window that ``wanted``, an expression of pyarrow, is true of."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if not folder.is_dir():
        raise NotFound(f"there is no inference log in {folder}")
    conditions = [] if wanted is None else [wanted]
    if since is not None:
        conditions.append(pc.field("time") >= pa.scalar(since, pa.timestamp("us", tz="UTC")))
    if until is not None:
        conditions.append(pc.field("time") < pa.scalar(until, pa.timestamp("us", tz="UTC")))
    tables = []
    for file in _files(folder, since, until):
        table = _table(file, inputs=inputs)
        table = table.filter(reduce(and_, conditions)) if conditions else table
        if table.num_rows:
            tables.append(table.to_pandas())
    if not tables:
        return pd.DataFrame()
    frame: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return frame.sort_values(["time", "id", "row"], kind="stable", ignore_index=True)


def _table(file: Path, *, inputs: bool) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not read_table, which reads the folders of a path as columns.
        opened = pq.ParquetFile(file)
        names = [n for n in opened.schema_arrow.names if inputs or not n.startswith(_INPUT)]
        return opened.read(columns=names)
    except (pa.ArrowException, OSError) as exc:
        raise StoreError(f"inference log: {file} cannot be read: {exc}") from exc


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of lists as columns of their elements."""
    import pandas as pd

    parts: list[Any] = []
    for name in frame.columns:
        column = frame[name]
        known = column.dropna()
        if len(known) and pd.api.types.is_list_like(known.iloc[0]):
            rows = pd.DataFrame(known.tolist(), index=known.index).reindex(frame.index)
            rows.columns = pd.Index([f"{name}[{place}]" for place in range(rows.shape[1])])
            parts.append(rows)
        else:
            parts.append(column)
    flat: pd.DataFrame = pd.concat(parts, axis=1)
    return flat
