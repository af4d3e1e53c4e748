"""Several processes at once on one fresh database; a server that is stopped and started again."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.tracker import Entry, LoggedMetric, LoggedParam, RunFacts
from stackyard.errors import Unavailable
from stackyard.store.records import new_run_id
from stackyard_mlflow.config import MlflowRegistryConfig, MlflowTrackerConfig
from stackyard_mlflow.registry import MlflowRegistry
from stackyard_mlflow.tracker import MlflowTracker
from tests.ports import closed_port

PROCESSES, RUNS = 4, 10
NOW = 1767225600.0

WORK = """
import sys
from pathlib import Path
from stackyard.components.base import Context
from stackyard.components.tracker import LoggedMetric, LoggedParam, RunFacts
from stackyard.store.records import new_run_id
from stackyard_mlflow.config import MlflowTrackerConfig
from stackyard_mlflow.tracker import MlflowTracker

context = Context(name="tracker", project=Path(sys.argv[1]), deadline=120)
tracker = MlflowTracker(MlflowTrackerConfig(), context)
for number in range(int(sys.argv[2])):
    run = RunFacts(new_run_id(), "shared", "local", "succeeded", 1767225600.0, 1767225660.0)
    opened = tracker.open(run, None)
    entries = [LoggedMetric("loss", float(i), i, 1767225600.0 + i) for i in range(20)]
    tracker.write(opened.id, [LoggedParam("number", str(number)), *entries])
    tracker.finish(opened.id, run)
    print(opened.id, flush=True)
"""

OPEN = """
import sys, time
from pathlib import Path
from stackyard.components.base import Context
from stackyard.components.tracker import RunFacts
from stackyard.errors import Unavailable
from stackyard_mlflow.config import MlflowTrackerConfig
from stackyard_mlflow.tracker import MlflowTracker
config = MlflowTrackerConfig(tracking_uri="http://me:secret@127.0.0.1:{port}")
tracker = MlflowTracker(config, Context(name="tracker", project=Path({project!r})))
try:
    tracker.open(RunFacts("20260101-000000-0123abcd", "p", "s", "succeeded", 0.0), None)
except Unavailable as exc:
    print(exc, "mlflow" in sys.modules)
"""


@pytest.mark.full
def test_processes_on_one_fresh_database(tmp_path: Path) -> None:
    """All of them make the tables at the same moment; no run and no point is lost."""
    argv = [sys.executable, "-c", WORK, str(tmp_path), str(RUNS)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(argv, **pipes) for _ in range(PROCESSES)]  # type: ignore[call-overload]
    ids: list[str] = []
    for worker in workers:
        out, err = worker.communicate(timeout=300)
        assert worker.returncode == 0, err
        assert err == ""
        ids += out.split()
    assert len(set(ids)) == PROCESSES * RUNS
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/.stackyard/mlflow/mlflow.db"
    client = MlflowClient(tracking_uri=uri)
    experiments = [e for e in client.search_experiments() if e.name == "shared"]
    found = client.search_runs([experiments[0].experiment_id], max_results=1000)
    assert {r.info.run_id for r in found} == set(ids)
    assert all(r.info.status == "FINISHED" and r.data.params for r in found)
    assert all(len(client.get_metric_history(i, "loss")) == 20 for i in ids[::10])


@pytest.mark.full
def test_a_server_that_was_down(own_server: Any, tmp_path: Path) -> None:
    """Unavailable at once; when it is up again everything arrives, and once."""
    run = RunFacts(new_run_id(), "outage", "local", "succeeded", NOW, NOW + 60)
    entries: list[Entry] = [LoggedMetric("loss", float(i), i, NOW + i) for i in range(50)]
    entries.append(LoggedParam("depth", "6"))
    context = Context(name="tracker", project=tmp_path, deadline=60.0)
    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=own_server.uri), context)
    opened = tracker.open(run, None)
    tracker.write(opened.id, entries[:30])
    own_server.stop()
    for broken in (tracker, MlflowTracker(tracker.config, context)):
        broken.context = replace(context, deadline=60.0)
        start = time.monotonic()
        with pytest.raises(Unavailable, match=r"cannot reach http://127\.0\.0\.1:.*refused"):
            broken.write(opened.id, entries)
        assert time.monotonic() - start < 30  # at once, not at the deadline
    own_server.start()
    for _ in range(2):
        later = MlflowTracker(tracker.config, context)
        assert later.open(run, None) == opened
        later.write(opened.id, entries)
        later.finish(opened.id, run)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=own_server.uri)
    history = client.get_metric_history(opened.id, "loss")
    assert sorted(m.step for m in history) == list(range(50))
    assert client.get_run(opened.id).data.params == {"depth": "6"}
    assert len(client.search_runs([client.get_run(opened.id).info.experiment_id])) == 1


def test_a_dead_port_costs_no_import(tmp_path: Path) -> None:
    """Before MLflow is imported, it is asked whether anybody listens."""
    with closed_port() as port:
        done = subprocess.run(
            [sys.executable, "-c", OPEN.format(port=port, project=str(tmp_path))],
            capture_output=True,
            text=True,
        )
    assert done.stdout == f"cannot reach http://***@127.0.0.1:{port} (connection refused) False\n"


def test_another_process_is_making_the_tables(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Waiting for it ends with the deadline too."""
    from filelock import FileLock

    folder = tmp_path / ".stackyard" / "mlflow"
    folder.mkdir(parents=True)
    context = Context(name="registry", project=tmp_path, deadline=1.0)
    registry = MlflowRegistry(MlflowRegistryConfig(), context)
    caplog.set_level(logging.ERROR)
    with (
        FileLock(folder / ".mlflow-tables.lock"),
        pytest.raises(Unavailable, match="making MLflow's tables"),
    ):
        registry.list()
    assert list(registry.list()) == []
