"""The step ``validate`` called as a function: what it passes on, prints and raises."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from stackyard import validate
from stackyard.components.validator import Check, ValidationReport
from stackyard.errors import InvalidInput, PipelineError, StepFailed, ValidationFailed
from stackyard.testing import MemoryValidator
from stackyard.validation import failure, lines

FRAME = pd.DataFrame({"carrier": ["UA", "DL", None], "delay": [1.0, 2.0, 900.0]})


def suite(*rows: tuple[str, dict[str, Any], str]) -> dict[str, Any]:
    made = [
        {"type": f"expect_column_values_to_{name}", "kwargs": kwargs, "severity": severity}
        for name, kwargs, severity in rows
    ]
    return {"name": "flights", "expectations": made}


BOUNDS = {"column": "delay", "min_value": 0, "max_value": 500}


def test_what_passes_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    asked = suite(
        ("not_be_null", {"column": "delay"}, "critical"), ("be_between", BOUNDS, "warning")
    )
    assert validate(FRAME, asked, validator=MemoryValidator()) is FRAME
    assert capsys.readouterr().out == (
        "suite 'flights' on 3 rows: 1 pass, 1 fail, 0 error\n"
        "verdict  severity  expectation                         column  unexpected       found\n"
        "fail     warning   expect_column_values_to_be_between  delay   1 of 3 (33 %)\n"
    ).replace("unexpected       found", "unexpected     found")


def test_what_fails_names_the_worst(capsys: pytest.CaptureFixture[str]) -> None:
    asked = suite(
        ("be_between", BOUNDS, "critical"),
        ("be_in_set", {"column": "carrier", "value_set": ["AA"]}, "critical"),
        ("not_be_null", {"column": "dealy"}, "critical"),
        ("not_be_null", {"column": "carrier"}, "info"),
    )
    with pytest.raises(ValidationFailed) as caught:
        validate(FRAME, asked, validator=MemoryValidator())
    assert isinstance(caught.value, StepFailed)
    assert str(caught.value) == (
        "suite 'flights': of 4 expectations 2 failed and 1 could not be checked on 3 rows: "
        "expect_column_values_to_not_be_null(dealy) the frame has no column 'dealy'. Did you mean "
        "'delay'?; expect_column_values_to_be_in_set(carrier) 2 of 2 (100 %); "
        "expect_column_values_to_be_between(delay) 1 of 3 (33 %)"
    )
    printed = capsys.readouterr().out
    assert "0 pass, 3 fail, 1 error" in printed
    assert "Did you mean 'delay'?" in printed
    assert "900" not in printed


def test_examples_are_printed_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    asked = suite(("be_between", BOUNDS, "info"))
    validate(FRAME, asked, examples=2, validator=MemoryValidator())
    assert "e.g. '900.0'" in capsys.readouterr().out


def test_data_cannot_steer_a_terminal() -> None:
    check = Check("a\x1b[31m", "fail", message="\x1b]0;x\n", examples=("\x07",))
    report = ValidationReport("s\x1b", 1, (check,))
    assert all(line.isprintable() for line in [*lines(report), failure(report)])


def test_only_the_worst_are_in_the_error() -> None:
    checks = [Check("e", "fail", column=f"c{n}", unexpected=n, total=100) for n in range(1, 8)]
    said = failure(ValidationReport("s", 100, tuple(checks)))
    assert said.endswith(
        "e(c7) 7 of 100 (7 %); e(c6) 6 of 100 (6 %); e(c5) 5 of 100 (5 %); and 4 more"
    )


def test_a_suite_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        validate(FRAME, {"name": "s", "expectations": []}, validator=MemoryValidator())


def test_without_a_stack_a_validator_is_asked_for() -> None:
    with pytest.raises(PipelineError, match="'validator'"):
        validate(FRAME, suite(("not_be_null", {"column": "delay"}, "info")))
