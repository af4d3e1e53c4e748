"""A validator in memory: a few expectations under the names of Great Expectations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.suite_check import check_request, no_column, with_text_names
from stackyard.components.validator import Check, Expectation, Suite, ValidationReport, Validator
from stackyard.errors import suggest

if TYPE_CHECKING:
    import pandas as pd

_BOUNDS = ("min_value", "max_value")
_ARGUMENTS = {
    "expect_column_to_exist": ("column",),
    "expect_column_values_to_be_between": ("column", "mostly", *_BOUNDS),
    "expect_column_values_to_be_in_set": ("column", "mostly", "value_set"),
    "expect_column_values_to_be_unique": ("column", "mostly"),
    "expect_column_values_to_not_be_null": ("column", "mostly"),
    "expect_table_row_count_to_be_between": _BOUNDS,
}
_NEEDED = {"column", "value_set"}


class MemoryValidator(Validator):
    """Checks frames in this process; what is in ``failing`` fails whatever the data is.

    Args:
        config: none.
        context: what surrounds it.
        failing: types of expectations.
    """

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        failing: Sequence[str] = (),
    ) -> None:
        super().__init__(config, context or Context(name="validator"))
        self._failing = frozenset(failing)

    def validate(self, frame: pd.DataFrame, suite: Suite, *, examples: int = 0) -> ValidationReport:
        """Check each expectation of the suite."""
        frame = with_text_names(frame)
        check_request(frame, suite, self.expectations(), _wrong)
        checks = tuple(self._check(frame, one, examples) for one in suite.expectations)
        report = ValidationReport(suite.name, len(frame), checks)
        self.note(report)
        return report

    def expectations(self) -> Sequence[str]:
        """Types of the expectations that there are."""
        return tuple(sorted(_ARGUMENTS))

    def _check(self, frame: pd.DataFrame, one: Expectation, examples: int) -> Check:
        column = str(one.kwargs.get("column", ""))
        given: dict[str, Any] = {"severity": one.severity, "column": column, "kwargs": one.kwargs}
        if one.type == "expect_table_row_count_to_be_between":
            bad = not _within(len(frame), one.kwargs)
            message = f"{len(frame):,} rows" if bad else ""
        elif column not in frame.columns and one.type != "expect_column_to_exist":
            return Check(one.type, "error", message=no_column(column, frame.columns), **given)
        elif one.type == "expect_column_to_exist":
            bad = column not in frame.columns
            message = no_column(column, frame.columns) if bad else ""
        else:
            nulls = one.type == "expect_column_values_to_not_be_null"
            values = frame[column] if nulls else frame[column].dropna()
            try:
                wrong = values[_ROWS[one.type](values, one.kwargs)]
            except TypeError as exc:
                return Check(one.type, "error", message=f"{column!r}: {exc}", **given)
            given |= {"unexpected": len(wrong), "total": len(values)}
            given["examples"] = tuple(str(v) for v in wrong.head(examples))
            bad = len(wrong) > (1 - one.kwargs.get("mostly", 1)) * len(values)
            message = ""
        verdict = "fail" if bad or one.type in self._failing else "pass"
        return Check(one.type, verdict, message=message, **given)  # type: ignore[arg-type]


def _wrong(one: Expectation) -> Iterator[str]:
    """What is wrong with the arguments."""
    known = _ARGUMENTS[one.type]
    for name in one.kwargs:
        if name not in known:
            near = suggest(name, known)
            yield f"unknown argument {name!r}. Arguments: {', '.join(known)}.{near}"
    for name in known:
        if name in _NEEDED and name not in one.kwargs:
            yield f"needs the argument {name!r}"
        elif not _fits(one, name):
            yield f"{name!r} cannot be {one.kwargs[name]!r}"
    if "min_value" in known and not any(one.kwargs.get(b) is not None for b in _BOUNDS):
        yield "needs 'min_value' or 'max_value'"


def _fits(one: Expectation, name: str) -> bool:
    """Whether an argument has a value that it can have."""
    value = one.kwargs.get(name)
    some = isinstance(value, Collection) and not isinstance(value, str)
    if name == "column":
        return isinstance(value, str) and value != ""
    if name == "value_set":
        return some
    if name == "mostly" or "column" not in _ARGUMENTS[one.type]:
        return value is None or isinstance(value, Real)
    return not some


def _within(value: Any, kwargs: Mapping[str, Any]) -> Any:
    """Whether ``value``, a number or a column, lies between the bounds that are given."""
    low, high = (kwargs.get(bound) for bound in _BOUNDS)
    above = value == value if low is None else value >= low
    return above & (value == value if high is None else value <= high)


_ROWS: dict[str, Callable[[pd.Series[Any], Mapping[str, Any]], Any]] = {
    "expect_column_values_to_be_between": lambda values, kwargs: ~_within(values, kwargs),
    "expect_column_values_to_be_in_set": lambda v, kwargs: ~v.isin(kwargs["value_set"]),
    "expect_column_values_to_be_unique": lambda values, kwargs: values.duplicated(keep=False),
    "expect_column_values_to_not_be_null": lambda values, kwargs: values.isna(),
}
