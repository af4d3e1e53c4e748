"""A run's records in MLflow: one run for one run, complete, whatever happened to either."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.e2e.background import started, until
from tests.e2e.conftest import Place
from tests.e2e.tracking import LOSSES, PIPELINE, client, dump, files, history, runs
from tests.ports import free_port

LOCAL = """
    components:
      orchestrator: {flavor: local}
      tracker: {flavor: mlflow}
"""


@pytest.fixture
def tracked(place: Place) -> Place:
    """A project with the pipeline and the embedded tracker."""
    place.write("stacks/local.yaml", LOCAL)
    place.write("dags/tracked.py", PIPELINE)
    return place


def test_one_complete_mlflow_run_for_each_run(tracked: Place) -> None:
    """Ran, cached, failed, resumed."""
    first = tracked.json("run", "tracked")
    cached = tracked.json("run", "tracked")
    failed = tracked.json(
        "run", "tracked", "--param", "depth=2", "--param", "fail=true", check=False
    )
    resumed = tracked.json("run", "tracked", "--resume", "latest", "--param", "fail=false")
    mlflow = client(tracked.root)
    assert len(runs(mlflow)) == 4
    found = {}
    for name, document, steps in (
        ("first", first, "succeeded succeeded succeeded"),
        ("cached", cached, "cached cached cached"),
        ("failed", failed, "succeeded failed skipped"),
        ("resumed", resumed, "cached succeeded succeeded"),
    ):
        assert " ".join(s["status"] for s in document["steps"]) == steps
        (found[name],) = runs(mlflow, document["run_id"])
        assert document["tracking_url"] is None  # a database has no page
        assert document["warnings"] == []
    for name, depth, fail, status in (
        ("first", 4, False, "FINISHED"),
        ("cached", 4, False, "FINISHED"),
        ("failed", 2, True, "FAILED"),
        ("resumed", 2, False, "FINISHED"),
    ):
        run = found[name]
        assert run.info.status == status
        assert run.info.end_time >= run.info.start_time > 0
        assert run.data.params == {"depth": str(depth), "fail": str(fail), "kind": "tree"}
        assert history(mlflow, run, "loss") == LOSSES
        assert history(mlflow, run, "rows") == [(i, 10.0) for i in range(5)]
        assert history(mlflow, run, "auc") == [(0, 0.5 + 1 / depth)]
        assert history(mlflow, run, "late") == [(0, 3.0)]
        assert ("final" in run.data.metrics) == (status == "FINISHED")
        assert run.data.tags["team"] == "flights"
        assert run.data.tags["stackyard.pipeline"] == "tracked"
        assert set(files(mlflow, run)) == {"plots/curve.txt", "all/curve.txt", "story.md"}
    assert files(mlflow, found["first"]) == files(mlflow, found["cached"])
    assert found["resumed"].data.tags["stackyard.resume"] == failed["run_id"]
    # What was logged, not when it was replayed.
    times = [
        [m.timestamp for m in mlflow.get_metric_history(found[n].info.run_id, "loss")]
        for n in ("first", "cached")
    ]
    assert times[0] == times[1]


@pytest.fixture
def served(place: Place) -> Iterator[tuple[Place, str]]:
    """A project whose stack starts an MLflow server; stopped in the end."""
    uri = f"http://127.0.0.1:{free_port()}"
    place.write(
        "stacks/local.yaml",
        f"""
        components:
          orchestrator: {{flavor: local}}
          tracker: {{flavor: mlflow, tracking_uri: "{uri}", serve: true}}
        """,
    )
    place.write("dags/tracked.py", PIPELINE)
    try:
        place.run("stack", "up")
        yield place, uri
    finally:
        place.run("stack", "down")


@pytest.mark.full
def test_a_server_that_stops_while_a_run_goes_on(served: tuple[Place, str]) -> None:
    place, uri = served
    place.run("run", "tracked")
    gate = place.root / "gate"
    # Of the three steps only the second one runs, and waits.
    words = ("run", "tracked", "--param", "fail=0", "--json")
    place.write("dags/tracked.py", PIPELINE.replace("0.5 + model", "0.25 + model"))
    with started(place, *words, env={"WAIT_FOR": str(gate)}) as process:
        until((place.root / "gate.reached").exists)
        place.run("stack", "down")
        gate.touch()
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert time.monotonic() - began < 30
    document = json.loads(out)
    run_id = document["run_id"]
    assert [s["status"] for s in document["steps"]] == ["cached", "succeeded", "cached"]
    assert document["status"] == "succeeded"
    (warning,) = document["warnings"]
    assert warning == (
        f"tracker: cannot reach {uri} (connection refused). The run is kept; "
        f"replay it with: stackyard publish {run_id}"
    )
    assert f"warning: {warning}" in err
    assert "Traceback" not in err

    down = place.run("publish", run_id, check=False)
    assert (down.returncode, down.stdout) == (1, "")
    assert "cannot reach" in down.stderr

    place.run("stack", "up")
    place.run("publish", run_id)
    mlflow = client(place.root, uri)
    (run,) = runs(mlflow, run_id)
    assert run.info.status == "FINISHED"
    assert history(mlflow, run, "loss") == LOSSES  # of a step that was cached
    assert history(mlflow, run, "auc") == [(0, 0.5)]
    assert history(mlflow, run, "late") == [(0, 3.0)]
    assert history(mlflow, run, "final") == [(0, 0.25)]  # of another
    assert run.data.params == {"depth": "4", "fail": "False", "kind": "tree"}
    assert set(files(mlflow, run)) == {"plots/curve.txt", "all/curve.txt", "story.md"}

    before = dump(mlflow)
    assert len(before) == 2
    again = place.json("publish", run_id)
    assert dump(mlflow) == before
    assert again["errors"] == []
    assert again["tracking"]["tracker"].startswith(f"{uri}/#/experiments/")
    for other in place.json("runs", "list")["runs"]:
        place.run("publish", other["run_id"])
    assert dump(mlflow) == before


def test_the_wait_for_a_dead_tracker_is_bounded(place: Place) -> None:
    """One that takes connections and never answers: the worst of them."""
    place.write(
        "dags/dead.py",
        f"""
        from stackyard import Tracker, from_stack, pipeline, step

        @step
        def log(n: int, *, tracker: Tracker = from_stack()) -> int:
            tracker.log_metric("n", n)
            return n

        @pipeline
        def dead() -> None:
            {"; ".join(f"log({n})" for n in range(8))}
        """,
    )
    asked: list[socket.socket] = []

    def listen(silent: socket.socket) -> None:
        with suppress(OSError):  # closed at the end
            while True:
                asked.append(silent.accept()[0])

    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        threading.Thread(target=listen, args=(silent,), daemon=True).start()
        place.write(
            "stacks/local.yaml",
            f"""
            components:
              orchestrator: {{flavor: local}}
              tracker: {{flavor: mlflow, tracking_uri: "{uri}"}}
            """,
        )
        began = time.monotonic()
        done = place.run("run", "dead")
        seconds = time.monotonic() - began
        silent.shutdown(socket.SHUT_RDWR)
    for connection in asked:
        connection.close()
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert f"cannot reach {uri}" in warnings[0]
    assert "stackyard publish" in warnings[0]
    assert "Traceback" not in done.stderr
    # The first step asks once; the projection asks whether anybody listens, and then twice.
    assert len(asked) <= 4
    assert seconds < 5 + 30 + 30, "one answer to a step, the deadline, and MLflow's own import"


def test_a_killed_run_is_published_as_it_was_left(tracked: Place) -> None:
    gate = tracked.root / "gate"
    with started(tracked, "run", "tracked", env={"WAIT_FOR": str(gate)}) as process:
        until((tracked.root / "gate.reached").exists)
        process.kill()
        process.wait()
    tracked.run("publish", "latest")
    mlflow = client(tracked.root)
    (run,) = runs(mlflow)
    assert run.info.status == "FAILED"
    assert history(mlflow, run, "loss") == LOSSES
    assert "auc" not in run.data.metrics
    before = dump(mlflow)
    tracked.run("publish", "latest")
    assert dump(mlflow) == before
