"""A first suite from one frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stackyard.components.validator import Expectation, Suite
from stackyard_great_expectations.bounds import within_floats
from stackyard_great_expectations.figures import Column, figures

if TYPE_CHECKING:
    import pandas as pd


def propose(frame: pd.DataFrame, name: str) -> Suite:
    """What holds of ``frame``; what one frame cannot tell to be so is only a warning."""
    found = figures(frame)
    rows = {"min_value": found.rows // 2, "max_value": 2 * found.rows}
    made = [
        Expectation("expect_table_columns_to_match_set", {"column_set": list(found.columns)}),
        Expectation(
            "expect_table_row_count_to_be_between", rows, "warning", f"{found.rows} rows here"
        ),
    ]
    for column, figure in found.columns.items():
        made += _of_column(column, figure, found.rows)
    return Suite(name, tuple(made))


def _of_column(column: str, found: Column, rows: int) -> Iterator[Expectation]:
    of: dict[str, Any] = {"column": column}
    if found.type:
        yield Expectation("expect_column_values_to_be_of_type", {**of, "type_": found.type})
    if not found.nulls:
        yield Expectation("expect_column_values_to_not_be_null", of)
    else:
        share = found.nulls / rows
        mostly = max(0.0, math.floor(100 - 200 * share) / 100)
        note = f"{100 * share:.2g} % null here; more than twice that is unexpected"
        yield Expectation(
            "expect_column_values_to_not_be_null", {**of, "mostly": mostly}, "warning", note
        )
    if found.lowest is not None and found.highest is not None:
        yield _range(of, found.lowest, found.highest, found.whole)
    if found.levels and len(found.levels) < rows / 5:
        note = f"{len(found.levels)} levels here"
        kwargs = {**of, "value_set": sorted(found.levels, key=str)}
        yield Expectation("expect_column_values_to_be_in_set", kwargs, "warning", note)
    if found.distinct:
        yield Expectation("expect_column_values_to_be_unique", of, "warning", "no value twice here")


def _range(of: dict[str, Any], low: float, high: float, whole: bool) -> Expectation:
    """The range of the values, a tenth wider at each end that is not zero."""
    more = (high - low) / 10
    ends = [low if low == 0 else low - more, high if high == 0 else high + more]
    if low > 0 > ends[0]:
        ends[0] = 0
    if whole:
        ends = [math.floor(ends[0]), math.ceil(ends[1])]
    note = f"{low:.6g} to {high:.6g} here"
    kwargs = {**of, "min_value": within_floats(ends[0]), "max_value": within_floats(ends[1])}
    return Expectation("expect_column_values_to_be_between", kwargs, "warning", note)
