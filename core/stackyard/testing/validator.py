"""The contract of a validator as tests; numbered in docs/reference/validator.md."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.validator import Expectation, Suite, Validator
from stackyard.errors import InvalidInput, Unsupported
from stackyard.testing.manners import side_by_side
from stackyard.testing.validator_case import ROWS, flights, noted, suite
from stackyard.testing.validator_proposals import ProposalContract
from stackyard.testing.validator_reports import ReportContract
from stackyard.testing.weather import TEXTS


class ValidatorContract(ReportContract, ProposalContract):
    """Inherit, say what a stack says of the validator, and how it spells four expectations.

    Tests of a capability that the validator does not have are skipped.
    """

    # Verdicts

    def test_01_what_holds_passes(self, validator: Validator) -> None:
        """One check for each expectation, in the suite's order, saying which it is."""
        asked = self.sound()
        report = validator.validate(flights(), asked)
        assert (report.passed, report.suite, report.rows) == (True, asked.name, ROWS)
        assert [c.verdict for c in report.checks] == ["pass"] * 4
        assert [c.expectation for c in report.checks] == [e.type for e in asked.expectations]
        assert [c.column for c in report.checks] == ["", "carrier", "distance", "carrier"]
        assert [c.kwargs for c in report.checks] == [e.kwargs for e in asked.expectations]

    def test_02_what_does_not_hold_fails_and_is_counted(self, validator: Validator) -> None:
        """Of the rows looked at, nulls not among them unless the expectation is about them."""
        frame = flights()
        frame.loc[:6, "carrier"] = None
        frame.loc[10:12, "carrier"] = "??"
        report = validator.validate(
            frame,
            suite(
                self.not_null("carrier"),
                self.in_set("carrier", ["UA", "DL", "AA"]),
                self.between("delay", 1000, 2000),
                self.row_count(1, 10),
            ),
        )
        assert [c.verdict for c in report.checks] == ["fail"] * 4
        counted = [(c.unexpected, c.total) for c in report.checks]
        assert counted == [(7, ROWS), (3, ROWS - 7), (190, 190), (None, None)]
        assert str(ROWS) in report.checks[3].message
        assert not report.passed

    def test_03_bounds_belong_to_what_is_expected(self, validator: Validator) -> None:
        """The last value within passes, the first one outside fails."""
        frame = flights()
        frame.loc[0, "distance"] = 100
        frame.loc[1, "distance"] = 900
        checks = [
            self.between("distance", 100, 900),
            self.between("distance", 101, 900),
            self.between("distance", 100, 899),
            self.row_count(ROWS, ROWS),
            self.row_count(ROWS + 1, ROWS + 9),
            self.row_count(0, ROWS - 1),
        ]
        found = [c.verdict for c in validator.validate(frame, suite(*checks)).checks]
        assert found == ["pass", "fail", "fail", "pass", "fail", "fail"]

    def test_04_only_what_is_critical_stops(self, validator: Validator) -> None:
        """A warning that fails, or cannot be made, is in the report, which passes."""
        for severity in ("info", "warning"):
            wrong = [
                Expectation(e.type, e.kwargs, severity)
                for e in (self.row_count(1, 2), self.not_null("missing"))
            ]
            report = validator.validate(flights(), suite(self.not_null("carrier"), *wrong))
            assert [c.verdict for c in report.checks] == ["pass", "fail", "error"]
            assert [c.severity for c in report.checks] == ["critical", severity, severity]
            assert report.passed
        report = validator.validate(flights(), suite(self.not_null("missing")))
        assert not report.passed

    def test_05_a_missing_column_is_an_error(self, validator: Validator) -> None:
        """It is not a failure; the message names it and what is near; others are checked."""
        report = validator.validate(
            flights(),
            suite(
                self.between("distnace", 1, 2), self.not_null("carrier"), self.in_set("dalay", [1])
            ),
        )
        assert [c.verdict for c in report.checks] == ["error", "pass", "error"]
        assert [c.column for c in report.checks] == ["distnace", "carrier", "dalay"]
        for check, near in zip(report.checks[::2], ("'distance'", "'delay'"), strict=True):
            assert repr(check.column) in check.message
            assert near in check.message

    def test_06_what_cannot_be_compared_is_an_error(self, validator: Validator) -> None:
        """Such as a column of text with numbers; others are checked."""
        report = validator.validate(
            flights(), suite(self.between("carrier", 1, 2), self.not_null("carrier"))
        )
        assert [c.verdict for c in report.checks] == ["error", "pass"]
        assert "carrier" in report.checks[0].message
        assert "\n" not in report.checks[0].message

    # What is refused

    def test_07_an_empty_suite_is_refused(self, validator: Validator) -> None:
        """It could not fail."""
        with pytest.raises(InvalidInput, match=r"'flights'.*empty"):
            validator.validate(flights(), suite())

    def test_08_a_frame_of_which_nothing_can_be_told_is_refused(self, validator: Validator) -> None:
        """One without rows, of which most expectations would hold; two columns of a name."""
        with pytest.raises(InvalidInput, match=r"'flights'.*no rows"):
            validator.validate(flights()[:0], self.sound())
        double = pd.concat([flights(), flights()[["delay"]]], axis=1)
        with pytest.raises(InvalidInput, match="'delay'"):
            validator.validate(double, self.sound())

    def test_09_what_is_unknown_or_wrong_is_refused_at_once(
        self, validator: Validator, context: Context
    ) -> None:
        """All of it is named, with suggestions, before anything is checked."""
        good = self.between("distance", 1, 2)
        typo = Expectation(good.type[:-1], good.kwargs)
        extra = Expectation(good.type, {**good.kwargs, "columm": 1})
        lacking = Expectation(self.not_null("carrier").type, {})
        with pytest.raises(InvalidInput) as caught:
            validator.validate(flights(), suite(good, typo, extra, lacking))
        said = str(caught.value)
        for part in (repr(good.type), "'columm'", "[1]", "[2]", "[3]", lacking.type, "'column'"):
            assert part in said
        assert "[0]" not in said
        assert "\n" not in said
        many: Any = "many"
        odd = self.not_null(""), self.row_count(many, 300), self.between("distance", [1], 2)
        with pytest.raises(InvalidInput) as caught:
            validator.validate(flights(), suite(good, *odd))
        for part in ("[1]", "[2]", "[3]"):
            assert part in str(caught.value)
        assert noted(context) == []

    # Frames

    def test_10_the_frame_is_not_changed(self, validator: Validator) -> None:
        """Neither values nor index; any index will do, and columns that are named by numbers."""
        frame = flights().set_index("day")
        frame["carrier"] = frame["carrier"].astype("category")
        before = frame.copy(deep=True)
        assert validator.validate(frame, self.sound()).passed
        pd.testing.assert_frame_equal(frame, before)
        numbered = flights()[["carrier", "distance"]].set_axis([0, 1], axis=1)
        before = numbered.copy(deep=True)
        asked = suite(self.not_null("0"), self.between("1", 100, 500))
        found = validator.validate(numbered, asked).checks
        assert [(c.verdict, c.column) for c in found] == [("pass", "0"), ("fail", "1")]
        pd.testing.assert_frame_equal(numbered, before)
        with pytest.raises(InvalidInput, match="'1'"):
            validator.validate(numbered.set_axis([1, "1"], axis=1), asked)

    def test_11_columns_of_any_kind(self, validator: Validator) -> None:
        """Times with and without a zone, categories, nullable ones, text of Arrow and of Python."""
        base = flights()
        zoned = base["day"].dt.tz_localize("America/New_York")
        frame = pd.DataFrame(
            {
                "naive": base["day"],
                "zoned": zoned,
                "category": base["carrier"].astype("category"),
                "text": base["carrier"].astype("string"),
                "whole": base["distance"].astype("Int64"),
                "flag": (base["distance"] > 500).astype("boolean"),
            }
        )
        frame.loc[0, ["category", "text", "whole", "flag"]] = None
        first, last = pd.Timestamp("2013-01-01"), pd.Timestamp("2013-01-31")
        local = [t.tz_localize("America/New_York").isoformat() for t in (first, last)]
        carriers = ["AA", "DL", "UA"]
        found = validator.validate(
            frame,
            suite(
                self.between("naive", first.isoformat(), last.isoformat()),
                self.between("zoned", *local),
                self.in_set("category", carriers),
                self.in_set("text", carriers),
                self.between("whole", 100, 900),
                self.in_set("flag", [True, False]),
                *(self.not_null(str(c)) for c in frame),
            ),
        )
        assert [(c.verdict, c.message) for c in found.checks[:6]] == [("pass", "")] * 6
        counted = [(c.verdict, c.unexpected) for c in found.checks[6:]]
        assert counted == [("pass", 0)] * 2 + [("fail", 1)] * 4

    # Manners

    def test_15_threads_get_their_own_answers(self, validator: Validator) -> None:
        """Each one that of its frame."""

        def check(number: int) -> list[int | None]:
            frame = flights(rows=ROWS + number)
            frame.loc[: number - 1, "carrier"] = None
            asked = suite(self.not_null("carrier"), self.row_count(ROWS + number, ROWS + number))
            report = validator.validate(frame, asked)
            return [report.checks[0].unexpected, report.rows, len(report.of("pass"))]

        numbers = range(1, 5)
        assert side_by_side(check, numbers) == [[n, ROWS + n, 1] for n in numbers]

    def test_16_the_vocabulary_is_listed(self, validator: Validator) -> None:
        """Sorted, and everything that a suite may use is in it."""
        known = list(validator.expectations())
        assert known == sorted(set(known))
        assert {e.type for e in self.sound().expectations} <= set(known)

    def test_17_whatever_columns_and_values_are_called(self, validator: Validator) -> None:
        """Quotes, paths, line breaks, other scripts, long and empty ones; and the suite."""
        texts = [text for text in TEXTS if text]
        frame = pd.DataFrame({name: [*TEXTS, None] for name in texts})
        asked = Suite(
            "../a 'suite'\n" + "x" * 300,
            tuple(
                one
                for name in texts
                for one in (self.not_null(name), self.in_set(name, [*TEXTS[1:]]))
            ),
        )
        report = validator.validate(frame, asked)
        assert report.suite == asked.name
        assert [c.column for c in report.checks] == [name for name in texts for _ in range(2)]
        counted = [(c.verdict, c.unexpected, c.total) for c in report.checks]
        assert counted == [("fail", 1, len(frame)), ("fail", 1, len(TEXTS))] * len(texts)
        gone = [self.not_null(f"{name}.") for name in texts]
        for check in validator.validate(frame, suite(*gone)).checks:
            assert check.verdict == "error" and "\n" not in check.message

    def test_20_asked_again(self, validator: Validator, context: Context) -> None:
        """The same gets the same answer, also from another component; another frame its own."""
        asked = self.sound()
        broken = flights()
        broken.loc[3, "carrier"] = None
        first = [validator.validate(frame, asked) for frame in (flights(), broken)]
        again = self.connect(context)
        assert [validator.validate(frame, asked) for frame in (flights(), broken)] == first
        assert [again.validate(frame, asked) for frame in (flights(), broken)] == first
        assert [report.passed for report in first] == [True, False]

    def test_21_what_it_cannot_is_said(self, validator: Validator) -> None:
        """Unsupported, naming the capabilities that there are."""
        for capability in validator.optional.keys() - validator.capabilities:
            with pytest.raises(Unsupported, match=capability):
                getattr(validator, capability)([flights()], "flights")
