"""The contract of a feature store as tests; numbered in docs/reference/feature-store.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore, FeaturesUsed
from stackyard.errors import InvalidInput, NotFound, Unsupported
from stackyard.testing.feature_store_jobs import JobContract
from stackyard.testing.manners import needs
from stackyard.testing.stand_ins import Journal
from stackyard.testing.weather import HOUR, WEATHER, hours, plain, questions, weather


class FeatureStoreContract(JobContract):
    """Inherit, and say what a stack says of the store, which has to be empty in every test.

    A store without ``write`` also says ``given``, one with ``jobs`` ``submitted``. Tests of a
    capability that the store does not have are skipped.
    """

    def ask(self, component: FeatureStore) -> object:
        """Which views there are."""
        return component.describe()

    def before_at_once(self, component: FeatureStore, token: str) -> None:
        """There is a view with rows."""
        self.given(component.context, WEATHER, weather())

    @classmethod
    def do_at_once(cls, component: FeatureStore, number: int, token: str) -> Any:
        """Define views, write rows and bring them online, as far as the store can; and join."""
        for turn in range(2 if "apply" in component.capabilities else 0):
            component.apply([WEATHER, replace(WEATHER, name=f"mine_{number}_{turn}")])
            if "write" in component.capabilities:
                component.write("weather", weather().assign(origin=f"{number}-{turn}"))
            if "materialize" in component.capabilities:
                component.materialize(_hour(5), views=["weather"])
        joined = component.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        return plain(joined["temp"])

    def check_at_once(self, component: FeatureStore, results: list[Any], token: str) -> None:
        """Every view is there, and every row, also online."""
        assert results == [[3.0], [3.0]]
        turns = [f"{number}_{turn}" for number in (0, 1) for turn in (0, 1)]
        if "apply" in component.capabilities:
            wanted = {"weather", *(f"mine_{turn}" for turn in turns)}
            assert {view.name for view in component.describe()} == wanted
        if "write" in component.capabilities:
            asked = questions([turn.replace("_", "-") for turn in turns], [3] * 4)
            joined = component.historical(asked, ["weather:temp"], timestamp="at")
            assert plain(joined["temp"]) == [3.0] * 4
            if "materialize" in component.capabilities:
                online = component.online(asked[["origin"]], ["weather:temp"])
                assert plain(online["temp"]) == plain(joined["temp"])

    # Describing

    def test_01_views_are_described(self, store: FeatureStore, context: Context) -> None:
        """By name; with entity, features, ttl and a digest that changes with the definition."""
        self.given(context, WEATHER, weather())
        self.given(context, replace(WEATHER, name="sea", ttl=HOUR), weather())
        sea, found = store.describe()
        assert (sea.name, found.name) == ("sea", "weather")
        assert found.entity == ("origin",)
        assert set(found.features) == {"temp", "rain"}
        assert (found.ttl, sea.ttl) == (3 * HOUR, HOUR)
        assert found.digest and found.digest != sea.digest

    def test_18_what_was_joined_is_noted(self, context: Context) -> None:
        """In the record of the step: features, digests of definitions, rows that had a value."""
        self.given(context, WEATHER, weather())
        journal = Journal()
        store = self.connect(replace(context, journal=journal))
        rows = weather()
        rows.loc[2, "temp"] = None
        self.given(context, replace(WEATHER, name="sea"), rows)
        features = ("weather:temp", "sea:rain")
        asked = questions(["JFK", "LGA", "ZZZ", "JFK"], [3, 3, 3, 0])
        store.historical(asked, features, timestamp="at")
        store.historical(asked[1:3], ["sea:temp"], timestamp="at")
        sea, view = store.describe()
        used = {"weather": view.digest, "sea": sea.digest}
        assert journal.entries == [
            FeaturesUsed(features, used, 4, {"weather:temp": 2, "sea:rain": 2}),
            FeaturesUsed(("sea:temp",), {"sea": sea.digest}, 2, {"sea:temp": 0}),
        ]

    def test_19_state_tells_of_changes(self, store: FeatureStore, context: Context) -> None:
        """It stays while answers stay, and changes with rows and definitions."""
        if store.state() is None:
            pytest.skip("this store cannot tell")
        seen = [store.state()]
        self.given(context, WEATHER, weather())
        seen.append(store.state())
        store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        assert store.state() == seen[-1] == self.connect(context).state()
        self.given(context, WEATHER, weather().assign(temp=7.0))
        seen.append(store.state())
        self.given(context, replace(WEATHER, ttl=None), weather().assign(temp=7.0))
        seen.append(store.state())
        assert len(set(seen)) == 4

    # Capabilities

    def test_20_defining_again(self, store: FeatureStore) -> None:
        """The same changes nothing; another replaces that view and leaves the others."""
        needs(store, "apply")
        first = store.apply([WEATHER, replace(WEATHER, name="sea")])
        assert list(first) == [WEATHER.view, replace(WEATHER, name="sea").view]
        assert list(store.apply([WEATHER])) == [WEATHER.view]
        assert [view.name for view in store.describe()] == ["sea", "weather"]
        other = replace(WEATHER, features={"rain": "int64", "wind": "float64"}, ttl=None)
        (changed,) = store.apply([other])
        assert changed.digest != WEATHER.view.digest
        assert list(store.describe()) == [replace(WEATHER, name="sea").view, changed]

    def test_21_a_definition_that_cannot_be(self, store: FeatureStore) -> None:
        """InvalidInput, and none of the others is defined."""
        needs(store, "apply")
        with pytest.raises(InvalidInput):
            store.apply([WEATHER, replace(WEATHER, name="sea", source="no/such/place.parquet")])
        assert list(store.describe()) == []

    def test_22_writing(self, store: FeatureStore, context: Context) -> None:
        """The same rows again change nothing; what is written later counts, in any order."""
        needs(store, "write")
        self.given(context, WEATHER, weather())
        state = store.state()
        store.write("weather", weather())
        store.write("weather", weather().iloc[::-1])
        assert store.state() == state
        asked = questions(["JFK", "JFK"], [1, 3])
        for temp in (8.0, 9.0, 8.0):
            store.write("weather", weather().iloc[:1].assign(temp=temp))
            joined = store.historical(asked, ["weather:temp"], timestamp="at")
            assert plain(joined["temp"]) == [temp, 3.0]
        store.write("weather", pd.concat([weather().assign(temp=5.0), weather().assign(temp=6.0)]))
        joined = store.historical(asked, ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [6.0, 6.0]

    def test_23_rows_that_do_not_fit(self, store: FeatureStore, context: Context) -> None:
        """InvalidInput, and nothing is written; NotFound where there is no such view."""
        needs(store, "write")
        self.given(context, WEATHER, weather())
        good = weather()
        for rows in (
            good.drop(columns="temp"),
            good.drop(columns="time"),
            good.assign(temp="warm"),
            good.assign(rain=0.5),
            good.assign(origin=None),
            good.assign(time="2013-01-01"),
        ):
            with pytest.raises(InvalidInput, match="weather"):
                store.write("weather", rows)
        for odd in ("wether", "", "../weather", "weather\n", "w" * 300):
            with pytest.raises(NotFound, match="Views: weather"):
                store.write(odd, good)
        joined = store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [3.0]

    def test_24_a_view_defined_anew_keeps_its_rows(
        self, store: FeatureStore, context: Context
    ) -> None:
        """A new feature is null in them."""
        needs(store, "apply")
        self.given(context, WEATHER, weather())
        store.apply([replace(WEATHER, features={"temp": "float64", "wind": "float64"})])
        asked = ["weather:temp", "weather:wind"]
        joined = store.historical(questions(["JFK"], [3]), asked, timestamp="at")
        assert joined.iloc[0, 2:].isna().tolist() == [False, True]

    def test_25_online(self, store: FeatureStore, context: Context) -> None:
        """The newest value at or before the end; null where there is none; rows stay."""
        needs(store, "materialize")
        self.given(context, WEATHER, weather())
        asked = questions(["LGA", "JFK", "ZZZ", None, "JFK"], [0] * 5)[["origin"]]
        asked.index = pd.Index([5, 5, 3, 2, 1])
        assert store.materialize(_hour(2)) == {"weather": _hour(2)}
        values = store.online(asked, ["weather:rain", "weather:temp"])
        pd.testing.assert_frame_equal(values[["origin"]], asked)
        assert list(values.columns) == ["origin", "rain", "temp"]
        assert plain(values["rain"]) == [20, 10, None, None, 10]
        store.materialize(_hour(3))
        assert plain(store.online(asked, ["weather:temp"])["temp"]) == [2.0, 3.0, None, None, 3.0]
        for _ in range(2):  # never back to older values
            assert store.materialize(_hour(1), views=["weather"]) == {"weather": _hour(3)}
            assert plain(store.online(asked, ["weather:rain"])["rain"]) == [20, 30, None, None, 30]
        with pytest.raises(NotFound):
            store.online(asked, ["weather:wind"])
        with pytest.raises(InvalidInput):
            store.online(asked.rename(columns={"origin": "airport"}), ["weather:temp"])

    def test_26_what_is_written_late_comes_online(
        self, store: FeatureStore, context: Context
    ) -> None:
        """Also rows about a time before the end of the last materialization."""
        needs(store, "materialize")
        self.given(context, WEATHER, weather())
        store.materialize(_hour(5))
        late = weather().assign(time=hours([2, 4, 1]), temp=[12.0, 14.0, 11.0])
        self.given(context, WEATHER, late)
        asked = questions(["JFK", "LGA"], [0, 0])[["origin"]]
        for until in (2, 6):  # before and after the last end, which stays
            store.materialize(_hour(until))
            assert plain(store.online(asked, ["weather:temp"])["temp"]) == [14.0, 2.0]

    def test_27_teardown(self, store: FeatureStore, context: Context) -> None:
        """Nothing is left, and all can be defined again."""
        needs(store, "teardown")
        self.given(context, WEATHER, weather())
        store.teardown()
        store.teardown()
        assert list(store.describe()) == []
        store.apply([WEATHER])
        joined = store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [None]

    def test_28_by_reference(self, store: FeatureStore, context: Context, tmp_path: Path) -> None:
        """From a Parquet file to a new one, as ``historical``."""
        needs(store, "by_reference")
        self.given(context, WEATHER, weather())
        asked = questions(["LGA", "ZZZ", "JFK"], [3, 3, 3])
        rows, target = tmp_path / "rows.parquet", tmp_path / "joined.parquet"
        asked.to_parquet(rows)
        made = store.historical_by_reference(rows, ["weather:temp"], timestamp="at", target=target)
        joined = pd.read_parquet(made)
        assert made == target and joined["origin"].tolist() == asked["origin"].tolist()
        assert plain(joined["temp"]) == [2.0, None, 3.0]

    def test_32_what_it_cannot_is_said(self, store: FeatureStore, tmp_path: Path) -> None:
        """Unsupported, naming the capabilities that there are."""
        path, when = tmp_path / "rows.parquet", datetime(2013, 1, 1, tzinfo=UTC)
        calls: dict[str, Callable[[], object]] = {
            "apply": lambda: store.apply([WEATHER]),
            "write": lambda: store.write("weather", weather()),
            "materialize": lambda: store.materialize(when),
            "online": lambda: store.online(questions(["JFK"], [1]), ["weather:temp"]),
            "teardown": store.teardown,
            "by_reference": lambda: store.historical_by_reference(
                path, [], timestamp="at", target=path
            ),
            "jobs": lambda: store.poll("1"),
        }
        for capability in store.optional.keys() - store.capabilities:
            with pytest.raises(Unsupported, match=capability):
                calls[capability]()


def _hour(number: int) -> datetime:
    return datetime(2013, 1, 1, number, tzinfo=UTC)
