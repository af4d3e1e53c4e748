"""Broken validators."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from acme_tools.validator import AcmeValidator

from stackyard.components.base import Finding
from stackyard.components.suite_check import check_request
from stackyard.components.validator import Suite, ValidationReport
from stackyard.errors import InvalidInput


class CountsNulls(AcmeValidator):
    """Nulls are not as expected, whatever is expected."""

    caught_by = "test_02_what_does_not_hold_fails_and_is_counted"

    def _unexpected(self, values: Any, one: Any) -> Any:
        _, unexpected = super()._unexpected(values, one)
        return values, values[values.isna() | values.index.isin(unexpected.index)]


class LeavesTheBoundsOut(AcmeValidator):
    """What lies on a bound is outside."""

    caught_by = "test_03_bounds_belong_to_what_is_expected"

    def _unexpected(self, values: Any, one: Any) -> Any:
        if "max_value" not in one.kwargs:
            return super()._unexpected(values, one)
        within = (values > one.kwargs["min_value"]) & (values < one.kwargs["max_value"])
        return values.dropna(), values[~within]


class KnowsNoWarning(AcmeValidator):
    """Whatever fails is critical."""

    caught_by = "test_04_only_what_is_critical_stops"

    def _check(self, frame: Any, one: Any, examples: int) -> Any:
        return replace(super()._check(frame, one, examples), severity="critical")


class FailsWhatIsMissing(AcmeValidator):
    """A column that is not there is a failure like others."""

    caught_by = "test_05_a_missing_column_is_an_error"

    def _check(self, frame: Any, one: Any, examples: int) -> Any:
        made = super()._check(frame, one, examples)
        return replace(made, verdict="fail") if made.verdict == "error" else made


class RaisesWhatItCannotTell(AcmeValidator):
    """A column that cannot be compared ends the whole."""

    caught_by = "test_06_what_cannot_be_compared_is_an_error"

    def _check(self, frame: Any, one: Any, examples: int) -> Any:
        made = super()._check(frame, one, examples)
        if made.verdict == "error":
            raise InvalidInput(made.message)
        return made


class IsContentWithNothing(AcmeValidator):
    """An empty suite passes."""

    caught_by = "test_07_an_empty_suite_is_refused"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        if not suite.expectations:
            return ValidationReport(suite.name, len(frame), ())
        return super().validate(frame, suite, examples=examples)


class TakesTheLastOfTwoColumns(AcmeValidator):
    """Of two columns with one name, one is checked."""

    caught_by = "test_08_a_frame_of_which_nothing_can_be_told_is_refused"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        single = frame.loc[:, ~frame.columns.duplicated(keep="last")]
        return super().validate(single, suite, examples=examples)


class NamesOneMistake(AcmeValidator):
    """The second mistake of a suite is told when the first is mended."""

    caught_by = "test_09_what_is_unknown_or_wrong_is_refused_at_once"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        from acme_tools.validator import wrong

        for one in suite.expectations:
            check_request(frame, Suite(suite.name, (one,)), self.expectations(), wrong)
        return super().validate(frame, suite, examples=examples)


class TakesAnyValue(AcmeValidator):
    """Which arguments there are is checked, and not what they are."""

    caught_by = "test_09_what_is_unknown_or_wrong_is_refused_at_once"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        try:
            return super().validate(frame, suite, examples=examples)
        except InvalidInput as exc:
            if " cannot be " in str(exc):
                raise TypeError("cannot be compared") from exc
            raise


class NumbersTheRows(AcmeValidator):
    """The frame gets an index of its own."""

    caught_by = "test_10_the_frame_is_not_changed"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        frame.reset_index(inplace=True)
        return super().validate(frame, suite, examples=examples)


class ComparesTexts(AcmeValidator):
    """Whether a value is in a set is asked of its text."""

    caught_by = "test_11_columns_of_any_kind"

    def _unexpected(self, values: Any, one: Any) -> Any:
        if "value_set" not in one.kwargs:
            return super()._unexpected(values, one)
        known = values.dropna()
        return known, known[~known.astype(str).isin(one.kwargs["value_set"])]


class ShowsValues(AcmeValidator):
    """Three examples help everybody."""

    caught_by = "test_12_values_are_shown_only_if_asked_for"

    def _check(self, frame: Any, one: Any, examples: int) -> Any:
        return super()._check(frame, one, 3)


class ShowsByLabel(AcmeValidator):
    """The first examples are sought by their labels, which may be numbers with a point."""

    caught_by = "test_12_values_are_shown_only_if_asked_for"

    def _check(self, frame: Any, one: Any, examples: int) -> Any:
        check = super()._check(frame, one, examples)
        if not check.unexpected:
            return check
        _, unexpected = self._unexpected(frame[check.column], one)
        return replace(check, examples=tuple(str(value) for value in unexpected[:examples]))


class NotesNothing(AcmeValidator):
    """The report is not in the step's record."""

    caught_by = "test_13_the_report_is_noted_and_is_plain_data"

    def note(self, entry: Any) -> None:
        pass


