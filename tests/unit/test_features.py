"""Views in YAML and as plain data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.feature_store import ViewDefinition
from stackyard.errors import ConfigError, InvalidInput
from stackyard.feature_rows import to_write, typed
from stackyard.features import read_views
from stackyard.testing.weather import WEATHER, weather

TEXT = """\
views:
  weather:
    description: Hourly, by airport
    entity: {origin: string}
    timestamp: time
    ttl: 3h
    features:
      temp: float64
      rain: int64
  planes:
    entity: {tailnum: string}
    timestamp: since
    source: data/planes.parquet
    features: {seats: int64}
"""


def test_views_are_plain_data(tmp_path: Path) -> None:
    """That can stand in a pipeline, and makes equal definitions again."""
    file = tmp_path / "features.yaml"
    file.write_text(TEXT)
    weather, planes = read_views(file)
    assert weather == {
        "name": "weather",
        "entity": {"origin": "string"},
        "features": {"temp": "float64", "rain": "int64"},
        "timestamp": "time",
        "ttl": 10800.0,
        "source": "",
        "description": "Hourly, by airport",
    }
    made = ViewDefinition.of(weather)
    assert made == replace(WEATHER, description="Hourly, by airport")
    assert ViewDefinition.of(made.plain()) == made
    assert (planes["ttl"], planes["source"]) == (None, "data/planes.parquet")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rain: int64", "rain: int", "9:7 views.weather: features: rain: 'int' is no type. Types:"),
        ("ttl: 3h", "ttl: soon", "6:5 views.weather: ttl: 'soon' is no duration"),
        ("ttl: 3h", "ttl: 0", "6:5 views.weather: ttl: 0.0 is no number of seconds above 0"),
        ("ttl: 3h", "til: 3h", "6:5 views.weather: unknown key 'til'. Keys: "),
        ("ttl: 3h", "name: x", "6:5 views.weather: its key is its name"),
        ("    timestamp: time\n", "", "3:5 views.weather: missing key 'timestamp'"),
        ("timestamp: time", "timestamp: 7", "5:16 views.weather.timestamp is a whole number"),
        ("timestamp: time", "timestamp: temp", "column 'temp' stands twice"),
        ("{origin: string}", "{origin: float64}", "4:14 views.weather: entity: origin: 'float64'"),
        ("{origin: string}", "{}", "4:5 views.weather: entity: name at least one column"),
        ("{origin: string}", "origin", "4:13 views.weather.entity is text"),
        ("  weather:\n", "  we-ather:\n", "views.we-ather: 'we-ather' is no name"),
        ("views:\n", "view:\n", "1:1 unknown key 'view'. Keys: views"),
        (TEXT, "views: {}", "1:8 views: write at least one view"),
        (TEXT, "views: {weather: 3}", "1:18 views.weather is a whole number"),
        (TEXT, "views: !!python/object {}", "tag"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in TEXT
    file = tmp_path / "features.yaml"
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_views(file)
    assert str(caught.value).startswith("features.yaml:")
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"features\.yaml: cannot be read"):
        read_views(tmp_path / "features.yaml")


def test_a_digest_is_of_what_is_said() -> None:
    """Not of its order, nor of the description."""
    same = replace(WEATHER, features=dict(reversed(WEATHER.features.items())), description="x")
    assert same.digest == WEATHER.digest
    changes: list[dict[str, Any]] = [
        {"name": "sea"}, {"ttl": None}, {"timestamp": "at"}, {"source": "x"},
        {"entity": {"origin": "int64"}}, {"features": {"temp": "float64"}},
    ]  # fmt: skip
    assert len({WEATHER.digest, *(replace(WEATHER, **c).digest for c in changes)}) == 7


# Values in one form


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        (pd.Series([1, 2], dtype="uint8"), "int64", [1, 2]),
        (pd.Series([1.0, None]), "int64", [1, None]),
        (pd.Series([2**63 - 1, None], dtype="object"), "int64", [2**63 - 1, None]),
        (pd.Series([1, None], dtype="Int32"), "float64", [1.0, None]),
        (pd.Series([1, 2.5, None], dtype="object"), "float64", [1.0, 2.5, None]),
        (pd.Series([True, None], dtype="object"), "bool", [True, None]),
        (pd.Series(["a", None], dtype="category"), "string", ["a", None]),
        (pd.Series(["a", None], dtype="string"), "string", ["a", None]),
        (pd.Series([None, None]), "timestamp", [None, None]),
        (pd.Series([], dtype="object"), "int64", []),
    ],
)
def test_values_of_a_type(values: Any, kind: Any, wanted: list[Any]) -> None:
    made = typed(values, kind, "rows")
    assert [None if pd.isna(v) else v for v in made.tolist()] == wanted


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5], "int64"), ([True], "int64"), (["1"], "int64"), ([2**64], "int64"),
        ([2.0**60], "int64"), (["a"], "float64"), ([True], "float64"), ([1], "bool"),
        ([1], "string"), ([b"a"], "string"), (["a", 1], "string"), (["2013"], "timestamp"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(values: list[Any], kind: Any) -> None:
    with pytest.raises(InvalidInput, match="column 'x'"):
        typed(pd.Series(values, name="x"), kind, "rows")


def test_rows_to_write() -> None:
    """The view's columns; of rows for one entity and time the last; times are rounded up."""
    rows = pd.concat([weather(), weather().assign(temp=9.0)]).assign(wind=1.0)
    rows["time"] = rows["time"].dt.tz_convert("Asia/Tokyo") + pd.Timedelta(1, "ns")
    made = to_write(rows, WEATHER)
    assert list(made.columns) == ["origin", "time", "temp", "rain"]
    assert made["temp"].tolist() == [9.0] * 3
    assert str(made["time"].dtype) == "datetime64[us, UTC]"
    assert made["time"].iloc[0] == pd.Timestamp("2013-01-01 01:00:00.000001", tz="UTC")
