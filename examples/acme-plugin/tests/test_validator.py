"""The validator keeps its contract, and what Acme's words mean."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acme_stackyard.validator import AcmeValidator, AcmeValidatorConfig
from stackyard.components.base import Context
from stackyard.components.validator import Check, Expectation, Suite
from stackyard.errors import InvalidInput
from stackyard.testing import ValidatorContract


class TestAcmeValidator(ValidatorContract):
    """Every test of the contract is inherited."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the validator."""
        return {"flavor": "acme"}

    def not_null(self, column: str) -> Expectation:
        """No value of the column is null."""
        return Expectation("not_null", {"column": column})

    def between(self, column: str, low: Any, high: Any) -> Expectation:
        """Values of the column lie within the bounds."""
        return Expectation("between", {"column": column, "min": low, "max": high})

    def in_set(self, column: str, values: list[Any]) -> Expectation:
        """Values of the column are among these."""
        return Expectation("in_set", {"column": column, "values": values})

    def row_count(self, low: int, high: int) -> Expectation:
        """The frame has so many rows."""
        return Expectation("row_count", {"min": low, "max": high})


ORDERS = pd.DataFrame(
    {
        "id": ["A1", "A2", "A2", None, None],
        "price": [1.0, 2.0, np.nan, 9.5, 9.5],
    }
)


def checked(
    *rows: tuple[str, dict[str, Any]], examples: int = 0, frame: pd.DataFrame = ORDERS
) -> list[Check]:
    """What a suite of these finds in ``frame``."""
    suite = Suite("orders", tuple(Expectation(name, kwargs) for name, kwargs in rows))
    made = AcmeValidator(AcmeValidatorConfig(), Context(name="validator"))
    return list(made.validate(frame, suite, examples=examples).checks)


@pytest.mark.parametrize(
    ("name", "kwargs", "unexpected", "total"),
    [
        ("unique", {"column": "id"}, 2, 3),
        ("matches", {"column": "id", "pattern": "A[13]"}, 2, 3),
        ("matches", {"column": "id", "pattern": "1"}, 3, 3),
        ("between", {"column": "price", "min": 2}, 1, 4),
        ("between", {"column": "price", "max": 2}, 2, 4),
        ("not_null", {"column": "id"}, 2, 5),
    ],
)
def test_rows_are_counted(name: str, kwargs: dict[str, Any], unexpected: int, total: int) -> None:
    (check,) = checked((name, kwargs))
    assert (check.verdict, check.unexpected, check.total) == ("fail", unexpected, total)


def test_what_holds() -> None:
    price = {"column": "price"}
    held = checked(
        ("matches", {"column": "id", "pattern": r"A\d$"}),
        ("between", {**price, "min": 1}),
        ("between", {**price, "max": 9.5}),
        ("row_count", {"min": 5}),
        ("row_count", {"max": 5}),
    )
    assert [(c.verdict, c.message) for c in held] == [("pass", "")] * 5


def test_the_same_expectation_twice_is_answered_twice() -> None:
    """Each with its own bounds and its own rows."""
    bounds = ({"column": "price", "min": 9}, {"column": "price", "min": 0})
    first, second, third = checked(*(("between", b) for b in (*bounds, bounds[0])), examples=9)
    assert [first.unexpected, second.unexpected, third.unexpected] == [2, 0, 2]
    assert first.examples == third.examples == ("1.0", "2.0")


def test_what_the_tool_says_of_a_check_that_breaks_is_not_told() -> None:
    """It quotes the code, and may quote values of rows."""
    (check,) = checked(("matches", {"column": "price", "pattern": "A"}))
    assert check.verdict == "error"
    assert check.message == "'price' is of type float64, which 'matches' cannot check"


def test_rows_without_any_value_count() -> None:
    """Also those of a frame that has one column."""
    rows = ("row_count", {"min": 5}), ("not_null", {"column": "price"})
    counted, nulls = checked(*rows, frame=ORDERS[["price"]])
    assert (counted.verdict, nulls.verdict, nulls.unexpected) == ("pass", "fail", 1)


def test_nulls_of_several_columns_warn_of_nothing() -> None:
    """The tool's own report of them has pandas warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks = checked(*(("not_null", {"column": name}) for name in ("id", "price")), examples=1)
    assert [(c.verdict, c.unexpected, c.examples) for c in checks] == [
        ("fail", 2, ()), ("fail", 1, ()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("in_set", {"column": "id", "values": "A1"}, "'values' must be a list"),
        ("in_set", {"column": "id", "values": [["A1"]]}, "'values' must be a list"),
        ("in_set", {"column": "id", "values": []}, "'values' is empty"),
        ("matches", {"column": "id", "pattern": "("}, "'pattern' is no regular expression"),
        ("matches", {"column": "id", "pattern": 1}, "'pattern' is no regular expression"),
        ("between", {"column": "price"}, "needs 'min' or 'max'"),
        ("between", {"column": "price", "min": None, "max": None}, "needs 'min' or 'max'"),
        ("between", {"column": "price", "min": 2, "max": 1}, "'min' 2 is above 'max' 1"),
        ("between", {"column": "price", "min": "2013-01-01", "max": 1}, "of one type"),
        ("between", {"column": "price", "max": [1]}, "'max' must be a number"),
        ("row_count", {"min": 1.5}, "'min' must be a whole number, not 1.5"),
        ("row_count", {"max": True}, "'max' must be a whole number, not True"),
        ("unique", {"column": 3}, "'column' must be a column's name"),
        ("unique", {"colunm": "id"}, "Did you mean 'column'?"),
    ],
)
def test_wrong_arguments(name: str, kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked((name, kwargs))
    assert said in str(caught.value)


def test_all_mistakes_of_an_expectation_are_told() -> None:
    with pytest.raises(InvalidInput) as caught:
        checked(("in_set", {"valeus": 1}), ("row_count", {}))
    said = str(caught.value)
    for part in ("'valeus'", "needs the argument 'column'", "needs the argument 'values'", "[1]"):
        assert part in said


def test_the_tool_cannot_be_turned_off_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else everything would pass; the tool reads its variables when it is imported."""
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    monkeypatch.setenv("PANDERA_VALIDATION_DEPTH", "SCHEMA_ONLY")
    code = """
import pandas as pd
from acme_stackyard.validator import AcmeValidator, AcmeValidatorConfig
from stackyard.components.base import Context
from stackyard.components.validator import Expectation, Suite
asked = Suite("orders", (Expectation("in_set", {"column": "id", "values": ["A1"]}),))
made = AcmeValidator(AcmeValidatorConfig(), Context())
print(made.validate(pd.DataFrame({"id": ["A1", "A2"]}), asked).passed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
