"""Suites: as data, as files, and what is said of those that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackyard import read_suite
from stackyard.components.validator import Expectation, Suite
from stackyard.errors import ConfigError, InvalidInput
from stackyard.suites import written

GOOD = """\
name: flights
expectations:
- type: expect_column_values_to_not_be_null
  kwargs: {column: carrier}
- type: expect_column_values_to_be_between
  kwargs: {column: delay, min_value: -120, max_value: 1500.5, mostly: 0.99}
  severity: warning
  notes: minutes
"""


def test_a_file_is_read_as_plain_data(tmp_path: Path) -> None:
    path = tmp_path / "flights.suite.yaml"
    path.write_text(GOOD)
    data = read_suite(path)
    bounds = {"column": "delay", "min_value": -120, "max_value": 1500.5, "mostly": 0.99}
    assert data == {
        "name": "flights",
        "expectations": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "carrier"}},
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": bounds,
                "severity": "warning",
                "notes": "minutes",
            },
        ],
    }
    suite = Suite.of(data)
    assert [e.severity for e in suite.expectations] == ["critical", "warning"]
    assert suite.plain() == data


@pytest.mark.parametrize(
    ("before", "after", "place", "said"),
    [
        ("name: flights", "name: ''", "1:7", "'name'"),
        ("name: flights", "nam: flights", "1:1", "Did you mean 'name'?"),
        ("severity: warning", "severity: warn", "7:13", "Did you mean 'warning'?"),
        ("severity: warning", "severity: 3", "7:13", "info, warning, critical"),
        ("  kwargs: {column: carrier}", "  kwarg: {column: carrier}", "4:3", "'kwargs'"),
        ("{column: carrier}", "[carrier]", "4:11", "'kwargs' must be a mapping"),
        ("- type: expect_column_values_to_not_be_null\n  kwargs", "- kwargs", "3:3", "'type'"),
        ("notes: minutes", "notes: [minutes]", "8:10", "'notes' must be text"),
        (GOOD.partition("expectations:")[2], " []", "2:15", "empty"),
        (GOOD.partition("expectations:")[2], " some", "2:15", "must be a list"),
        (GOOD.partition("\n")[2], "", "1:1", "'expectations' must be a list"),
        ("{column: carrier}", "{column: *here}", "4:20", "alias"),
    ],
)
def test_what_is_no_suite_says_where(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    place: str,
    said: str,
) -> None:
    assert GOOD.count(before) == 1
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.suite.yaml").write_text(GOOD.replace(before, after))
    with pytest.raises(ConfigError) as caught:
        read_suite(tmp_path / "a.suite.yaml")
    assert str(caught.value).startswith(f"a.suite.yaml:{place} ")
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_suite(tmp_path / "nowhere.suite.yaml")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "a mapping"),
        ({"name": "s", "expectations": []}, "empty"),
        ({"name": "s", "expectations": [{"type": "a"}, {"type": ""}]}, r"expectations\[1\]\.type"),
        ({"name": 1, "expectations": [3]}, "'name'.*expectations"),
    ],
)
def test_data_that_is_no_suite(data: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Suite.of(data)


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    """Also words that one version of YAML or another takes for something else."""
    words = ["yes", "1e5", "0o17", "2013-01-01", "12:30", "null", "~", "", "a: b", "#", "ü ", "1_0"]
    kwargs = {"column": "a b", "value_set": [*words, 1, 1.0, 1e30, -2.5e-7, True, None]}
    suite = Suite(
        "größe",
        (
            Expectation("one", kwargs, notes="12 runs: mean 3; alarm 0.1 %"),
            Expectation("two", {}, "warning"),
            Expectation("three", kwargs, "info"),
        ),
    )
    path = tmp_path / "s.yaml"
    path.write_text(written(suite), encoding="utf-8")
    back = Suite.of(read_suite(path))
    assert back == suite
    kinds = [type(v) for v in back.expectations[0].kwargs["value_set"]]
    assert kinds == [type(v) for v in kwargs["value_set"]]
    assert "  kwargs: {column: a b, " in path.read_text(encoding="utf-8")
