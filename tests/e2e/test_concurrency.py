"""Processes that share a store and a tracker, all new, while gc clears up beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stackyard.project import find_project
from stackyard.stack import open_stack
from stackyard.store.run_status import run_status
from stackyard.store.store import Store
from stackyard.store.verify import verify
from tests.e2e.conftest import Place, environment
from tests.e2e.tracking import client, files, history, runs

PROCESSES = 4
STACK = """
    components:
      orchestrator: {flavor: local}
      tracker: {flavor: mlflow}
"""
PIPELINE = """
    from stackyard import Tracker, from_stack, pipeline, step

    @step(cache=True)
    def common() -> list[int]:
        return list(range(20_000))

    @step
    def own(rows: list[int], who: int, turn: int, *, tracker: Tracker = from_stack()) -> list[int]:
        tracker.log_params({"who": who, "turn": turn})
        for iteration in range(20):
            tracker.log_metric("loss", who + iteration / 100, step=iteration)
        tracker.log_text(f"{who} {turn}", "note.txt")
        print("working", who, turn)
        return [who, turn, *rows]

    @step
    def same(rows: list[int]) -> int:
        return len(rows)

    @pipeline
    def shared(who: int = 0, turn: int = 0) -> None:
        same(own(common(), who, turn))
"""
WORK = """
    import sys
    from stackyard.project import find_project
    from stackyard.run import start

    who, turns = int(sys.argv[1]), int(sys.argv[2])
    for turn in range(turns):
        run = start(find_project(), "dags/shared.py:shared", "local", {"who": who, "turn": turn})
        assert run.status == "succeeded", run.summary
        assert not run.summary.warnings, run.summary.warnings
        assert run["own"][:2] == [who, turn]
        print(run.run_id, flush=True)
"""


@pytest.fixture
def shared(place: Place) -> Place:
    """A project with neither store nor tracker."""
    place.write("stacks/local.yaml", STACK)
    place.write("dags/shared.py", PIPELINE)
    place.write("work.py", WORK)
    return place


def work(place: Place, turns: int) -> list[str]:
    """Let the processes make their runs at once; the ids of all runs."""
    # In a project's folder a script of one's own runs pipelines as a notebook does.
    processes = [
        subprocess.Popen(
            [sys.executable, "work.py", str(who), str(turns)],
            cwd=place.root,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in range(PROCESSES)
    ]
    made = []
    for process in processes:
        out, err = process.communicate(timeout=280)
        assert process.returncode == 0, err
        assert err == ""
        made += out.split()
    assert len(set(made)) == PROCESSES * turns
    return made


@contextmanager
def gc_beside(place: Place, *words: str) -> Iterator[list[dict[str, Any]]]:
    """``runs gc`` again and again as long as the block lasts; its reports."""
    script = """
        import os, sys, time
        from stackyard.cli.main import main
        while not os.path.exists("enough"):
            assert main(["runs", "gc", "--json", *sys.argv[1:]]) == 0
            time.sleep(0.1)
    """
    file = place.write("sweep.py", script)
    reports: list[dict[str, Any]] = []
    with (place.root / "reports").open("w+") as out, (place.root / "errors").open("w+") as err:
        process = subprocess.Popen(
            [sys.executable, str(file), *words],
            cwd=place.root,
            env=environment(),
            stdout=out,
            stderr=err,
        )
        try:
            yield reports
        finally:
            (place.root / "enough").touch()
            process.wait(60)
        err.seek(0)
        assert (process.returncode, err.read()) == (0, "")
        out.seek(0)
        documents = out.read().replace("}\n{", "},\n{")
        reports += json.loads(f"[{documents}]")


def store(place: Place) -> Store:
    """The store of the project."""
    return open_stack(find_project(place.root), "local").store()


def check_sound(place: Place, run_ids: list[str]) -> None:
    """Every artifact of these runs is there, with the bytes that were written."""
    opened = store(place)
    for run_id in run_ids:
        assert run_status(opened.records, run_id) == "succeeded"
        found = verify(opened, run_id)
        assert found
        assert [f for f in found if f.state != "sound"] == []


def check_complete(place: Place, run_ids: list[str]) -> None:
    """Each run is in MLflow once, with all that it logged."""
    mlflow = client(place.root)
    told = runs(mlflow)
    assert sorted(r.data.tags["stackyard.run_id"] for r in told) == sorted(run_ids)
    assert len(mlflow.search_experiments(filter_string="name = 'shared'")) == 1
    assert {(r.data.params["who"], r.data.params["turn"]) for r in told} == {
        (str(who), str(turn))
        for who in range(PROCESSES)
        for turn in range(len(run_ids) // PROCESSES)
    }
    for run in told:
        assert run.info.status == "FINISHED"
        who = int(run.data.params["who"])
        assert history(mlflow, run, "loss") == [(i, who + i / 100) for i in range(20)]
        assert set(files(mlflow, run)) == {"note.txt"}


def share(place: Place, turns: int) -> set[str]:
    """Run and collect side by side; return what then becomes of the steps of one more run."""
    with gc_beside(place, "--grace", "1s") as reports:
        made = work(place, turns)
    assert len(reports) > turns
    listed = place.json("runs", "list", "--limit", "1000")["runs"]
    assert sorted(r["run_id"] for r in listed) == sorted(made)
    assert {r["status"] for r in listed} == {"succeeded"}
    check_sound(place, made)
    check_complete(place, made)
    return set(place.steps("dags/shared.py:shared").values())


def test_four_processes(shared: Place) -> None:
    assert share(shared, turns=3) == {"cached"}


@pytest.mark.full
def test_four_processes_with_25_runs_each(shared: Place) -> None:
    assert share(shared, turns=25) == {"cached"}
