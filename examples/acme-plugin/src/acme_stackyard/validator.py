"""The validator: suites in Acme's words, checked by pandera.

| expectation | arguments |
|---|---|
| ``not_null`` | ``column`` |
| ``between`` | ``column``, ``min`` and ``max`` or one of them; both belong to what is expected |
| ``in_set`` | ``column``, ``values`` |
| ``unique`` | ``column`` |
| ``matches`` | ``column``, ``pattern``: a regular expression, from the value's beginning |
| ``row_count`` | ``min`` and ``max`` or one of them |

Nulls are looked at by ``not_null`` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard import Validator
from stackyard.components.suite_check import check_request, no_column, with_text_names
from stackyard.components.validator import Check, Expectation, Suite, ValidationReport, Verdict
from stackyard.errors import suggest

if TYPE_CHECKING:
    import pandas as pd

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "not_null": ("column",),
    "between": ("column",),
    "in_set": ("column", "values"),
    "unique": ("column",),
    "matches": ("column", "pattern"),
    "row_count": (),
}
_BOUNDS = ("min", "max")
_BOUNDED = ("between", "row_count")
# Asked of the frame, with one answer: where nulls are what is found, pandera's report of them
# warns, and breaks on a category.
_WHOLE = ("not_null", "row_count")


@dataclass(frozen=True)
class AcmeValidatorConfig:
    """What a stack may say: nothing beside the flavor."""


class AcmeValidator(Validator):
    """Makes a schema of pandera from a suite, and a report from what the schema finds."""

    config: AcmeValidatorConfig

    def validate(self, frame: pd.DataFrame, suite: Suite, *, examples: int = 0) -> ValidationReport:
        """Check ``frame`` against ``suite``, all of it in one lazy validation."""
        frame = with_text_names(frame)
        check_request(frame, suite, self.expectations(), _mistakes)
        asked = {
            position: one
            for position, one in enumerate(suite.expectations)
            if one.type == "row_count" or one.kwargs["column"] in frame.columns
        }
        found = _failures(frame, asked)
        checks = tuple(
            _check(frame, one, position in asked, found.get(position), examples)
            for position, one in enumerate(suite.expectations)
        )
        report = ValidationReport(suite.name, len(frame), checks)
        self.note(report)
        return report

    def expectations(self) -> Sequence[str]:
        """Types of the expectations that a suite may use."""
        return sorted(_NEEDED)


def _mistakes(one: Expectation) -> Iterator[str]:
    """What is wrong with the arguments of an expectation of a known type."""
    given, needed = one.kwargs, _NEEDED[one.type]
    known = (*needed, *(_BOUNDS if one.type in _BOUNDED else ()))
    for name in given:
        if name not in known:
            near = suggest(name, known)
            yield f"unknown argument {name!r}. Arguments: {', '.join(known)}.{near}"
    for name in needed:
        if name not in given:
            yield f"needs the argument {name!r}"
    if "column" in given and not isinstance(given["column"], str):
        yield f"'column' must be a column's name, as text, not {given['column']!r}"
    if one.type == "in_set" and "values" in given:
        yield from _values_mistakes(given["values"])
    if one.type == "matches" and "pattern" in given:
        yield from _pattern_mistakes(given["pattern"])
    if one.type in _BOUNDED:
        yield from _bounds_mistakes(given, whole=one.type == "row_count")


def _values_mistakes(values: Any) -> Iterator[str]:
    plain = (str, int, float, bool)
    if not isinstance(values, list | tuple) or not all(isinstance(v, plain) for v in values):
        yield "'values' must be a list of texts, numbers or truth values"
    elif not values:
        yield "'values' is empty, so no value could be among them"


def _pattern_mistakes(pattern: Any) -> Iterator[str]:
    try:
        re.compile(pattern)
    except (TypeError, re.error) as exc:
        yield f"'pattern' is no regular expression: {exc}"


def _bounds_mistakes(given: Mapping[str, Any], *, whole: bool) -> Iterator[str]:
    bounds = {name: given[name] for name in _BOUNDS if given.get(name) is not None}
    right = (int,) if whole else (int, float, str)
    wrong = [n for n, b in bounds.items() if not isinstance(b, right) or isinstance(b, bool)]
    if not bounds:
        yield "needs 'min' or 'max'"
    for name in wrong:
        what = "a whole number" if whole else "a number, or a time as text"
        yield f"{name!r} must be {what}, not {bounds[name]!r}"
    if len(bounds) == 2 and not wrong:
        low, high = bounds["min"], bounds["max"]
        if isinstance(low, str) != isinstance(high, str):
            yield "'min' and 'max' must be of one type"
        elif low > high:
            yield f"'min' {low!r} is above 'max' {high!r}"


def _failures(frame: pd.DataFrame, asked: Mapping[int, Expectation]) -> dict[int, Any]:
    """What pandera found, a ``SchemaError`` by the expectation's position in the suite."""
    import pandera.pandas as pa
    from pandera.config import ValidationDepth, config_context

    columns: dict[str, list[Any]] = {}
    whole: list[Any] = []
    for position, one in asked.items():
        of = whole if one.type in _WHOLE else columns.setdefault(one.kwargs["column"], [])
        of.append(_pandera(one, str(position)))
    schema = pa.DataFrameSchema(
        {name: pa.Column(checks=checks, nullable=True) for name, checks in columns.items()},
        checks=whole,
    )
    # pandera's environment variables can turn validation off, whole or half: here it is asked for.
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as exc:
            return {int(error.check.name): error for error in exc.schema_errors}
    return {}


