"""The point-in-time join over Parquet files, in DuckDB.

Feast's own join with DuckDB compares each question with the whole history of its entity, and cuts
times to microseconds. This one is DuckDB's ASOF join on nanoseconds: memory grows with rows and
questions, not with their product, and no value is seen before it is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stackyard.errors import ComponentError, InvalidInput, Unavailable
from stackyard.feature_rows import moments, typed
from stackyard_feast.views import KnownView, pattern

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_SQL = {
    "int64": "BIGINT", "float64": "DOUBLE", "bool": "BOOLEAN", "string": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
}  # fmt: skip


def join(
    rows: pd.DataFrame, view: KnownView, features: Sequence[str], timestamp: str
) -> dict[str, pd.Series[Any]]:
    """A column for each feature, with the index of ``rows``.

    Raises:
        InvalidInput: a column is of another type, or not in the view's files.
        Unavailable: the view's files cannot be read.
    """
    import duckdb
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    asked = {"#number": np.arange(len(rows)), "#moment": moments(rows[timestamp], "rows")}
    keys = {f"#key{n}": typed(rows[c], k, "rows") for n, (c, k) in enumerate(view.entity.items())}
    questions = pd.DataFrame(
        asked | {name: values.array for name, values in keys.items()}, index=rows.index
    ).dropna()
    questions["#moment"] = questions["#moment"].astype("int64")
    table = pa.Table.from_pandas(questions, preserve_index=False)
    for place, (name, kind) in enumerate(zip(keys, view.entity.values(), strict=True), 2):
        wanted = pa.int64() if kind == "int64" else pa.string()
        table = table.set_column(place, name, table[name].cast(wanted))
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
            connection.register("questions", table)
            answer = connection.sql(_query(view, features), params=[pattern(view)])
            found = answer.to_arrow_table()
    except duckdb.Error as exc:
        raise told(exc, f"view {view.name!r}: {view.source}") from exc
    positions = np.full(len(rows), -1)
    positions[found["#number"].to_numpy()] = np.arange(len(found))
    places = pa.array(positions, mask=positions < 0)
    kinds = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    made = {}
    for number, feature in enumerate(features):
        values = found[f"#value{number}"].take(places).to_pandas(types_mapper=kinds.get)
        made[feature] = values.set_axis(rows.index)
    return made


def told(exc: duckdb.Error, what: str) -> ComponentError:
    """What DuckDB says, as an error of ours.

    A column that is not there, or of another type, stays so; a file that somebody writes just now
    does not, so that a step may try again.
    """
    import duckdb

    lasting = (duckdb.BinderException, duckdb.CatalogException, duckdb.DataError)
    said = str(exc).splitlines()[0]
    return (InvalidInput if isinstance(exc, lasting) else Unavailable)(f"{what}: {said}")


def _query(view: KnownView, features: Sequence[str]) -> str:
    """SQL for one view. Names that it makes begin with '#', which no column of a view does."""
    keys = [
        f'{_cast(view.columns.get(name, name), kind)} AS "#key{number}"'
        for number, (name, kind) in enumerate(view.entity.items())
    ]
    values = [
        f'{_cast(view.columns.get(name, name), view.features[name])} AS "#value{number}"'
        for number, name in enumerate(features)
    ]
    moment = f"epoch_ns({_quoted(view.timestamp)})"
    names = [f'"#key{number}"' for number in range(len(keys))]
    # Where several rows say the same moment: the one written last, else the last in the files.
    latest = ["filename DESC", "file_row_number DESC"]
    if view.created:
        latest.insert(0, f"{_quoted(view.created)} DESC NULLS LAST")
    young = "TRUE"
    if view.ttl is not None:
        young = f'q."#moment"::HUGEINT - f."#moment" <= {round(view.ttl * 1e9)}'
    return f"""
        WITH f AS (
            SELECT {", ".join([*keys, *values])}, {moment} AS "#moment"
            FROM read_parquet(?, union_by_name = true)
            WHERE {_quoted(view.timestamp)} IS NOT NULL
            QUALIFY row_number() OVER (
                PARTITION BY {", ".join(names)}, "#moment" ORDER BY {", ".join(latest)}
            ) = 1
        )
        SELECT q."#number", {", ".join(f'f."#value{n}"' for n in range(len(values)))}
        FROM questions AS q ASOF JOIN f
        ON {" AND ".join(f"q.{n} = f.{n}" for n in names)} AND q."#moment" >= f."#moment"
        WHERE {young}
    """


def _cast(column: str, kind: str) -> str:
    return f"CAST({_quoted(column)} AS {_SQL[kind]})" if kind in _SQL else _quoted(column)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
