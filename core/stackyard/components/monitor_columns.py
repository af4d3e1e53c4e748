"""Columns as a monitor gets them: what kind they are of, their values, how these are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stackyard.components.monitor import Kind
from stackyard.components.monitor_report import Histogram

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
LEVELS = 20  # categories that have a bin of their own
RARE = 10  # values of a category that are fewer on both sides together have no bin of their own
LABEL = 40  # characters
FEW_VALUES = 50  # are no identifiers
HUGE = 1e300  # numbers beyond stand for infinity; their differences are not to be computed

WORDS = {"number": "numbers", "category": "categories", "time": "times"}
_NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
_TIMES = {"date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period"}


@dataclass(frozen=True)
class Values:
    """The values of one side of a column.

    Attributes:
        kind: None where there is no value to tell it from.
        data: float64 with NaN, or text with None.
        count: of values that are not missing.
        distinct: how many different ones there are; of numbers only where all are whole.
        refused: why they cannot be compared at all.
    """

    kind: Kind | None
    data: Any
    count: int
    distinct: int = 0
    refused: str = ""

    def like_identifiers(self) -> bool:
        """Whether values have hardly more than a row each: of whole numbers, which may also measure
        something, nearly all values, and of texts half.
        """
        least = 0.99 if self.kind == "number" else 0.5
        return self.distinct > FEW_VALUES and self.distinct >= least * self.count


def values(series: pd.Series[Any]) -> Values:
    """Read a column; numbers that are infinite, or beyond 1e300, count as missing."""
    import numpy as np
    import pandas as pd

    kind = _kind(series)
    if kind == "number":
        data = pd.to_numeric(series).to_numpy(dtype=float, na_value=np.nan)
        data = np.where(np.abs(data) < HUGE, data, np.nan)
        real = data[~np.isnan(data)]
        if not len(real):
            return Values(None, data, 0)
        whole = bool((real == np.floor(real)).all())
        return Values(kind, data, len(real), len(np.unique(real)) if whole else 0)
    try:
        codes, levels = pd.factorize(series, use_na_sentinel=True)
    except (TypeError, NotImplementedError):  # the latter of Arrow's lists and structs
        example = type(series.dropna().iloc[0]).__name__
        return Values(None, None, 0, refused=f"values of type {example} cannot be compared")
    text = np.array([*map(str, levels), None], dtype=object)
    count = int((codes >= 0).sum())
    return Values(kind if count else None, text[codes], count, len(levels))


def histogram(kind: Kind, current: Any, reference: Any) -> Histogram:
    """How the values of both sides are spread; bins are made from the reference."""
    labels, counts = (_of_numbers if kind == "number" else _of_levels)(current, reference)
    shares = [tuple(round(float(n), 5) for n in c / max(c.sum(), 1)) for c in counts]
    return Histogram(tuple(labels), shares[0], shares[1])


def _kind(series: pd.Series[Any]) -> Kind:
    import pandas as pd

    types = pd.api.types
    dtype = series.dtype
    if types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return "number"
    inferred = types.infer_dtype(series, skipna=True)
    if inferred in _TIMES:
        return "time"
    return "number" if inferred in _NUMBERS else "category"


def _of_numbers(current: Any, reference: Any) -> tuple[Sequence[str], Sequence[Any]]:
    """Ten bins of equal width over the middle 98 % of the reference, and one beyond each end."""
    import numpy as np

    real = reference[~np.isnan(reference)]
    low, high = np.quantile(real, [0.01, 0.99])
    width = (high - low) / BINS
    if (real == np.floor(real)).all():  # else some bins would hold more whole numbers than others
        low, width = np.floor(low), max(np.ceil((high - low + 1) / BINS), 1.0)
        bins = int(max(np.ceil((high - low + 1) / width), 1))
    else:
        bins = BINS if width else 1
    edges = low + width * np.arange(bins + 1)
    named = [f"{edge:.4g}" for edge in edges]
    inner = [f"{a} to {b}" for a, b in pairwise(named)]
    labels = [f"below {named[0]}", *inner, f"from {named[-1]}"]
    counts = []
    for side in (current, reference):
        values = side[~np.isnan(side)]
        place = np.searchsorted(edges, values, side="right")
        counts.append(np.bincount(place, minlength=len(labels)))
    return labels, counts


def _of_levels(current: Any, reference: Any) -> tuple[Sequence[str], Sequence[Any]]:
    """The most frequent categories, and one bin for the others if there are any."""
    import numpy as np
    import pandas as pd

    sides = [pd.Series(side, dtype=object).value_counts() for side in (current, reference)]
    both = sides[0].add(sides[1], fill_value=0).sort_values(ascending=False, kind="stable")
    shown = list(both.index[both >= RARE][:LEVELS])
    own = [side.reindex(shown).fillna(0) for side in sides]
    rest = [side.sum() - kept.sum() for side, kept in zip(sides, own, strict=True)]
    labels = [name if len(name) <= LABEL else f"{name[: LABEL - 1]}…" for name in map(str, shown)]
    if not any(rest):
        return labels, [kept.to_numpy() for kept in own]
    return [*labels, "other"], [np.append(kept, n) for kept, n in zip(own, rest, strict=True)]
