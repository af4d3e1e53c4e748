"""A validator in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.validator import Check, Suite, ValidationReport, Validator
from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd


class MemoryValidator(Validator):
    """Answers with what it was given: names of the checks that fail."""

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
        """Every expectation passes but those that were named as failing."""
        if not suite.expectations:
            raise InvalidInput("the suite is empty, so it could not fail")
        checks = tuple(
            Check(e.type, "fail" if e.type in self._failing else "pass", e.severity)
            for e in suite.expectations
        )
        return ValidationReport(suite.name, len(frame), checks)

    def expectations(self) -> Sequence[str]:
        """Any name is an expectation here; these are those that fail."""
        return tuple(sorted(self._failing))
