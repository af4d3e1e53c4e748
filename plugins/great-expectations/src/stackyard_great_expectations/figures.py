"""What a frame is in figures: rows, and of each column nulls, quantiles and levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard.components.suite_check import with_text_names
from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.25, 0.5, 0.75)
MANY = 50  # levels above which a column is no longer a list of known words


@dataclass(frozen=True)
class Column:
    """One column of a frame.

    Attributes:
        type: as ``expect_column_values_to_be_of_type`` says it; empty where it cannot.
        nulls: number of nulls.
        lowest, highest: of a numeric column with values, whose range is finite; else None.
        quantiles: of a numeric column, at ``QUANTILES``.
        errors: how uncertain each quantile is, as a standard deviation.
        step: the smallest difference between two numbers; 0 where all are the same.
        whole: all numbers are whole, and known to the last digit.
        levels: rows of each level of a column of text or truth values; None if there are many.
        distinct: no value is there twice, and none is null.
    """

    type: str
    nulls: int
    lowest: float | None = None
    highest: float | None = None
    quantiles: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    step: float = 0
    whole: bool = False
    levels: Mapping[Any, int] | None = None
    distinct: bool = False


@dataclass(frozen=True)
class Figures:
    """One frame."""

    rows: int
    columns: Mapping[str, Column]


def figures(frame: pd.DataFrame) -> Figures:
    """The figures of ``frame``.

    Raises:
        InvalidInput: it has no rows, or two columns of one name.
    """
    frame = with_text_names(frame)
    if not len(frame):
        raise InvalidInput("the frame has no rows, so there is nothing to propose a suite from")
    if not frame.columns.is_unique:
        double = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise InvalidInput(f"the frame has more than one column {', '.join(map(repr, double))}")
    return Figures(len(frame), {name: _column(frame[name]) for name in frame.columns})


def _column(values: pd.Series[Any]) -> Column:
    import pandas as pd

    present = values.dropna()
    nulls = len(values) - len(present)
    if pd.api.types.is_bool_dtype(values.dtype):
        plain = str(values.dtype) == "bool"
        return Column("bool" if plain else "", nulls, levels=_levels(present))
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _numeric(present, nulls)
    if str(values.dtype).startswith("datetime64") and values.dt.tz is None:
        return Column(str(values.dtype), nulls)
    if pd.api.types.infer_dtype(present, skipna=True) != "string":
        category = isinstance(values.dtype, pd.CategoricalDtype)
        texts = category and pd.api.types.infer_dtype(values.cat.categories) == "string"
        return Column("", nulls, levels=_levels(present) if texts else None)
    return Column("str", nulls, levels=_levels(present), distinct=not nulls and values.is_unique)


def _numeric(present: pd.Series[Any], nulls: int) -> Column:
    """A column of numbers; the uncertainty of a quantile is that of its rank, which is binomial."""
    import numpy as np

    numbers = np.sort(present.to_numpy(dtype="float64"))
    if not len(numbers):
        return Column("", nulls)
    low, high = float(numbers[0]), float(numbers[-1])
    if not math.isfinite(high - low):
        return Column("", nulls)
    at, errors = [], []
    for share in QUANTILES:
        spread = (share * (1 - share) / len(numbers)) ** 0.5
        near = np.quantile(numbers, np.clip([share - spread, share + spread], 0, 1))
        at.append(float(np.quantile(numbers, share, method="nearest")))
        errors.append(float(near[1] - near[0]) / 2)
    gaps = np.diff(numbers)
    step = float(gaps[gaps > 0].min()) if numbers[0] < numbers[-1] else 0.0
    whole = max(-low, high) <= 2**53 and bool((numbers == np.floor(numbers)).all())
    return Column("", nulls, low, high, tuple(at), tuple(errors), step, whole)


def _levels(present: pd.Series[Any]) -> Mapping[Any, int] | None:
    counts = present.value_counts()
    counts = counts[counts > 0]  # a category may have no rows
    if len(counts) > MANY:
        return None
    plain = [bool(k) if isinstance(k, bool) or k in (True, False) else str(k) for k in counts.index]
    return dict(zip(plain, (int(n) for n in counts), strict=True))
