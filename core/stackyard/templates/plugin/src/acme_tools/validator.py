"""The validator. Here pandas checks, and reports go to a folder: put your tool's client there.

What a validator must keep is numbered in Stackyard's docs/reference/validator.md.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard import Validator
from stackyard.components.suite_check import check_request, no_column, with_text_names
from stackyard.components.validator import Check, Expectation, Suite, ValidationReport, Verdict
from stackyard.errors import suggest

if TYPE_CHECKING:
    import pandas as pd  # a stack is checked without it: import your tool where it is used

# The vocabulary, and the arguments that each has to be given, with their types. It is spelled as
# in Great Expectations, so that suites may go from one tool to the other.
COLUMN, NUMBER, NUMBER_OR_TIME = str, (int, float), (int, float, str)
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "expect_column_values_to_be_between": {
        "column": COLUMN,
        "min_value": NUMBER_OR_TIME,
        "max_value": NUMBER_OR_TIME,
    },
    "expect_column_values_to_be_in_set": {"column": COLUMN, "value_set": (list, tuple)},
    "expect_column_values_to_not_be_null": {"column": COLUMN},
    "expect_table_row_count_to_be_between": {"min_value": NUMBER, "max_value": NUMBER},
}


@dataclass(frozen=True)
class AcmeValidatorConfig:
    """What a stack may say.

    Attributes:
        folder: Where the reports are kept; a relative path counts from the project.
    """

    folder: str = ".stackyard/acme-reports"


class AcmeValidator(Validator):
    """Checks frames in the step's process; nothing of one call is seen by another."""

    config: AcmeValidatorConfig

    def validate(self, frame: pd.DataFrame, suite: Suite, *, examples: int = 0) -> ValidationReport:
        """Check each expectation, and keep the report."""
        frame = with_text_names(frame)
        check_request(frame, suite, self.expectations(), wrong)
        checks = tuple(self._check(frame, one, examples) for one in suite.expectations)
        report = ValidationReport(suite.name, len(frame), checks)
        self.note(report)
        self._keep(report)
        return report

    def expectations(self) -> Sequence[str]:
        """What a suite may use."""
        return sorted(ARGUMENTS)

    def _check(self, frame: pd.DataFrame, one: Expectation, examples: int) -> Check:
        """Ask the tool here; what it cannot tell is an ``error`` and stops nothing."""
        column = str(one.kwargs.get("column", ""))
        if not column:
            low, high = one.kwargs["min_value"], one.kwargs["max_value"]
            message = f"{len(frame)} rows, expected {low} to {high}"
            return self._made(one, "pass" if low <= len(frame) <= high else "fail", message=message)
        if column not in frame.columns:
            return self._made(one, "error", message=no_column(column, frame.columns))
        try:
            values, unexpected = self._unexpected(frame[column], one)
        except TypeError as exc:
            return self._made(one, "error", message=f"column {column!r}: {exc}")
        return self._made(
            one,
            "fail" if len(unexpected) else "pass",
            unexpected=len(unexpected),
            total=len(values),
            examples=tuple(str(value) for value in unexpected.head(examples)),
        )

    def _unexpected(self, values: pd.Series[Any], one: Expectation) -> tuple[Any, Any]:
        """The values that are looked at, and those of them that are not as expected."""
        if one.type == "expect_column_values_to_not_be_null":
            return values, values[values.isna()]
        known = values.dropna()
        if one.type == "expect_column_values_to_be_in_set":
            return known, known[~known.isin(one.kwargs["value_set"])]
        low, high = one.kwargs["min_value"], one.kwargs["max_value"]
        return known, known[~((known >= low) & (known <= high))]

    def _made(self, one: Expectation, verdict: Verdict, **found: Any) -> Check:
        column = str(one.kwargs.get("column", ""))
        return Check(one.type, verdict, one.severity, column, kwargs=one.kwargs, **found)

    def _keep(self, report: ValidationReport) -> None:
        """Put the report into a file of its own, whole: several processes may do so at once."""
        home: Path = self.context.project / self.config.folder
        home.mkdir(parents=True, exist_ok=True)
        temporary = home / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.tmp"
        temporary.write_text(json.dumps(asdict(report), default=str), encoding="utf-8")
        os.replace(temporary, temporary.with_suffix(".json"))


def wrong(one: Expectation) -> Iterator[str]:
    """What is wrong with the arguments of an expectation."""
    known = ARGUMENTS[one.type]
    for name in one.kwargs:
        if name not in known:
            near = suggest(name, tuple(known))
            yield f"unknown argument {name!r}. Arguments: {', '.join(known)}.{near}"
    for name in known:
        if name not in one.kwargs:
            yield f"needs the argument {name!r}"
        elif not isinstance(one.kwargs[name], known[name]) or one.kwargs[name] == "":
            yield f"argument {name!r} cannot be {one.kwargs[name]!r}"
