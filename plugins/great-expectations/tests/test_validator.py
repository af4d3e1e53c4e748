"""Great Expectations keeps the contract of validators, and what is its own."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.validator import Check, Expectation, Suite
from stackyard.errors import InvalidInput
from stackyard.testing import ValidatorContract
from stackyard_great_expectations.config import GreatExpectationsConfig
from stackyard_great_expectations.quiet import quiet
from stackyard_great_expectations.validator import GreatExpectationsValidator


class TestGreatExpectations(ValidatorContract):
    """The contract."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"flavor": "great_expectations"}


FRAME = pd.DataFrame(
    {
        "delay": [1.0, 2.0, np.nan, 900.0],
        "carrier": ["UA", "DL", None, "secret"],
        "day": pd.date_range("2013-01-01", periods=4),
    }
)


def checked(*rows: tuple[str, dict[str, Any]], examples: int = 0) -> tuple[Check, ...]:
    """The checks of a suite on ``FRAME``."""
    suite = Suite("flights", tuple(Expectation(f"expect_{name}", kwargs) for name, kwargs in rows))
    made = GreatExpectationsValidator(GreatExpectationsConfig(), Context())
    return made.validate(FRAME, suite, examples=examples).checks


def test_checks_are_in_the_order_of_the_suite() -> None:
    """The tool answers what could not be checked first."""
    good = ("column_values_to_not_be_null", {"column": "day"})
    wrong = ("column_values_to_be_between", {"column": "carrier", "min_value": 1})
    again = [good, wrong, good, wrong, good]
    assert [c.verdict for c in checked(*again)] == ["pass", "error", "pass", "error", "pass"]


def test_what_makes_the_tool_raise_stops_no_other() -> None:
    """The tool lets some expectations stop all of a suite."""
    wrong = {"column": "carrier", "partition_object": {"x": 1}, "threshold": 0.1}
    found = checked(
        ("column_values_to_not_be_null", {"column": "day"}),
        ("column_kl_divergence_to_be_less_than", wrong),
        ("table_row_count_to_equal", {"value": 4}),
        examples=1,
    )
    assert [c.verdict for c in found] == ["pass", "error", "pass"]
    assert "Invalid partition_object" in found[1].message


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("table_row_count_to_be_between", {"min_value": 9}, "observed 4, expected 9 to any"),
        ("column_mean_to_be_between", {"column": "delay", "max_value": 3}, "observed 301, exp"),
        ("column_values_to_be_of_type", {"column": "delay", "type_": "int64"}, "float64"),
        ("column_to_exist", {"column": "dleay"}, "Did you mean 'delay'?"),
        (
            "table_columns_to_match_set",
            {"column_set": ["delay", "carrier", "tail"]},
            "unexpected columns: day; missing columns: tail",
        ),
        ("table_columns_to_match_ordered_list", {"column_list": ["x"]}, "observed delay, carrier"),
        ("column_max_to_be_between", {"column": "delay", "max_value": 3}, "examples=1"),
        ("column_median_to_be_between", {"column": "delay", "min_value": 901}, "examples=1"),
        (
            "column_quantile_values_to_be_between",
            {
                "column": "delay",
                "quantile_ranges": {"quantiles": [0.0, 1.0], "value_ranges": [[0, 1], [0, 1]]},
            },
            "examples=1",
        ),
        (
            "column_distinct_values_to_equal_set",
            {"column": "carrier", "value_set": ["UA", "AA", "YV"]},
            "2 values are not expected; 2 values are missing",
        ),
    ],
)
def test_what_was_found_is_said(name: str, kwargs: dict[str, Any], said: str) -> None:
    (check,) = checked((name, kwargs))
    assert check.verdict == "fail"
    assert said in check.message
    assert "900" not in check.message
    assert "secret" not in str(check)


