"""The server of this machine, started as ``stack up`` starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard.components.tracker import LoggedArtifact, LoggedMetric, RunFacts
from stackyard.models import load_model, package_model
from stackyard.store.records import new_run_id
from stackyard_mlflow.config import MlflowRegistryConfig, MlflowTrackerConfig
from stackyard_mlflow.registry import MlflowRegistry
from stackyard_mlflow.tracker import MlflowTracker


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A project."""
    (tmp_path / "plot.txt").write_text("a curve")
    return Context(
        name="tracker",
        project=tmp_path,
        cache_dir=tmp_path / "cache",
        pipeline="flights",
        run=new_run_id(),
        fetch=lambda digest: tmp_path / "plot.txt",
        deadline=60.0,
    )


@pytest.fixture
def uri(context: Context, port: int) -> Iterator[str]:
    """The service, up."""
    uri = f"http://127.0.0.1:{port}"
    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=uri, serve=True), context)
    (service,) = tracker.services()
    (command,) = service.commands
    tracker.prepare(service)
    log = (context.project / "log.txt").open("wb")
    started = subprocess.Popen(
        command.argv,
        env={**os.environ, **command.env},
        cwd=context.project,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + service.ready_within
        while True:
            try:
                urllib.request.urlopen(str(command.ready), timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < end, (context.project / "log.txt").read_text()
                time.sleep(0.2)
        yield uri
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(20)
        log.close()


def test_it_serves_the_projects_own_experiments(uri: str, context: Context) -> None:
    """What was tracked without it is in it, and the other way round; models too."""
    from sklearn.linear_model import LogisticRegression

    before = MlflowTracker(MlflowTrackerConfig(), context)
    first = RunFacts(str(context.run), "flights", "local", "succeeded", 1767225600.0)
    embedded = before.open(first, None)
    before.write(embedded.id, [LoggedMetric("auc", 0.7, 0, 1767225600.0)])

    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=uri), context)
    assert tracker.open(first, None).id == embedded.id
    second = replace(first, run_id=new_run_id())
    served = tracker.open(second, None)
    assert served.url == f"{uri}/#/experiments/1/runs/{served.id}"
    urllib.request.urlopen(served.url, timeout=10).close()
    tracker.write(served.id, [LoggedArtifact("plots/roc.txt", "0" * 64)])
    assert before.open(second, None).id == served.id
    (file,) = context.project.rglob("roc.txt")
    assert file.read_text() == "a curve"

    x = [[0.0], [1.0], [2.0], [3.0]]
    package = package_model(LogisticRegression().fit(x, [0, 0, 1, 1]))
    registry = MlflowRegistry(MlflowRegistryConfig(tracking_uri=uri), context)
    version = registry.register("flights", package, alias="champion")
    assert version.url == f"{uri}/#/models/flights/versions/1"
    without = MlflowRegistry(MlflowRegistryConfig(), context)
    fetched = without.fetch(without.get("flights", alias="champion"))
    assert list(load_model(fetched).predict(x)) == [0, 0, 1, 1]
    assert sorted(p.name for p in context.project.iterdir()) == [
        ".stackyard",
        "cache",
        "log.txt",
        "plot.txt",
    ]
