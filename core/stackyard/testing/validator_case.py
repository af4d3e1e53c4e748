"""What the tests of a validator's contract are made of: frames, suites, a vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.validator import Expectation, Suite, Validator
from stackyard.testing.component import ComponentContract
from stackyard.testing.stand_ins import Journal, context_in

ROWS = 200


def flights(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Sound rows: no carrier is null, a distance is within 100 and 900, ten delays are null."""
    random = np.random.default_rng(seed)
    delays = random.normal(12, 5, rows).round(1)
    delays[random.choice(rows, rows // 20, replace=False)] = np.nan
    return pd.DataFrame(
        {
            "carrier": random.choice(["UA", "DL", "AA"], rows),
            "distance": random.integers(100, 901, rows),
            "delay": delays,
            "day": pd.Timestamp("2013-01-01") + pd.to_timedelta(np.arange(rows) % 31, unit="D"),
        }
    )


class ValidatorCase(ComponentContract):
    """How to make the validator and how its vocabulary spells four expectations.

    The spelling here is that of ``MemoryValidator``; override it where there is another.
    """

    kind = "validator"

    def ask(self, component: Validator) -> object:
        """Check a frame."""
        return component.validate(flights(), self.sound())

    @classmethod
    def do_at_once(cls, component: Validator, number: int, token: str) -> Any:
        """List the vocabulary, which each process loads for itself."""
        return list(component.expectations())

    def check_at_once(self, component: Validator, results: list[Any], token: str) -> None:
        """Both have the same."""
        assert results == [list(component.expectations())] * 2

    def not_null(self, column: str) -> Expectation:
        """No value of the column is null."""
        return Expectation("expect_column_values_to_not_be_null", {"column": column})

    def between(self, column: str, low: Any, high: Any) -> Expectation:
        """Values of the column that are not null lie within the bounds, which belong to them."""
        bounds = {"column": column, "min_value": low, "max_value": high}
        return Expectation("expect_column_values_to_be_between", bounds)

    def in_set(self, column: str, values: list[Any]) -> Expectation:
        """Values of the column that are not null are among these."""
        kwargs = {"column": column, "value_set": values}
        return Expectation("expect_column_values_to_be_in_set", kwargs)

    def row_count(self, low: int, high: int) -> Expectation:
        """The frame has so many rows."""
        bounds = {"min_value": low, "max_value": high}
        return Expectation("expect_table_row_count_to_be_between", bounds)

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        return context_in(tmp_path / "project", "validator", "validate")

    @pytest.fixture
    def validator(self, context: Context) -> Any:
        """The component under test."""
        made = self.connect(context)
        yield made
        made.close()

    def sound(self) -> Suite:
        """What holds of ``flights()``."""
        return suite(
            self.row_count(100, 300),
            self.not_null("carrier"),
            self.between("distance", 100, 900),
            self.in_set("carrier", ["UA", "DL", "AA"]),
        )


def suite(*expectations: Expectation) -> Suite:
    """A suite of these."""
    return Suite("flights", expectations)


def noted(context: Context) -> list[Any]:
    """What was written into the record of the step."""
    assert isinstance(context.journal, Journal)
    return context.journal.entries
