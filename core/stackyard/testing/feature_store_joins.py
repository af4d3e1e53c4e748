"""The part of a feature store's contract that is about joining."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore, ViewDefinition
from stackyard.errors import InvalidInput, NotFound
from stackyard.testing.component import ComponentContract
from stackyard.testing.stand_ins import context_in
from stackyard.testing.weather import TEXTS, WEATHER, by_hand, hours, plain, questions, weather


class JoinContract(ComponentContract):
    """Inherited by ``FeatureStoreContract``."""

    kind = "feature_store"

    def given(self, context: Context, definition: ViewDefinition, rows: pd.DataFrame) -> None:
        """Let the backend have the view with these rows; what it had may stay or go."""
        store = self.connect(context)
        store.apply([definition])
        store.write(definition.name, rows)
        store.close()

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        return context_in(tmp_path, "feature_store", "join")

    @pytest.fixture
    def store(self, context: Context) -> Any:
        """The component under test."""
        made = self.connect(context)
        yield made
        made.close()

    # Joining

    def test_02_every_row_stays(self, store: FeatureStore, context: Context) -> None:
        """In order, with index, columns and dtypes; what was given is not changed."""
        self.given(context, WEATHER, weather())
        rows = questions(["JFK", "ZZZ", "LGA", "JFK"], [4, 1, 2, 1]).set_index(
            pd.Index([7, 7, 1, 0])
        )
        rows["carrier"] = pd.Categorical(["UA", "DL", None, "UA"])
        before = rows.copy()
        joined = store.historical(rows, ["weather:temp"], timestamp="at")
        pd.testing.assert_frame_equal(rows, before)
        pd.testing.assert_frame_equal(joined[list(rows.columns)], rows)
        assert list(joined.columns) == [*rows.columns, "temp"]
        assert plain(joined["temp"]) == [3.0, None, 2.0, 1.0]

    def test_03_null_where_nothing_is_known(self, store: FeatureStore, context: Context) -> None:
        """Unknown entity, too early, no entity, no time; and no rows at all."""
        self.given(context, WEATHER, weather())
        rows = questions(["ZZZ", "JFK", None, "JFK", "JFK"], [3, 0, 3, 3, 3])
        rows.loc[3, "at"] = pd.NaT
        joined = store.historical(rows, ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [None, None, None, None, 3.0]
        none = store.historical(rows.iloc[:0], ["weather:temp"], timestamp="at")
        assert list(none.columns) == [*rows.columns, "temp"] and len(none) == 0

    def test_04_nothing_from_the_future(self, store: FeatureStore, context: Context) -> None:
        """Not by a nanosecond; a value counts from its own moment on."""
        self.given(context, WEATHER, weather())
        rows = questions(["JFK"] * 4, [3, 3, 3, 3])
        rows["at"] += pd.to_timedelta([-1, 0, 1, -1000], unit="ns")
        joined = store.historical(rows, ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [1.0, 3.0, 3.0, 1.0]

    def test_05_a_moment_between_is_not_rounded_back(
        self, store: FeatureStore, context: Context
    ) -> None:
        """What is true since a nanosecond after the hour is not known at the hour."""
        late = weather()
        late["time"] += pd.Timedelta(1, "ns")
        self.given(context, WEATHER, late)
        joined = store.historical(questions(["JFK"], [1]), ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [None]

    def test_06_old_values_do_not_count(self, store: FeatureStore, context: Context) -> None:
        """A value of exactly the ttl's age does; without a ttl, every one."""
        self.given(context, WEATHER, weather())
        self.given(
            context, replace(WEATHER, name="ever", ttl=None, features={"rain": "int64"}), weather()
        )
        rows = questions(["JFK"] * 3, [6, 6, 6])
        rows["at"] += pd.to_timedelta([0, 1, 10**9], unit="us")
        joined = store.historical(rows, ["weather:temp", "ever:rain"], timestamp="at")
        assert plain(joined["temp"]) == [3.0, None, None]
        assert plain(joined["rain"]) == [30, 30, 30]

    def test_07_the_newest_row_counts(self, store: FeatureStore, context: Context) -> None:
        """Also where its value is null."""
        rows = weather()
        rows.loc[1, "temp"] = None
        self.given(context, WEATHER, rows)
        joined = store.historical(
            questions(["JFK"], [4]), ["weather:temp", "weather:rain"], timestamp="at"
        )
        assert plain(joined["temp"]) == [None]
        assert plain(joined["rain"]) == [30]

    def test_08_repeated_rows_are_all_answered(self, store: FeatureStore, context: Context) -> None:
        """Each by itself."""
        self.given(context, WEATHER, weather())
        rows = questions(["JFK", "LGA", "JFK", "JFK"], [3, 3, 3, 3])
        joined = store.historical(rows, ["weather:temp"], timestamp="at")
        assert plain(joined["temp"]) == [3.0, 2.0, 3.0, 3.0]

    def test_09_time_zones(self, store: FeatureStore, context: Context) -> None:
        """Moments are compared; what has no zone is in UTC."""
        self.given(context, WEATHER, weather())
        aware = questions(["JFK", "JFK"], [1, 3])
        local = aware.assign(at=aware["at"].dt.tz_convert("America/New_York"))
        naive = aware.assign(at=aware["at"].dt.tz_localize(None).astype("datetime64[us]"))
        for rows in (aware, local, naive):
            joined = store.historical(rows, ["weather:temp"], timestamp="at")
            assert plain(joined["temp"]) == [1.0, 3.0]

    def test_10_types_come_back(self, store: FeatureStore, context: Context) -> None:
        """Whole numbers to the last digit, beside nulls; text, truth, moments."""
        moment = pd.Timestamp("2013-02-03 04:05:06.789012", tz="UTC")
        values: dict[str, list[Any]] = {
            "whole": [2**62 + 1, None], "real": [0.1, None], "truth": [False, None],
            "text": ["naïve 'quoted'", None], "moment": [moment, None],
        }  # fmt: skip
        dtypes = {"whole": "Int64", "truth": "boolean", "moment": "datetime64[us, UTC]"}
        rows = pd.DataFrame({c: pd.Series(v, dtype=dtypes.get(c)) for c, v in values.items()})
        view = ViewDefinition(
            "kinds", {"origin": "string"},
            {"whole": "int64", "real": "float64", "truth": "bool", "text": "string",
             "moment": "timestamp"}, "time",
        )  # fmt: skip
        self.given(context, view, rows.assign(origin=["JFK", "LGA"], time=hours([1, 1])))
        features = [f"kinds:{name}" for name in values]
        joined = store.historical(
            questions(["LGA", "JFK", "ZZZ"], [2] * 3), features, timestamp="at"
        )
        for name, (known, _) in values.items():
            assert plain(joined[name]) == [None, known, None], name

    def test_11_entities_of_several_columns(self, store: FeatureStore, context: Context) -> None:
        """In whatever dtype the rows have them."""
        view = ViewDefinition(
            "route", {"origin": "string", "flight": "int64"}, {"delay": "float64"}, "time"
        )
        known = pd.DataFrame({"origin": ["JFK", "JFK"], "flight": [1, 2], "delay": [5.0, 6.0]})
        self.given(context, view, known.assign(time=hours([1, 1])))
        rows = questions(["JFK", "JFK", "LGA", "JFK"], [2] * 4)
        rows["flight"] = [2, 1, 1, 3]
        for dtype in ("int32", "float64", "Int64", "uint8"):
            for text in ("object", "string", "category"):
                asked = rows.astype({"flight": dtype, "origin": text})
                joined = store.historical(asked, ["route:delay"], timestamp="at")
                assert plain(joined["delay"]) == [6.0, 5.0, None, None]

    def test_12_several_views(self, store: FeatureStore, context: Context) -> None:
        """Columns in the order in which they were asked for."""
        self.given(context, WEATHER, weather())
        sea = weather().assign(height=[0.1, 0.2, 0.3])[["origin", "time", "height"]]
        self.given(context, replace(WEATHER, name="sea", features={"height": "float64"}), sea)
        asked = ["weather:rain", "sea:height", "weather:temp"]
        joined = store.historical(questions(["JFK"], [3]), asked, timestamp="at")
        assert list(joined.columns) == ["origin", "at", "rain", "height", "temp"]
        assert joined.iloc[0].tolist()[2:] == [30, 0.2, 3.0]

    def test_13_what_is_not_there(self, store: FeatureStore, context: Context) -> None:
        """NotFound, naming what there is."""
        self.given(context, WEATHER, weather())
        rows = questions(["JFK"], [3])
        with pytest.raises(NotFound, match="weather"):
            store.historical(rows, ["wether:temp"], timestamp="at")
        with pytest.raises(NotFound, match="temp"):
            store.historical(rows, ["weather:wind"], timestamp="at")
        for odd in ("weather", "", ":", "../weather:temp", "weather:../temp", "sea\n:temp",
                    "weather:temp:rain", f"{'w' * 300}:temp", "weather:time"):  # fmt: skip
            with pytest.raises(NotFound) as caught:
                store.historical(rows, [odd], timestamp="at")
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("change", "features"),
        [
            ({}, []),
            ({}, ["weather:temp", "weather:temp"]),
            ({"at": None}, ["weather:temp"]),
            ({"origin": None}, ["weather:temp"]),
            ({"at": "2013-01-01"}, ["weather:temp"]),
            ({"at": 1357002000}, ["weather:temp"]),
            ({"origin": 3}, ["weather:temp"]),
            ({"temp": 1.0}, ["weather:temp"]),
        ],
        ids=["nothing asked", "asked twice", "no time", "no entity", "text for a time",
             "a number for a time", "a number for text", "a column of that name"],
    )  # fmt: skip
    def test_14_questions_that_make_no_sense(
        self, store: FeatureStore, context: Context, change: dict[str, Any], features: list[str]
    ) -> None:
        """InvalidInput, before anything is joined."""
        self.given(context, WEATHER, weather())
        rows = questions(["JFK"], [3])
        for column, value in change.items():
            rows = rows.drop(columns=column) if value is None else rows.assign(**{column: value})
        with pytest.raises(InvalidInput):
            store.historical(rows, features, timestamp="at")

    @pytest.mark.parametrize("seed", range(5))
    def test_15_as_if_asked_row_by_row(
        self, store: FeatureStore, context: Context, seed: int
    ) -> None:
        """Many rows and entities give what looking each one up by hand gives."""
        chance = random.Random(seed)
        known = pd.DataFrame(
            [(chance.choice("ABCD"), chance.randrange(40)) for _ in range(60)],
            columns=["origin", "minute"],
        ).drop_duplicates(ignore_index=True)
        known["time"] = hours([0] * len(known)) + pd.to_timedelta(known["minute"], unit="min")
        known["temp"] = [chance.choice([None, 1.0, 2.5]) for _ in range(len(known))]
        known["rain"] = pd.Series(range(len(known)), dtype="Int64")
        view = replace(WEATHER, ttl=chance.choice([None, 60.0, 300.0]))
        self.given(context, view, known.drop(columns="minute"))
        rows = questions([chance.choice("ABCDE") for _ in range(200)], [0] * 200)
        rows["at"] += pd.to_timedelta([chance.randrange(-60, 3600) for _ in range(200)], unit="s")
        joined = store.historical(rows, ["weather:temp", "weather:rain"], timestamp="at")
        wanted = [
            by_hand(known, view.ttl, *row) for row in zip(rows["origin"], rows["at"], strict=True)
        ]
        assert plain(joined["temp"]) == [one.get("temp") for one in wanted]
        assert plain(joined["rain"]) == [one.get("rain") for one in wanted]

    # Whatever things are called

    def test_16_any_text_is_an_entity_and_a_value(
        self, store: FeatureStore, context: Context
    ) -> None:
        """Quotes, paths, line breaks, other scripts, very long ones, and the empty one."""
        view = ViewDefinition("notes", {"origin": "string"}, {"said": "string"}, "time")
        at = hours([1] * len(TEXTS))
        self.given(context, view, pd.DataFrame({"origin": TEXTS, "said": TEXTS, "time": at}))
        asked = questions([*reversed(TEXTS), "weather.parquet"], [2] * (len(TEXTS) + 1))
        joined = store.historical(asked, ["notes:said"], timestamp="at")
        assert plain(joined["said"]) == [*reversed(TEXTS), None]

    def test_17_columns_of_any_name(self, store: FeatureStore, context: Context) -> None:
        """What a query or a frame calls something itself; in the rows, any text."""
        features: Any = {
            "index": "int64", "value": "float64", "from": "bool", "moment": "string",
        }  # fmt: skip
        keys_of: Any = {"row": "string", "select": "int64"}
        view = ViewDefinition("v" * 100, keys_of, features, "timestamp", 7200.0)
        known = {"index": [7], "value": [0.5], "from": [True], "moment": ["noon"]}
        keys = {"row": ["JFK"], "select": [1]}
        self.given(context, view, pd.DataFrame({**keys, **known, "timestamp": hours([1])}))
        for when in ("timestamp", "at", 'größe "; --', "entity"):
            rows = pd.DataFrame({**keys, "number": [3], "': x": [4], when: hours([2])})
            asked = [f"{view.name}:{name}" for name in known]
            joined = store.historical(rows, asked, timestamp=when)
            pd.testing.assert_frame_equal(joined[list(rows.columns)], rows)
            assert joined[list(known)].iloc[0].tolist() == [7, 0.5, True, "noon"]
