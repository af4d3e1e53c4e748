"""What is learned alarms no more often than stated, and at what fails silently."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from stackyard.components.base import Context
from stackyard.components.validator import Suite
from stackyard.errors import InvalidInput
from stackyard.testing.validator_proposals import through_a_file
from stackyard_great_expectations import bounds
from stackyard_great_expectations.config import GreatExpectationsConfig
from stackyard_great_expectations.figures import figures
from stackyard_great_expectations.learning import learn
from stackyard_great_expectations.proposing import propose
from stackyard_great_expectations.validator import GreatExpectationsValidator
from tests.benchmarks.validating import flights

DRAWS = 4000


def validator() -> GreatExpectationsValidator:
    return GreatExpectationsValidator(GreatExpectationsConfig(), Context())


def most(draws: int, rate: float) -> int:
    """Alarms that a rate of ``rate`` exceeds once in 10,000 times."""
    return int(binom.isf(1e-4, draws, rate))


# The rate


@pytest.mark.parametrize("runs", [3, 6, 12, 40])
@pytest.mark.parametrize("rate", [0.002, 0.05])
def test_an_interval_has_the_rate_that_it_states(runs: int, rate: float) -> None:
    """Neither more alarms nor so few that faults go through."""
    random = np.random.default_rng(runs)
    drawn = random.normal(40, 7, (DRAWS, runs + 1))
    alarms = 0
    for row in drawn:
        low, high = bounds.interval(row[:-1].tolist(), 0, rate)
        alarms += not low <= row[-1] <= high
    assert alarms <= most(DRAWS, rate)
    assert alarms >= binom.isf(1 - 1e-4, DRAWS, rate)


@pytest.mark.parametrize("spread", [0.0, 0.15])
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_count_has_the_rate_that_it_states(spread: float, rate: float) -> None:
    """Of rows that come one by one, and of runs that differ by more than that."""
    random = np.random.default_rng(7)
    alarms = 0
    for _ in range(DRAWS):
        counts = random.poisson(900 * np.exp(random.normal(0, spread, 9))).tolist()
        low, high = bounds.count(counts[:-1], rate)
        alarms += not low <= counts[-1] <= high
    assert alarms <= most(DRAWS, rate)


@pytest.mark.parametrize("share", [0.0, 0.00002, 0.0002, 0.02, 0.4])
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_share_has_the_rate_that_it_states(share: float, rate: float) -> None:
    """Also where none was ever seen, or hardly any."""
    random = np.random.default_rng(11)
    alarms = 0
    for _ in range(DRAWS):
        parts = random.binomial(5000, share, 9).tolist()
        alarms += parts[-1] / 5000 > bounds.share(parts[:-1], [5000] * 8, rate)
    assert alarms <= most(DRAWS, rate)


def test_equal_counts_leave_room_for_what_counting_makes() -> None:
    """Eight runs of 400 rows do not say that the next one has 400."""
    low, high = bounds.count([400] * 8, 0.01)
    assert 320 < low < 360
    assert 440 < high < 480


def made(random: np.random.Generator) -> pd.DataFrame:
    """A sound frame of a run; runs differ in size, in nulls and in where the delays lie."""
    rows = int(400 * np.exp(random.normal(0, 0.05)))
    delay = random.gamma(2, 9, rows).round() + random.normal(0, 2)
    delay[random.random(rows) < np.exp(random.normal(-3.5, 0.2))] = np.nan
    levels = np.append(["AA", "DL", "UA", "WN"], [f"X{n}" for n in range(8)])
    weights = np.append([0.3, 0.3, 0.2, 0.18], np.full(8, 0.0025))
    return pd.DataFrame(
        {
            "delay": delay,
            "carrier": random.choice(levels, rows, p=weights),
            "distance": random.integers(100, 900, rows),
            "flag": random.random(rows) < 0.5,
        }
    )


def test_a_suite_has_the_rate_that_it_states() -> None:
    """All of its bounds together, through Great Expectations itself."""
    random = np.random.default_rng(5)
    rate, draws = 0.2, 60
    alarms = 0
    for _ in range(draws):
        history = [made(random) for _ in range(8)]
        suite = learn(history, "flights", rate)
        alarms += not validator().validate(made(random), suite).passed
    assert alarms <= most(draws, rate)


# Real data


@pytest.fixture(scope="module")
def months() -> list[pd.DataFrame]:
    return [month.reset_index(drop=True) for _, month in flights().groupby("month")]


def test_real_months_left_out_one_by_one(months: list[pd.DataFrame]) -> None:
    """Each of the twelve is sound in the eyes of the eleven others."""
    alarms = []
    for number, month in enumerate(months):
        others = [m for n, m in enumerate(months) if n != number]
        report = validator().validate(month, learn(others, "flights", 0.01))
        alarms += [(number + 1, c.expectation, c.column) for c in report.stopping]
    assert alarms == []


def faults(month: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """What went wrong, the month with it, and the column that must be named."""
    yield "schema: renamed", month.rename(columns={"dep_delay": "delay"}), ""
    yield "schema: dropped", month.drop(columns="tailnum"), ""
    yield "schema: added", month.assign(more=1), ""
    yield "schema: type", month.assign(flight=month["flight"].astype(str)), "flight"
    yield "schema: type", month.assign(tailnum=1), "tailnum"
    yield (
        "nulls",
        month.assign(dep_delay=month["dep_delay"].mask(month.index % 4 == 0)),
        "dep_delay",
    )
    yield "nulls", month.assign(carrier=month["carrier"].mask(month.index % 500 == 0)), "carrier"
    yield "units: seconds", month.assign(dep_delay=month["dep_delay"] * 60), "dep_delay"
    yield "units: kilometres", month.assign(distance=month["distance"] * 1.609), "distance"
    yield "units: hours", month.assign(air_time=month["air_time"] / 60), "air_time"
    yield "values", month.assign(carrier=month["carrier"].replace("UA", "United")), "carrier"
    yield "values", month.assign(origin=month["origin"].str.lower()), "origin"
    yield "volume: half", month[: len(month) // 2], ""
    yield "volume: twice", pd.concat([month, month], ignore_index=True), ""


def test_each_failure_on_a_real_month_is_caught(months: list[pd.DataFrame]) -> None:
    suite = learn(months[:11], "flights", 0.01)
    for what, frame, column in faults(months[11]):
        stopping = validator().validate(frame, suite).stopping
        assert column in [c.column for c in stopping], what


# What it says


def test_it_says_where_bounds_come_from(months: list[pd.DataFrame]) -> None:
    suite = learn(months[:4], "flights", 0.01)
    notes = {(e.type, e.kwargs.get("column", "")): e.notes for e in suite.expectations}
    rows = notes["expect_table_row_count_to_be_between", ""]
    assert "4 runs: rows mean 27279.8" in rows
    assert "1 %, split over" in rows
    assert "4 runs cannot bound the alarms of a figure below 20 %" in rows
    assert "% null mean" in notes["expect_column_values_to_not_be_null", "dep_delay"]
    assert "16 levels" in notes["expect_column_values_to_be_in_set", "carrier"]


def test_what_never_changed_only_warns(months: list[pd.DataFrame]) -> None:
    """History cannot say that a first change is rarer than the rate."""
    suite = learn(months[:11], "flights", 0.01)
    year = [e for e in suite.expectations if e.kwargs.get("column") == "year" and e.severity]
    assert [e.severity for e in year] == ["critical", "warning"]
    assert "always 2013" in year[1].notes
    report = validator().validate(months[11].assign(year=2014), suite)
    assert report.passed
    assert [c.column for c in report.of("fail")] == ["year"]


def test_columns_that_come_and_go_are_not_expected() -> None:
    random = np.random.default_rng(1)
    frames = [made(random) for _ in range(6)]
    frames[2] = frames[2].drop(columns="flag")
    suite = learn(frames, "flights", 0.05)
    assert {e.kwargs.get("column") for e in suite.expectations} == {
        None, "delay", "carrier", "distance",
    }  # fmt: skip
    assert suite.expectations[0].kwargs["exact_match"] is False


def test_levels_that_each_run_has_of_its_own_are_expected_of_the_next() -> None:
    """As many rows as had them in earlier runs may have a level that nobody has seen."""
    suites = []
    for own in (0, 20):
        frames = [
            pd.DataFrame({"campaign": [f"week {week}"] * own + ["a", "b"] * (200 - own // 2)})
            for week in range(8)
        ]
        suites.append(learn(frames[:7], "flights", 0.05))
        assert validator().validate(frames[7], suites[-1]).passed
    some = frames[7].assign(campaign=["new"] * 20 + ["a"] * 380)
    assert validator().validate(some, suites[1]).passed
    assert not validator().validate(some, suites[0]).passed
    many = frames[7].assign(campaign=["new"] * 60 + ["a"] * 340)
    assert not validator().validate(many, suites[1]).passed


@pytest.mark.parametrize("wrong", [0, 1, -0.1, 2])
def test_a_rate_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(InvalidInput, match="false_alarms"):
        learn([], "flights", wrong)


@pytest.mark.parametrize("rows", [1, 3])
def test_any_kind_of_column_can_be_looked_at(rows: int) -> None:
    """Empty ones, lists, times with a zone, categories, nullable numbers, infinities."""
    whole = pd.DataFrame(
        {
            "nothing": [None] * 3,
            "nan": [np.nan] * 3,
            "inf": [np.inf, 1.0, -np.inf],
            "lists": [[1], [2], None],
            "zoned": pd.date_range("2013-01-01", periods=3, tz="UTC"),
            "kind": pd.Categorical(["a", None, "a"], categories=["a", "b"]),
            "number": pd.Categorical([1, 2, 1]),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "mixed": ["a", 1, None],
            "flag": pd.array([True, None, False], dtype="boolean"),
            "text": pd.array(["a", None, "b"], dtype="string"),
            "delta": pd.to_timedelta([1, 2, 3], unit="s"),
        }
    )[:rows]
    assert figures(whole).columns["nothing"].nulls == rows
    for suite in (learn([whole] * 4, "s", 0.1), validator().profile(whole, "s")):
        report = validator().validate(whole, suite)
        assert [(c.expectation, c.column, c.message) for c in report.of("fail", "error")] == []
        assert Suite.of(suite.plain()) == suite
    assert figures(whole).columns["kind"].levels == {"a": 1 if rows == 1 else 2}


def test_a_profile_of_real_data(months: list[pd.DataFrame], tmp_path: Path) -> None:
    """It holds of its month, and tells of another one only in warnings."""
    suite = validator().profile(months[0], "flights")
    assert validator().validate(months[0], suite).of("pass") != ()
    assert not validator().validate(months[0], suite).of("fail", "error")
    assert validator().validate(months[6], suite).passed
    dropped = validator().validate(months[0].drop(columns="dest"), suite)
    assert {c.column for c in dropped.stopping} == {"", "dest"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-310, 1e-290, 1e155, 1e300, 1.7e308])
def test_numbers_of_any_size_have_bounds(size: float, tmp_path: Path) -> None:
    """Sound runs pass what is learned and a profile, and other units fail.

    Of numbers whose range is no float, nothing is said; small ones are all the same to the tool.
    """
    random = np.random.default_rng(3)
    history = [
        pd.DataFrame({"x": random.uniform(0.9, 1, 200), "y": random.uniform(-1, 1, 200)}) * size
        for _ in range(6)
    ]
    learned = through_a_file(learn(history, "s", 0.01), tmp_path)
    profiled = through_a_file(propose(history[0], "s"), tmp_path)
    asked = validator()
    for frame in history:
        assert asked.validate(frame, learned).passed
    assert [c.verdict for c in asked.validate(history[0], profiled).checks if c.column == "x"] == [
        "pass"
    ] * 2
    assert asked.validate(history[0] / 1000, learned).passed is (size < 1)
    assert len(learned.expectations) == len(profiled.expectations) == (5 if size > 1e308 else 6)
