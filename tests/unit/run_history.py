"""Stores with made-up runs, for the tests of what reads them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.graph import FromParam, FromStep, Graph, Param, Step
from stackyard.store.records import ArtifactRef, AttemptRecord, EndRecord, RunRecord
from stackyard.store.store import Store, open_store

JANUARY = "2013-01-01T00:00:00-05:00/2013-02-01T00:00:00-05:00"
GRAPH = Graph(
    name="flights",
    steps=(
        Step("load", "flights:load", {"period": FromParam("period")}, doc="Read the flights."),
        Step(
            "split",
            "flights:split",
            {"rows": FromStep("load")},
            outputs=("train", "test"),
            output_types=("", ""),
        ),
        Step(
            "train",
            "flights:train",
            {"rows": FromStep("split", "train"), "depth": FromParam("depth")},
        ),
        Step(
            "evaluate",
            "flights:evaluate",
            {"model": FromStep("train"), "rows": FromStep("split", "test")},
        ),
        Step("register", "flights:register", {"model": FromStep("train")}, after=("evaluate",)),
    ),
    params=(Param("period", {"type": "string"}), Param("depth", {"type": "integer"}, 6)),
)
START = 1_764_000_000.0


def run_id(number: int) -> str:
    """The id of the made-up run ``number``."""
    return f"20260114-0930{number:02d}-{number:08x}"


def run_record(number: int = 1, **changes: Any) -> RunRecord:
    """A run of ``GRAPH``."""
    record = RunRecord(
        run_id=run_id(number),
        pipeline=GRAPH.name,
        stack="local",
        params={"period": JANUARY, "depth": 6},
        graph=GRAPH.to_json(),
        graph_digest=GRAPH.digest(),
        reason="manual",
        actor="ada",
        started=START + 100 * number,
        host="elsewhere",
        pid=4242,
        python="3.11.7",
        packages={"pandas": "3.1.0", "scikit-learn": "1.9.0"},
        components={"orchestrator": {"flavor": "local"}, "tracker": {"flavor": "mlflow"}},
        git={"commit": "0123abcd" * 5, "dirty": False},
    )
    return replace(record, **changes)


def attempt(store: Store, run: RunRecord, step: str, **changes: Any) -> AttemptRecord:
    """Write a successful attempt of a step; its outputs are stored for real."""
    outputs = {n: store.artifacts.save(f"{step}.{n}") for n in GRAPH.step(step).outputs}
    record = AttemptRecord(
        run_id=run.run_id,
        step=step,
        attempt=1,
        status="succeeded",
        started=run.started + 1,
        seconds=1.5,
        key=f"{step}-key".ljust(64, "0"),
        outputs=outputs,
        why="no earlier result",
        cpu_seconds=1.2,
        peak_bytes=200_000_000,
        host=run.host,
        pid=run.pid,
    )
    record = replace(record, **changes)
    assert store.records.attempt(record)
    return record


def new_store(folder: Path) -> Store:
    """An empty store."""
    return open_store(folder / "store", root=folder)


def project_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of a new project, which becomes the current folder."""
    (folder / "stacks").mkdir()
    (folder / "stacks" / "local.yaml").write_text("components: {orchestrator: {flavor: local}}\n")
    monkeypatch.chdir(folder)
    for name in [n for n in os.environ if n.startswith("STACKYARD_")]:
        monkeypatch.delenv(name)
    return open_store(".stackyard/store", root=folder)


def full_run(store: Store, number: int = 1, **changes: Any) -> RunRecord:
    """A run in which every step succeeded."""
    run = run_record(number, **changes)
    assert store.records.start(run)
    for index, step in enumerate(GRAPH.steps):
        attempt(store, run, step.name, started=run.started + 2 * index)
    store.records.end(EndRecord(run.run_id, "succeeded", run.started + 12))
    return run


def failed_run(store: Store, number: int = 2, **changes: Any) -> RunRecord:
    """A run that failed in ``train`` on its second attempt."""
    run = run_record(number, **changes)
    assert store.records.start(run)
    attempt(store, run, "load", status="cached", seconds=0.0, why="nothing changed")
    split = attempt(store, run, "split")
    log = store.artifacts.keep(_file(store, "epoch 1\nepoch 2 <b>bold</b>\n"))
    for number in (1, 2):
        attempt(
            store,
            run,
            "train",
            attempt=number,
            status="failed",
            started=run.started + 2 * number,
            inputs={"rows": split.outputs["train"]},
            values={"depth": 6},
            outputs={},
            error="ValueError: no <rows>",
            traceback='Traceback (most recent call last):\n  File "x.py"\nValueError: no <rows>',
            log=log,
            journal=(
                {"component": "tracker", "type": "LoggedParam", "key": "depth", "value": "6"},
                metric("loss", 0.5, 1),
                metric("loss", 0.25, 2),
            ),
        )
    end = EndRecord(
        run.run_id, "failed", run.started + 9, "step 'train' failed: ValueError: no <rows>"
    )
    store.records.end(end)
    return run


def metric(key: str, value: float, step: int) -> dict[str, Any]:
    """A metric as a journal keeps it."""
    row = {"component": "tracker", "type": "LoggedMetric", "key": key, "value": value}
    return {**row, "step": step, "time": START + step}


def output(store: Store, run: RunRecord, step: str, name: str = "result") -> ArtifactRef:
    """What a step of a run gave."""
    return store.records.latest(run.run_id)[step].outputs[name]


def _file(store: Store, text: str) -> Path:
    path = store.cache_dir / "log.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
