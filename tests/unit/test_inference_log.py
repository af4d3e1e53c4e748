"""The inference log is read within its window, as a monitor takes it; labels join later."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stackyard import join_labels, read_inferences
from stackyard.errors import InvalidInput, NotFound, StoreError

NOON = dt.datetime(2026, 1, 15, 12, tzinfo=dt.UTC)


def write(
    folder: Path, name: str, rows: list[dict[str, Any]], version: str = "1", role: str = "champion"
) -> None:
    """A file of the log, as a server writes it."""
    base = {"row": 0, "version": version, "role": role, "latency_ms": 3.5, "error": None}
    full = [base | row for row in rows]
    table = pa.Table.from_pylist(full)
    place = table.schema.get_field_index("row")
    table = table.set_column(place, "row", table["row"].cast(pa.int32()))
    place = table.schema.get_field_index("time")
    table = table.set_column(place, "time", table["time"].cast(pa.timestamp("us", tz="UTC")))
    path = folder / rows[0]["time"].strftime("%Y-%m-%d") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def request(id: str, hours: float, **values: Any) -> dict[str, Any]:
    """One row of a request so many hours after noon."""
    return {"id": id, "time": NOON + dt.timedelta(hours=hours), **values}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two days, two versions of which the second has one more input, and a shadow."""
    first = [
        request("b", 1, **{"input:time": 5.0, "input:carrier": "UA", "output:predict": 1}),
        request("a", 0, **{"input:time": 4.0, "input:carrier": None, "output:predict": 0}),
    ]
    write(tmp_path, "x.parquet", first)
    second = [
        request("c", 13, **{"input:time": 6.0, "input:wind": 1.5, "output:predict": 1}),
        request("c", 13, row=1, **{"input:time": 7.0, "input:wind": 2.5, "output:predict": 0}),
    ]
    write(tmp_path, "y.parquet", second, version="2", role="challenger")
    shadow = [request("a", 0, **{"input:time": 4.0, "output:predict": 1})]
    write(tmp_path, "z.parquet", shadow, version="2", role="shadow")
    return tmp_path


def test_what_was_served_is_read(log: Path) -> None:
    """Sorted by time; what a version lacks is null; what is being written is not read."""
    for name in (".x.parquet", "_y.parquet", "notes.txt"):
        (log / "2026-01-15" / name).write_text("half a file")
    found = read_inferences(log)
    assert list(found.index.names) == ["id", "row", "time", "version"]
    assert [key[:2] for key in found.index] == [("a", 0), ("b", 0), ("c", 0), ("c", 1)]
    assert list(found.index.get_level_values("version")) == ["1", "1", "2", "2"]
    assert set(found.columns) == {"time", "carrier", "wind", "output:predict"}
    assert found["time"].tolist() == [4.0, 5.0, 6.0, 7.0]  # an input of that name
    assert found["output:predict"].tolist() == [0, 1, 1, 0]
    assert found["wind"].isna().tolist() == [True, True, False, False]
    assert found["carrier"].isna().tolist() == [True, False, True, True]


def test_the_window_has_its_beginning_and_not_its_end(log: Path) -> None:
    """In any time zone, to the microsecond, over midnight."""
    local = dt.timezone(dt.timedelta(hours=-5))
    hour = dt.timedelta(hours=1)

    def ids(since: dt.datetime | None, until: dt.datetime | None) -> list[str]:
        return list(read_inferences(log, since, until).index.get_level_values("id"))

    assert ids(NOON, NOON + hour) == ["a"]
    assert ids((NOON + hour).astimezone(local), NOON + 14 * hour) == ["b", "c", "c"]
    assert ids(NOON + 13 * hour, None) == ["c", "c"]
    assert ids(None, NOON + 13 * hour) == ["a", "b"]
    assert ids(NOON + dt.timedelta(microseconds=1), NOON + hour) == []
    assert ids(NOON + 100 * hour, None) == []
    with pytest.raises(InvalidInput, match=r"since: .* has no time zone"):
        read_inferences(log, NOON.replace(tzinfo=None))


def test_versions_and_shadows_are_told_apart(log: Path) -> None:
    assert len(read_inferences(log, version="2")) == 2
    shadow = read_inferences(log, shadow=True)
    assert [key[0] for key in shadow.index] == ["a"]
    assert shadow["output:predict"].tolist() == [1]
    assert read_inferences(log, version="9").empty


def test_lists_become_columns(tmp_path: Path) -> None:
    """Of a model of one array, or of many classes."""
    rows = [
        request("a", 0, **{"input:input": [1.0, 2.0], "output:probability": [0.1, 0.2, 0.7]}),
        request("b", 1, **{"input:input": None, "output:probability": [0.3, 0.3, 0.4]}),
    ]
    write(tmp_path, "x.parquet", rows)
    found = read_inferences(tmp_path)
    assert list(found.columns) == [
        "input[0]", "input[1]", "output:probability[0]", "output:probability[1]",
        "output:probability[2]",
    ]  # fmt: skip
    assert found["input[1]"].fillna(-1).tolist() == [2.0, -1.0]


def test_a_log_that_cannot_be_read(log: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        read_inferences(log / "nowhere")
    (log / "2026-01-16" / "bad.parquet").write_text("nonsense")
    with pytest.raises(StoreError, match=r"bad\.parquet cannot be read"):
        read_inferences(log)
    assert len(read_inferences(log, until=NOON + dt.timedelta(hours=2))) == 2


def test_labels_join_by_request_and_row(log: Path) -> None:
    """Null where none came yet; of requests that were not served they go nowhere."""
    served = read_inferences(log)
    labels = pd.DataFrame({"id": ["c", "a", "zz"], "row": [1, 0, 0], "late": [1, 0, 1]})
    joined = join_labels(served, labels)
    assert joined.index.equals(served.index)
    assert joined["late"].fillna(-1).tolist() == [0, -1, -1, 1]
    single = served[served.index.get_level_values("id") != "c"]
    joined = join_labels(single, labels[["id", "late"]])
    assert joined["late"].fillna(-1).tolist() == [0, -1]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"late": [1]}, "needs the column 'id'"),
        ({"id": ["a"]}, "one with the truth"),
        ({"id": ["a"], "late": [1]}, "add the column 'row'"),
        ({"id": ["a", "a"], "row": [0, 0], "late": [1, 0]}, "1 of 2 are of a row that has one"),
        ({"id": ["a"], "row": [0], "carrier": ["UA"]}, "has a column 'carrier', too"),
    ],
)
def test_labels_that_cannot_be_joined(log: Path, labels: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        join_labels(read_inferences(log), pd.DataFrame(labels))
