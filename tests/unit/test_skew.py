"""The skew check, on a feature store in memory whose online side can be led astray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import ViewDefinition
from stackyard.errors import InvalidInput, NotFound, Unsupported
from stackyard.skew import skew
from stackyard.testing import MemoryFeatureStore
from stackyard.testing.weather import WEATHER, questions, weather

FEATURES = ["weather:temp", "weather:rain"]


class Store(MemoryFeatureStore):
    """Serves what ``change`` makes of the values."""

    change: Any = staticmethod(lambda rows: rows)

    def online(self, rows: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        return pd.DataFrame(self.change(super().online(rows, features)))


@pytest.fixture
def store() -> Store:
    """With the weather up to four o'clock."""
    made = Store(None, Context(name="feature_store"))
    made.apply([replace(WEATHER, ttl=None)])
    made.write("weather", weather())
    made.materialize(datetime(2013, 1, 1, 4, tzinfo=UTC))
    return made


def joined(store: Store, hours: Sequence[int] = (1, 3, 2, 4)) -> pd.DataFrame:
    """Kennedy twice, LaGuardia, and an airport without weather."""
    rows = questions(["JFK", "JFK", "LGA", "ZZZ"], hours)
    return store.historical(rows, FEATURES, timestamp="at")


def test_what_is_served_is_what_was_joined(store: Store) -> None:
    """Of each entity the newest row, nulls included."""
    report = skew(store, joined(store), FEATURES, timestamp="at")
    assert report.ok
    assert [(f.feature, f.compared, f.equal, f.largest, f.examples) for f in report.features] == [
        ("weather:temp", 3, 3, None, ()),
        ("weather:rain", 3, 3, None, ()),
    ]


def test_a_difference_is_told_by_feature(store: Store) -> None:
    """With its size and the entities, without values."""
    store.change = lambda rows: rows.assign(temp=rows["temp"] * 1.5)
    report = skew(store, joined(store), FEATURES, timestamp="at")
    temp, rain = report.features
    assert not report.ok and rain.ok and not temp.ok
    assert (temp.compared, temp.equal, temp.largest) == (3, 1, 1.5)
    assert sorted(e["origin"] for e in temp.examples) == ["JFK", "LGA"]
    assert "weather:temp: 1 of 3 equal, largest difference 1.5" in str(report)


def test_truth_values_differ_without_a_size() -> None:
    made = Store(None, Context(name="feature_store"))
    made.apply([ViewDefinition("sky", {"origin": "string"}, {"clear": "bool"}, "time")])
    rows = weather()[["origin", "time"]].assign(clear=True)
    made.write("sky", rows)
    made.materialize(datetime(2013, 1, 1, 4, tzinfo=UTC))
    made.change = lambda rows: rows.assign(clear=~rows["clear"])
    asked = made.historical(questions(["JFK"], [4]), ["sky:clear"], timestamp="at")
    (clear,) = skew(made, asked, ["sky:clear"], timestamp="at").features
    assert (clear.compared, clear.equal, clear.largest) == (1, 0, None)


def test_a_null_for_a_value_differs(store: Store) -> None:
    store.change = lambda rows: rows.assign(rain=None)
    rain = skew(store, joined(store), FEATURES, timestamp="at").features[1]
    assert (rain.compared, rain.equal, rain.largest) == (3, 1, None)


def test_digits_that_an_online_store_loses_are_forgiven(store: Store) -> None:
    store.change = lambda rows: rows.assign(temp=rows["temp"] * (1 + 1e-7))
    assert not skew(store, joined(store), FEATURES, timestamp="at").ok
    assert skew(store, joined(store), FEATURES, timestamp="at", tolerance=1e-6).ok


def test_rows_before_a_newer_value_are_left_out(store: Store) -> None:
    """Kennedy was joined before three o'clock: that online has a newer value is no skew."""
    rows = joined(store, [1, 2, 2, 4])
    report = skew(store, rows, FEATURES, timestamp="at")
    assert report.ok and report.features[0].compared == 2
    early = skew(store, rows, FEATURES, timestamp="at", until=datetime(2013, 1, 1, 2, tzinfo=UTC))
    assert not early.ok  # the store was materialized later than that


def test_rows_that_were_written_anew_differ(store: Store) -> None:
    """The model learned from other values than are served now."""
    rows = joined(store)
    late = weather().iloc[1:2].assign(temp=30.0)
    store.write("weather", late)
    (temp,) = skew(store, rows, FEATURES[:1], timestamp="at").features
    assert (temp.compared, temp.equal, temp.largest) == (3, 2, 27.0)
    assert temp.examples == ({"origin": "JFK"},)


def test_what_was_not_materialized_differs(store: Store) -> None:
    store.write("weather", weather().iloc[:1].assign(origin="EWR"))
    rows = store.historical(questions(["EWR"], [3]), FEATURES, timestamp="at")
    store._until.clear()
    report = skew(store, rows, FEATURES, timestamp="at")
    assert [(f.compared, f.equal) for f in report.features] == [(1, 0), (1, 0)]


def test_a_sample_is_no_larger_than_asked_and_the_same_again(store: Store) -> None:
    store.change = lambda rows: rows.assign(temp=-1.0)
    first, second = (skew(store, joined(store), FEATURES, timestamp="at", sample=2) for _ in "12")
    assert first == second and first.features[0].compared == 2


def test_nothing_to_compare_is_not_well(store: Store) -> None:
    assert not skew(store, joined(store).iloc[:0], FEATURES, timestamp="at").ok


def test_what_cannot_be_compared(store: Store) -> None:
    rows = joined(store)
    with pytest.raises(NotFound):
        skew(store, rows, ["weather:wind"], timestamp="at")
    for column in ("temp", "origin", "at"):
        with pytest.raises(InvalidInput, match=column):
            skew(store, rows.drop(columns=column), FEATURES, timestamp="at")

    class ReadOnly(MemoryFeatureStore):
        capabilities = frozenset()

    with pytest.raises(Unsupported, match="online"):
        skew(ReadOnly(), rows, FEATURES, timestamp="at")