def test_what_is_observed_of_rows_is_said_if_asked_for() -> None:
    bounds = {"column": "delay", "max_value": 3}
    (check,) = checked(("column_max_to_be_between", bounds), examples=1)
    assert check.message == "observed 900, expected any to 3"
    levels = {"column": "carrier", "value_set": ["AA"]}  # of which the tool gives all
    (check,) = checked(("column_distinct_values_to_be_in_set", levels), examples=1)
    assert len(check.examples) == 1
    text = ("column_stdev_to_be_between", {"column": "carrier", "min_value": 1})
    assert "UA" not in checked(text)[0].message
    assert "UA" in checked(text, examples=1)[0].message


@pytest.mark.parametrize("more", [{}, {"condition_parser": "pandas"}])
def test_nothing_of_a_suite_is_evaluated(more: dict[str, str], tmp_path: Path) -> None:
    """pandas would call what a condition names."""
    touched = tmp_path / "touched"
    condition = f"@pd.io.common.os.system('touch {touched}') == 0 or delay > 0"
    kwargs = {"column": "delay", "row_condition": condition, **more}
    with pytest.raises(InvalidInput, match="'row_condition' is evaluated as code"):
        checked(("column_values_to_not_be_null", kwargs))
    assert not touched.exists()


def test_days_are_bounds_of_times() -> None:
    """As YAML has them, which knows no dates."""
    bounds = {"column": "day", "min_value": "2013-01-02", "max_value": "2013-01-03"}
    (check,) = checked(("column_values_to_be_between", bounds))
    assert (check.verdict, check.unexpected, check.kwargs) == ("fail", 2, bounds)


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"column": "delay"}, "min_value and max_value cannot both be None"),
        ({"column": "delay", "min_value": 1, "mostly": 2}, "'mostly': ensure this value is less"),
        ({"column": "delay", "min_value": 1, "catch_exceptions": False}, "'catch_exceptions'"),
        ({"column": "delay", "min_value": {"$PARAMETER": "x"}}, "Write the value itself"),
        ({"column": "delay", "min_value": 1, "most": 1}, "Did you mean 'mostly'?"),
    ],
)
def test_wrong_arguments(kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked(("column_values_to_be_between", kwargs))
    assert said in str(caught.value)


def test_a_wrong_pattern_is_refused() -> None:
    with pytest.raises(InvalidInput, match="unterminated"):
        checked(("column_values_to_match_regex", {"column": "carrier", "regex": "("}))


def test_an_expectation_of_the_users_own() -> None:
    """A class derived from one of the tool's is known once it is imported."""
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    class ExpectDelayInMinutes(ExpectColumnValuesToBeBetween):
        column: str = "delay"
        min_value: float = 0
        max_value: float = 500

    (check,) = checked(("delay_in_minutes", {}))
    assert (check.verdict, check.unexpected, check.total) == ("fail", 1, 3)


def test_a_fresh_process_prints_nothing_and_its_log_stays() -> None:
    """Also what the tool says when it is imported; the user's own level of its log comes back."""
    code = """
import logging
import pandas as pd
from stackyard.components.base import Context
from stackyard.components.validator import Expectation, Suite
from stackyard_great_expectations.validator import GreatExpectationsValidator
logging.basicConfig(level=logging.INFO)
log = logging.getLogger("great_expectations")
mine = logging.NullHandler()
log.addHandler(mine)
frame = pd.DataFrame({"a": [1, 2]})
one = Expectation("expect_column_values_to_not_be_null", {"column": "a"})
report = GreatExpectationsValidator(None, Context()).validate(frame, Suite("s", (one,)))
assert report.passed and log.propagate and mine in log.handlers
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_thread_at_a_time_and_its_log_comes_back() -> None:
    """Else the log of one thread would be restored to the silence of another."""
    log = logging.getLogger("great_expectations")
    before = log.handlers, log.propagate
    entered = threading.Event()

    def enter() -> None:
        with quiet():
            entered.set()

    with quiet():
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.2)
    other.join(10)
    assert entered.is_set()
    assert (log.handlers, log.propagate) == before