def _pandera(one: Expectation, name: str) -> Any:
    """The check of pandera that an expectation stands for."""
    import pandera.pandas as pa

    low, high = (one.kwargs.get(bound) for bound in _BOUNDS)
    match one.type:
        case "unique":  # pandera's own ``unique`` takes two nulls for twice the same
            return pa.Check(lambda values: ~values.duplicated(keep=False), name=name)
        case "in_set":
            return pa.Check.isin(one.kwargs["values"], name=name)
        case "matches":
            return pa.Check.str_matches(one.kwargs["pattern"], name=name)
        case "not_null":
            column = one.kwargs["column"]
            return pa.Check(lambda rows: not rows[column].hasnans, name=name)
        case "row_count":
            return pa.Check(lambda rows: _within(len(rows), low, high), name=name)
        case _:
            return pa.Check(lambda values: _within(values, low, high), name=name)


def _within(value: Any, low: Any, high: Any) -> Any:
    """Whether a number, or each value of a column, lies within the bounds that are given."""
    if low is None:
        return value <= high
    return value >= low if high is None else (value >= low) & (value <= high)


def _check(frame: pd.DataFrame, one: Expectation, asked: bool, error: Any, examples: int) -> Check:
    """The outcome of an expectation; without ``error`` it holds, if it was asked."""
    column = one.kwargs.get("column", "")
    said: dict[str, Any] = {"severity": one.severity, "column": column, "kwargs": one.kwargs}
    if not asked:
        return Check(one.type, "error", message=no_column(column, frame.columns), **said)
    if error is not None and error.reason_code.name == "CHECK_ERROR":
        # pandera's words are left out: they may quote values of rows.
        message = f"{column!r} is of type {frame[column].dtype}, which {one.type!r} cannot check"
        return Check(one.type, "error", message=message, **said)
    verdict: Verdict = "pass" if error is None else "fail"
    if one.type == "row_count":
        message = "" if error is None else f"{len(frame)} rows"
        return Check(one.type, verdict, message=message, **said)
    if one.type == "not_null":
        nulls = int(frame[column].isna().sum())
        return Check(one.type, verdict, unexpected=nulls, total=len(frame), **said)
    said["total"] = int(frame[column].count())
    if error is None:
        return Check(one.type, verdict, unexpected=0, **said)
    wrong = error.failure_cases["failure_case"]
    shown = tuple(str(value) for value in wrong.head(examples))
    return Check(one.type, verdict, unexpected=len(wrong), examples=shown, **said)