class Prints(AcmeValidator):
    """It says how many rows it checks."""

    caught_by = "test_14_nothing_is_printed_or_logged"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        print(f"{len(frame)} rows")
        return super().validate(frame, suite, examples=examples)


class RemembersItsFrame(AcmeValidator):
    """What is checked is an attribute, which threads share."""

    caught_by = "test_15_threads_get_their_own_answers"

    def _check(self, frame: Any, one: Any, examples: int) -> Any:
        self._frame = frame
        time.sleep(0.05)
        return super()._check(self._frame, one, examples)


class ListsAsItComes(AcmeValidator):
    """The vocabulary is in no order."""

    caught_by = "test_16_the_vocabulary_is_listed"

    def expectations(self) -> Any:
        return super().expectations()[::-1]


class NamesAFileByTheSuite(AcmeValidator):
    """A report is kept under the suite's name, as it is."""

    caught_by = "test_17_whatever_columns_and_values_are_called"

    def _keep(self, report: Any) -> None:
        home: Path = self.context.project / self.config.folder
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{report.suite}.json").write_text(repr(report), encoding="utf-8")


class RemembersItsAnswer(AcmeValidator):
    """A suite that was asked about is not asked about again."""

    caught_by = "test_20_asked_again"
    _answers: ClassVar[dict[Any, Any]] = {}

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        key = (self.context.project, len(frame), suite.name)
        if key not in self._answers:
            self._answers[key] = super().validate(frame, suite, examples=examples)
        return self._answers[key]


class ProposesNothing(AcmeValidator):
    """What it cannot gives an empty suite."""

    caught_by = "test_21_what_it_cannot_is_said"

    def profile(self, frame: Any, name: str) -> Suite:
        return Suite(name, ())


class BeginsAtOnce(AcmeValidator):
    """Making it makes its folder."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        (context.project / config.folder).mkdir(parents=True)


class ImportsAtOnce(AcmeValidator):
    """Making it imports what it checks with."""

    caught_by = "test_c05_the_tool_is_imported_when_it_is_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        import pandas as pd

        self._pandas = pd


class OnlyComplains(AcmeValidator):
    """What is not well has no cure."""

    caught_by = "test_c08_doctor_is_told_and_nothing_is_raised"

    def check(self) -> Any:
        return (Finding(False, "no report was ever kept"),)


class HandsAFileOver(AcmeValidator):
    """The frame goes to the tool by a file, always the same one."""

    caught_by = "test_c09_two_processes_at_once"

    def validate(self, frame: Any, suite: Suite, *, examples: int = 0) -> Any:
        import pandas as pd

        file = self.context.project / "frame.pickle"
        frame.to_pickle(file)
        time.sleep(1)
        return super().validate(pd.read_pickle(file), suite, examples=examples)
