"""Bounds from the figures of earlier runs, for what fails silently."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.validator import Expectation, Severity, Suite
from stackyard.errors import InvalidInput
from stackyard_great_expectations import bounds
from stackyard_great_expectations.figures import QUANTILES, Column, Figures, figures

if TYPE_CHECKING:
    import pandas as pd

LEAST = 3  # runs; with two, Student's t has one degree of freedom and bounds nothing


def learn(history: Iterable[pd.DataFrame], name: str, false_alarms: float) -> Suite:
    """The suite that a sound next frame fails with probability ``false_alarms`` at most.

    The probability is split evenly over all figures that are bounded (Bonferroni), so it holds
    however they depend on each other.
    """
    if not 0 < false_alarms < 1:
        raise InvalidInput(f"false_alarms is {false_alarms}: it must be above 0 and below 1")
    runs = [figures(frame) for frame in history]
    if len(runs) < LEAST:
        raise InvalidInput(
            f"{len(runs)} frames of earlier runs say nothing of how runs differ: it takes at least "
            f"{LEAST}, and 10 for bounds that are of use"
        )
    common = [c for c in runs[0].columns if all(c in run.columns for run in runs)]
    columns = {name: [run.columns[name] for run in runs] for name in common}
    bounded = 1 + sum(_bounded(parts) for parts in columns.values())
    rate = false_alarms / bounded
    made = [_schema(runs, common), _rows(runs, false_alarms, bounded)]
    sizes = [run.rows for run in runs]
    for column, parts in columns.items():
        made += _of_column(column, parts, sizes, rate)
    return Suite(name, tuple(made))


def _bounded(parts: Sequence[Column]) -> int:
    """How many figures of a column are bounded."""
    quantiles = len(QUANTILES) if _numeric(parts) else 0
    return 1 + quantiles + (1 if _known(parts) else 0)


def _schema(runs: Sequence[Figures], common: list[str]) -> Expectation:
    same = all(len(run.columns) == len(common) for run in runs)
    note = "the same columns" if same else "the columns that all have"
    kwargs: dict[str, Any] = {"column_set": common, "exact_match": same}
    text = f"{len(runs)} runs: {note}"
    return Expectation("expect_table_columns_to_match_set", kwargs, notes=text)


def _rows(runs: Sequence[Figures], false_alarms: float, bounded: int) -> Expectation:
    counts = [run.rows for run in runs]
    low, high = bounds.count(counts, false_alarms / bounded)
    best = 100 / (len(runs) + 1)
    note = (
        f"{_spread('rows', counts)}. All bounds of this suite: a sound run fails any with "
        f"probability {_percent(false_alarms)} %, split over {bounded} figures, if figures "
        f"scatter normally (Student's t); without that, {len(runs)} runs cannot bound the alarms "
        f"of a figure below {best:.2g} %"
    )
    kwargs = {"min_value": low, "max_value": high}
    return Expectation("expect_table_row_count_to_be_between", kwargs, notes=note)


def _of_column(
    column: str, parts: Sequence[Column], sizes: Sequence[int], rate: float
) -> Iterator[Expectation]:
    alarm = f"alarm {_percent(rate)} %"
    of: dict[str, Any] = {"column": column}
    if (kind := parts[0].type) and all(part.type == kind for part in parts):
        kwargs = {**of, "type_": kind}
        note = f"{len(parts)} runs: the same type"
        yield Expectation("expect_column_values_to_be_of_type", kwargs, notes=note)
    nulls = [part.nulls for part in parts]
    most = bounds.share(nulls, sizes, rate)
    shares = [100 * n / size for n, size in zip(nulls, sizes, strict=True)]
    if most < 0.99:
        note = f"{_spread('% null', shares)}; {alarm}"
        kwargs = {**of, "mostly": _mostly(most)}
        yield Expectation("expect_column_values_to_not_be_null", kwargs, notes=note)
    if _numeric(parts):
        yield _quantiles(of, parts, rate)
    if _known(parts):
        yield _levels(of, parts, rate, alarm)


def _quantiles(of: dict[str, Any], parts: Sequence[Column], rate: float) -> Expectation:
    """Where quantiles lie: other units move them all."""
    ranges = []
    whole = all(part.whole for part in parts)
    # A number that is rounded to a step is uncertain by that (uniformly: its variance over 12).
    rounding = max(part.step for part in parts) / math.sqrt(12)
    for i in range(len(QUANTILES)):
        sampling = math.hypot(*(part.errors[i] for part in parts)) / math.sqrt(len(parts))
        error = math.hypot(rounding, sampling)
        low, high = bounds.interval([part.quantiles[i] for part in parts], error, rate)
        ranges.append([math.floor(low), math.ceil(high)] if whole else [_down(low), _up(high)])
    medians = [part.quantiles[1] for part in parts]
    severity: Severity = "critical"
    note = f"{_spread('median', medians)}; alarm {_percent(len(QUANTILES) * rate)} %"
    if len({end for part in parts for end in (part.lowest, part.highest)}) == 1:
        severity = "warning"  # the next run may be the first with another value
        note = (
            f"{len(parts)} runs: always {medians[0]:.6g}; history cannot say that it changes less "
            f"often than in {100 / (len(parts) + 1):.2g} % of runs"
        )
    kwargs = {**of, "quantile_ranges": {"quantiles": list(QUANTILES), "value_ranges": ranges}}
    kind = "expect_column_quantile_values_to_be_between"
    return Expectation(kind, kwargs, severity, note)


def _levels(of: dict[str, Any], parts: Sequence[Column], rate: float, alarm: str) -> Expectation:
    """The known levels, and how many rows may have others.

    What share of a run's rows has levels that no other run had says how much is new in a run.
    """
    found = [part.levels or {} for part in parts]
    runs_with: dict[Any, int] = {}
    for levels in found:
        for level in levels:
            runs_with[level] = runs_with.get(level, 0) + 1
    new = [sum(n for level, n in levels.items() if runs_with[level] == 1) for levels in found]
    totals = [sum(levels.values()) for levels in found]
    most = bounds.share(new, totals, rate)
    known = sorted(runs_with, key=str)
    share = 100 * max(n / size for n, size in zip(new, totals, strict=True))
    note = (
        f"{len(parts)} runs: {len(known)} levels; at most {share:.2g} % of a run's rows had one "
        f"that no other run had; {alarm}"
    )
    kwargs = {**of, "value_set": known, "mostly": _mostly(most)}
    return Expectation("expect_column_values_to_be_in_set", kwargs, notes=note)


def _numeric(parts: Sequence[Column]) -> bool:
    return all(part.quantiles for part in parts)


def _known(parts: Sequence[Column]) -> bool:
    """Whether the levels of a column are few in all runs, and there are any."""
    return all(part.levels for part in parts)


def _spread(what: str, values: Sequence[float]) -> str:
    mean, deviation = bounds.scatter(values)
    return f"{len(values)} runs: {what} mean {mean:.6g}, sd {deviation:.3g}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g}"


def _mostly(share: float) -> float:
    """The least share that is as expected, rounded so that no more alarms come of it."""
    digits = 2 - math.floor(math.log10(share)) if share > 0 else 0
    return max(0.0, math.floor((1 - share) * 10.0**digits) / 10.0**digits)


def _down(value: float) -> float:
    """Rounded down to four digits; what is beyond floats becomes the end of their range."""
    rounded = float(decimal.Context(prec=4, rounding=decimal.ROUND_FLOOR).create_decimal(value))
    return bounds.within_floats(rounded)


def _up(value: float) -> float:
    return -_down(-value)
