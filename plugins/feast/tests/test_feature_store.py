"""Feast keeps the contract of a feature store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore
from stackyard.skew import skew
from stackyard.testing import FeatureStoreContract
from stackyard.testing.weather import WEATHER, questions, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore


class TestFeast(FeatureStoreContract):
    """In a project of its own."""

    def connect(self, context: Context) -> FeatureStore:
        return FeastFeatureStore(FeastConfig(), context)


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
    joined = store.historical(questions(["JFK", "LGA", "XXX"], [3, 2, 4]), features, timestamp="at")
    temp, rain = skew(store, joined, features, timestamp="at").features
    assert (temp.compared, temp.equal, temp.largest) == (3, 1, 7.0)
    assert (rain.compared, rain.equal) == (3, 3)
    store.materialize(datetime(2013, 1, 1, 4, tzinfo=UTC))
    assert skew(store, joined, features, timestamp="at").ok
