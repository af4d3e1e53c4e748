"""The part of a validator's contract that is about what leaves it: reports, records, output."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from stackyard.components.base import Context
from stackyard.components.validator import Expectation, ValidationReport, Validator
from stackyard.errors import InvalidInput
from stackyard.testing.manners import saying_nothing
from stackyard.testing.validator_case import ROWS, ValidatorCase, flights, noted, suite


class ReportContract(ValidatorCase):
    """Inherited by ``ValidatorContract``."""

    def test_12_values_are_shown_only_if_asked_for(
        self, validator: Validator, context: Context
    ) -> None:
        """As many as asked for; without asking none is in the report or the record."""
        frame = flights()
        frame.loc[5:9, "carrier"] = [f"private-{n}" for n in range(5)]
        frame.index = frame.index - float(ROWS)  # in which 0 and 3 are labels, too
        asked = suite(self.in_set("carrier", ["UA", "DL", "AA"]))
        report = validator.validate(frame, asked)
        assert report.checks[0].examples == ()
        assert "private" not in json.dumps([asdict(report), *map(asdict, noted(context))])
        (check,) = validator.validate(frame, asked, examples=3).checks
        assert len(check.examples) == 3
        assert set(check.examples) <= {f"private-{n}" for n in range(5)}
        assert "private" not in check.message

    def test_13_the_report_is_noted_and_is_plain_data(
        self, validator: Validator, context: Context
    ) -> None:
        """It goes through JSON and comes back; a failing one too."""
        frame = flights()
        frame.loc[0, "carrier"] = None
        report = validator.validate(frame, self.sound())
        assert noted(context) == [report]
        import msgspec

        back = msgspec.convert(json.loads(json.dumps(asdict(report))), ValidationReport)
        assert back == report

    def test_14_nothing_is_printed_or_logged(
        self,
        validator: Validator,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """By what passes, fails, cannot be checked or is refused; nothing warns."""
        with saying_nothing(capfd, caplog):
            validator.validate(
                flights(),
                suite(self.not_null("delay"), self.not_null("x"), self.between("carrier", 1, 2)),
            )
            with pytest.raises(InvalidInput):
                validator.validate(flights(), suite(Expectation("expect_the_unknown")))
            with pytest.raises(InvalidInput):
                validator.validate(flights(), suite(Expectation(self.not_null("x").type)))
