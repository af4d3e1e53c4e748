"""What a run rests on is told wherever a run is told: data, features, validation."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from stackyard.cli.main import main
from stackyard.components.data_versioner import DataVersion
from stackyard.components.feature_store import FeaturesUsed
from stackyard.components.validator import Check, ValidationReport
from stackyard.html import render
from stackyard.projection import facts
from stackyard.report import read_report
from tests.unit import run_history as history

DATA = DataVersion("flights_2013-01", "9f3c.dir", 200_000_000, 220, 1_764_000_000.0)
KNOWN = {"weather:temp": 26990, "weather:wind": 0, "weather:rain": 26990}
FEATURES = FeaturesUsed(tuple(KNOWN), {"weather": "ab" * 16}, 27004, KNOWN)
GOOD = Check("expect_column_to_exist", "pass", column="carrier")
NULLS = Check("expect_column_values_to_not_be_null", "fail", column="dest", unexpected=7, total=9)
UNSURE = Check("expect_column_mean_to_be_between", "error", "warning", column="<b>dist</b>")


def row(component: str, value: Any) -> dict[str, Any]:
    """A value as the journal of an attempt keeps it."""
    return {"component": component, "type": type(value).__name__, **json.loads(_json(value))}


def _json(value: Any) -> str:
    return json.dumps(asdict(value))


@pytest.fixture
def run(store):
    """A run whose steps noted data, features and a validation that failed."""
    made = history.run_record(1)
    assert store.records.start(made)
    kept = [row(f"data_versioner{name}", DATA) for name in ("", "", ".archive")]
    history.attempt(store, made, "load", journal=tuple(kept))
    history.attempt(store, made, "split", journal=(row("feature_store.live", FEATURES),))
    report = ValidationReport("flights", 27004, (GOOD, NULLS, UNSURE))
    journal = (row("validator", report), {"component": "x", "type": "DataVersion", "name": 7})
    history.attempt(store, made, "train", status="failed", outputs={}, journal=journal)
    return made


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The store of a project that is the current folder."""
    return history.project_store(tmp_path, monkeypatch)


def test_it_is_read_from_the_journals(store, run):
    """Once for each step; what is no value of ours is left out."""
    found = read_report(store, run.run_id).evidence
    assert [(e.kind, e.name, e.value, e.step, e.component) for e in found] == [
        ("data", "flights_2013-01", "9f3c.dir", "load", "data_versioner"),
        ("data", "flights_2013-01", "9f3c.dir", "load", "data_versioner.archive"),
        ("features", "weather", "ab" * 16, "split", "feature_store.live"),
        ("validation", "flights", "failed", "train", "validator"),
    ]
    assert [e.text for e in found] == [
        "220 files, 200.0 MB",
        "220 files, 200.0 MB",
        "temp, rain known in 26,990 of 27,004 rows; wind known in 0 of 27,004 rows",
        "1 of 3 expectations hold on 27,004 rows; not: expect_column_values_to_not_be_null(dest); "
        "expect_column_mean_to_be_between(<b>dist</b>) (warning)",
    ]


def test_a_validation_passes_with_warnings(store):
    made = history.run_record(2)
    assert store.records.start(made)
    report = ValidationReport("flights", 1, (GOOD, UNSURE))
    history.attempt(store, made, "train", journal=(row("validator", report),))
    (found,) = read_report(store, made.run_id).evidence
    assert (found.value, found.text[:40]) == ("passed", "1 of 2 expectations hold on 1 row; not: ")


def test_the_tracker_gets_labels(store, run):
    tags = facts(store, run.run_id).tags
    assert tags["data.flights_2013-01"] == "9f3c.dir"
    assert tags["features.weather"] == "ab" * 16
    assert tags["validation.flights"] == "failed"


def test_labels_of_steps_that_differ(store):
    """A suite that failed once has failed; both versions of a dataset are there."""
    made = history.run_record(4)
    assert store.records.start(made)
    bad, good = (ValidationReport("s", 1, (check,)) for check in (NULLS, GOOD))
    history.attempt(store, made, "load", journal=(row("validator", bad), row("dv", DATA)))
    other = replace(DATA, id="77.dir")
    history.attempt(store, made, "split", journal=(row("validator", good), row("dv", other)))
    tags = facts(store, made.run_id).tags
    assert tags["validation.s"] == "failed"
    assert tags["data.flights_2013-01"] == "9f3c.dir, 77.dir"


def test_runs_show_names_it(store, run, capsys):
    assert main(["runs", "show", run.run_id]) == 0
    out = capsys.readouterr().out
    assert out.count("9f3c.dir") == 1  # of two components
    for wanted in ("rests on", "flights_2013-01", "9f3c.dir", "ab" * 8, "1 of 3 expectations"):
        assert wanted in out
    assert main(["runs", "show", run.run_id, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [e["kind"] for e in document["evidence"]] == ["data", "data", "features", "validation"]


def test_the_page_names_it(store, run):
    page = render(read_report(store, run.run_id))
    assert "What it rests on" in page and "9f3c.dir" in page
    assert "&lt;b&gt;dist&lt;/b&gt;" in page and "<b>dist</b>" not in page


def test_a_run_without_says_nothing_of_it(store, capsys):
    made = history.full_run(store, 3)
    assert "rests on" not in render(read_report(store, made.run_id))
    assert main(["runs", "show", made.run_id]) == 0
    assert "rests on" not in capsys.readouterr().out
