"""What is said to be different between two runs: in order of areas, causes before what follows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stackyard.cli.main import main
from stackyard.difference import AREAS, SAME_KEY, Change, compare
from stackyard.errors import UsageError
from stackyard.graph import FromStep, Graph, Step
from stackyard.period import Period
from stackyard.store import cachekey
from stackyard.store.records import AttemptRecord
from tests.unit import run_history as history

PARTS = {
    "load": {
        "target": "flights:load",
        "function flights.load": "aa",
        "parameter period": "2013-01",
    },
    "split": {
        "function flights.split": "bb",
        "input rows": "11 from step load",
        "package pandas": "3",
    },
    "train": {
        "function flights.train": "cc",
        "input rows": "22 from step split",
        "parameter depth": "6",
    },
    "evaluate": {"function flights.evaluate": "dd", "input model": "33 from step train"},
    "register": {"component registry": "44", "input model": "33 from step train"},
}


@pytest.fixture
def store(tmp_path, monkeypatch):
    return history.project_store(tmp_path, monkeypatch)


def make(store, number, changes=None, results=None, upto=None, **run_changes):
    """A run with ``PARTS``, of which ``changes`` replaces parts and ``results`` outputs."""
    run = history.run_record(number, **run_changes)
    store.records.start(run)
    for step in Graph.from_json(run.graph).steps:
        parts = {**PARTS.get(step.name, {}), **(changes or {}).get(step.name, {})}
        parts = {n: v for n, v in parts.items() if v is not None}
        outputs = {n: store.artifacts.save(f"{step.name}.{n}") for n in step.outputs}
        if step.name in (results or {}):
            outputs = {"result": store.artifacts.save(results[step.name])}
        key = json.dumps(parts, sort_keys=True)
        record = AttemptRecord(
            run.run_id, step.name, 1, "succeeded", run.started, 1.0, key, parts, outputs=outputs
        )
        assert store.records.attempt(record)
        if step.name == upto:
            break
    return run.run_id


def test_nothing_differs(store):
    found = compare(store, make(store, 1), make(store, 2))
    assert found.changes == ()
    assert found.begins is None
    assert all(s.same for s in found.steps)
    assert "differ in nothing that was recorded" in next(iter(found.lines()))


def test_periods_are_told_in_short(store):
    february = str(Period.parse("2013-02", "America/New_York"))
    parts = [{"parameter period": json.dumps(text)} for text in (history.JANUARY, february)]
    assert cachekey.explain(*parts) == 'parameter period: "2013-01" -> "2013-02"'
    first = make(store, 1)
    found = compare(store, first, make(store, 2, params={"period": february, "depth": 6}))
    assert "parameter period: 2013-01 -> 2013-02" in [c.what for c in found.changes]


def test_every_area_in_order_and_causes_first(store):
    first = make(store, 1)
    second = make(
        store, 2,
        {
            "split": {"package pandas": "4", "input rows": "11 from step load"},
            "train": {
                "function flights.train": "xx", "function cleaning.trim": "ee",
                "input rows": "29 from step split", "parameter depth": "8",
            },
            "evaluate": {"function cleaning.trim": "ee", "input model": "39 from step train"},
            "register": {"component registry": "45", "input model": "39 from step train"},
        },
        {"train": "another model", "evaluate": "other scores"},
        stack="prod", params={"period": history.JANUARY, "depth": 8}, python="3.12.1",
        packages={"pandas": "4", "scikit-learn": "1.9.0", "numpy": "2"},
        components={"orchestrator": {"flavor": "airflow"}, "tracker": {"flavor": "mlflow"}},
        git={"commit": "0123abcd" * 5, "dirty": True},
    )  # fmt: skip
    found = compare(store, first, second)
    areas = [c.area for c in found.changes]
    assert areas == sorted(areas, key=AREAS.index)
    changes = set(found.changes)
    assert Change("code", "function flights.train changed", ("train",)) in changes
    assert Change("code", "function cleaning.trim is now reached", ("train", "evaluate")) in changes
    assert Change("code", "git dirty: False -> True") in changes
    pandas = cachekey.explain({"package pandas": "3"}, {"package pandas": "4"})
    assert Change("packages", pandas, ("split",)) in changes
    assert Change("packages", "python: 3.11.7 -> 3.12.1") in changes
    assert Change("packages", "installed, not known to be used: numpy none -> 2") in changes
    assert Change("parameters", "parameter depth: 6 -> 8", ("train",)) in changes
    assert Change("stack", "stack: local -> prod") in changes
    assert Change("stack", "orchestrator.flavor: local -> airflow") in changes
    assert Change("stack", "registry configuration changed", ("register",)) in changes
    assert not any(c.area == "data" for c in changes)
    assert found.begins is not None and found.begins.name == "split"
    steps = {s.name: s for s in found.steps}
    assert list(steps) == ["load", "split", "train", "evaluate", "register"]
    assert (steps["load"].same, steps["load"].why) == (True, "")
    assert (steps["split"].same, steps["split"].why) == (True, pandas)
    assert steps["train"].same is False
    assert "input" not in steps["train"].why


def test_what_only_follows_is_no_cause(store):
    first = make(store, 1)
    second = make(
        store, 2,
        {"train": {"parameter depth": "8"}, "evaluate": {"input model": "9 from step train"}},
        {"train": "m", "evaluate": "s"}, params={"period": history.JANUARY, "depth": 8},
    )  # fmt: skip
    found = compare(store, first, second)
    assert [c.what for c in found.changes] == ["parameter depth: 6 -> 8"]
    evaluate = next(s for s in found.steps if s.name == "evaluate")
    assert evaluate.why.startswith("input model changed")


def test_other_data_under_the_same_key(store):
    found = compare(store, make(store, 1), make(store, 2, results={"load": "other rows"}))
    assert found.changes == (Change("data", SAME_KEY, ("load",)),)
    assert found.begins is not None and found.begins.name == "load"


def test_a_run_that_ended_early_and_a_changed_graph(store):
    first = make(store, 1, upto="train")
    steps = [s for s in history.GRAPH.steps if s.name != "register"]
    steps[3] = replace(steps[3], inputs={"model": FromStep("train")})
    steps.append(Step("report", "flights:report", {"model": FromStep("train")}))
    graph = replace(history.GRAPH, steps=tuple(steps))
    second = make(store, 2, graph=graph.to_json())
    found = compare(store, first, second)
    told = {c.what for c in found.changes}
    assert told == {
        "step report is new",
        "step register is gone",
        "step evaluate is wired otherwise",
    }
    evaluate = next(s for s in found.steps if s.name == "evaluate")
    assert (evaluate.first, evaluate.second, evaluate.same) == ("not reached", "succeeded", None)
    others = {s.name: (s.first, s.second, s.why) for s in found.steps}
    assert others["report"] == ("", "succeeded", "new step")
    assert others["register"] == ("not reached", "", "step is gone")


def test_runs_of_different_pipelines_are_refused(store):
    with pytest.raises(UsageError, match="only runs of one pipeline can be compared"):
        compare(store, make(store, 1), make(store, 2, pipeline="other"))


def test_the_command(store, capsys):
    first = make(store, 1)
    second = make(
        store, 2, {"train": {"parameter depth": "8"}}, {"train": "m"},
        params={"period": history.JANUARY, "depth": 8},
    )  # fmt: skip
    assert main(["runs", "diff", first, "latest"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "parameters  parameter depth: 6 -> 8  (train)"
    assert "first different step: train: parameter depth: 6 -> 8" in lines
    assert "train     succeeded  succeeded  another   parameter depth: 6 -> 8" in lines
    assert main(["runs", "diff", first, second, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["first_different_step"] == "train"
    assert found["changes"] == [
        {"area": "parameters", "what": "parameter depth: 6 -> 8", "steps": ["train"]}
    ]
