"""Feast keeps the contract of a feature store."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import ViewDefinition
from stackyard.errors import ComponentError, NotFound, Unavailable
from stackyard.skew import skew
from stackyard.testing import FeatureStoreContract
from stackyard.testing.weather import START, WEATHER, plain, questions, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore


class TestFeast(FeatureStoreContract):
    """In a project of its own."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"flavor": "feast"}


def test_the_state_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """Where the same was written in the same order: neither folder nor time count."""
    states = []
    for name in "ab":
        context = Context(project=tmp_path / name, state_dir=tmp_path / name)
        store = FeastFeatureStore(FeastConfig(), context)
        store.apply([WEATHER])
        store.write("weather", weather())
        states.append(store.state())
    assert states[0] == states[1] is not None


def test_what_a_later_beginning_left_out_is_brought_by_the_next(tmp_path: Path) -> None:
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    store.apply([WEATHER])
    store.write("weather", weather())
    end = START.to_pydatetime() + timedelta(hours=9)
    asked = questions(["JFK"], [0])[["origin"]]
    store.materialize(end, since=end - timedelta(hours=1))
    assert plain(store.online(asked, ["weather:temp"])["temp"]) == [None]
    store.materialize(end)
    assert plain(store.online(asked, ["weather:temp"])["temp"]) == [3.0]


def test_what_was_materialized_and_is_lost_is_brought_back(tmp_path: Path) -> None:
    """The next one brings all of it, also views without rows; until then the cure is told."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    store.apply([WEATHER, replace(WEATHER, name="sea", features={"wave": "float64"})])
    store.write("weather", weather())
    end = START.to_pydatetime() + timedelta(hours=9)
    asked = questions(["JFK"], [0])[["origin"]]
    features = ["weather:temp", "sea:wave"]
    database = tmp_path / "online.db"
    for lost in (database.unlink, lambda: database.write_text("no database " * 99)):
        store.materialize(end)
        assert plain(store.online(asked, features).iloc[0]) == ["JFK", 3.0, None]
        lost()
        with pytest.raises(ComponentError, match=f"{database}.*materialize") as caught:
            store.online(asked, features)
        assert isinstance(caught.value, NotFound | Unavailable)
    with pytest.raises(Unavailable, match=f"{database}.*Delete it"):
        store.materialize(end)


def test_a_view_that_was_removed_and_defined_again_is_brought_online(tmp_path: Path) -> None:
    """Feast drops the online values of a view that is removed."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    asked = questions(["JFK"], [0])[["origin"]]
    for _ in range(2):
        store.apply([WEATHER])
        store.write("weather", weather())
        store.materialize(START.to_pydatetime() + timedelta(hours=9))
        assert plain(store.online(asked, ["weather:temp"])["temp"]) == [3.0]
        with store._registry.call("remove") as feast:
            feast.apply([], objects_to_delete=feast.list_feature_views(), partial=False)


def test_rows_are_written_where_their_folder_is_gone(tmp_path: Path) -> None:
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    store.apply([WEATHER])
    shutil.rmtree(tmp_path / "rows")
    store.write("weather", weather())
    joined = store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
    assert plain(joined["temp"]) == [3.0]


def test_types_come_back_online(tmp_path: Path) -> None:
    """As from the join, also of entities of two columns; of moments Feast keeps whole seconds."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    features: Any = {"whole": "int64", "real": "float64", "truth": "bool", "text": "string"}
    features["moment"] = "timestamp"
    store.apply(
        [ViewDefinition("v", {"origin": "string", "flight": "int64"}, features, "time", 7200.0)]
    )
    moment = pd.Timestamp("2013-02-03 04:05:06", tz="UTC")
    values = {"whole": 2**62 + 1, "real": 0.1, "truth": False, "text": "naïve", "moment": moment}
    rows = weather().assign(flight=[1, 2, 1], **values)
    store.write("v", rows.assign(moment=moment + pd.Timedelta("0.5s")))
    store.materialize(datetime(2013, 1, 2, tzinfo=UTC))
    asked = pd.DataFrame({"flight": [2.0, None, 1.0], "origin": ["JFK"] * 3}, index=[5, 5, 4])
    names = [f"v:{name}" for name in features]
    served = store.online(asked, names)
    for name, value in values.items():
        assert plain(served[name]) == [value, None, value], name
    joined = store.historical(asked.assign(at=START), names, timestamp="at")
    assert served[list(values)].dtypes.to_dict() == joined[list(values)].dtypes.to_dict()


def test_a_clock_that_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written later counts nevertheless."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    store.apply([WEATHER])
    store.write("weather", weather())
    monkeypatch.setattr("stackyard_feast.parts.time.time_ns", lambda: 1_000_000)
    for temp in (7.0, 8.0):
        store.write("weather", weather().assign(temp=temp))
        joined = store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        assert joined["temp"].tolist() == [temp]


def test_served_as_trained(tmp_path: Path) -> None:
    """What was written after the last materialization is told, and gone after the next."""
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    store.apply([WEATHER])
    store.write("weather", weather())
    store.materialize(datetime(2013, 1, 1, 4, tzinfo=UTC))
    store.write("weather", weather().assign(temp=[7.0, 8.0, 9.0]))
    features = ["weather:temp", "weather:rain"]
    joined = store.historical(questions(["JFK", "LGA", "ZZZ"], [3, 2, 4]), features, timestamp="at")
    temp, rain = skew(store, joined, features, timestamp="at").features
    assert (temp.compared, temp.equal, temp.largest) == (3, 1, 7.0)
    assert (rain.compared, rain.equal) == (3, 3)
    store.materialize(datetime(2013, 1, 1, 4, tzinfo=UTC))
    assert skew(store, joined, features, timestamp="at").ok
