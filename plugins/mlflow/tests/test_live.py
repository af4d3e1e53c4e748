"""Entries sent while a step runs: seen at once, and not twice after the projection."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context, Secret
from stackyard.components.tracker import RunFacts
from stackyard.store.records import new_run_id
from stackyard_mlflow import live, runs
from stackyard_mlflow.config import MlflowTrackerConfig
from stackyard_mlflow.tracker import MlflowTracker


@dataclass
class Journal:
    """What the step's record gets."""

    entries: list[Any] = field(default_factory=list)

    def add(self, entry: Any) -> None:
        self.entries.append(entry)

    def keep(self, path: Path) -> str:
        return "0" * 64


@dataclass
class Claims:
    """Facts of the run."""

    known: dict[str, str] = field(default_factory=dict)

    def claim(self, name: str, value: str) -> str:
        return self.known.setdefault(name, value)

    def get(self, name: str) -> str | None:
        return self.known.get(name)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """What surrounds a tracker in a step."""
    return Context(
        name="tracker",
        stack="dev",
        project=tmp_path,
        pipeline=f"live-{new_run_id()}",
        run=new_run_id(),
        step="train",
        actor="me",
        journal=Journal(),
        claims=Claims(),
    )


def in_step(context: Context, uri: str, **options: Any) -> MlflowTracker:
    """The tracker that a step gets."""
    return MlflowTracker(MlflowTrackerConfig(tracking_uri=uri, **options), context)


def test_seen_while_the_step_runs_and_once_afterwards(server: Any, context: Context) -> None:
    from mlflow import MlflowClient

    tracker = in_step(context, server.uri)
    assert "live" in tracker.capabilities
    tracker.log_metrics({"loss": 1.0, "nan": math.nan, "up": math.inf})
    client = MlflowClient(tracking_uri=server.uri)
    tracking_id = context.claims.get("tracking.tracker")  # type: ignore[union-attr]
    assert tracking_id is not None
    seen = client.get_run(tracking_id)
    assert seen.data.metrics["loss"] == 1.0
    assert seen.info.status == "RUNNING"
    tracker.log_metrics({"loss": 0.5}, step=1)
    tracker.log_params({"depth": 6})
    tracker.set_tags({"team": "flights"})
    tracker.close()
    assert client.get_run(tracking_id).data.tags["team"] == "flights"
    assert client.get_run(tracking_id).data.params == {}

    run = RunFacts(str(context.run), context.pipeline, "dev", "succeeded", 0.0, 1767225660.0)
    after = MlflowTracker(tracker.config, context)
    assert after.open(run, None).id == tracking_id
    after.write(tracking_id, context.journal.entries)  # type: ignore[union-attr]
    after.finish(tracking_id, run)
    history = {k: client.get_metric_history(tracking_id, k) for k in ("loss", "nan", "up")}
    assert [m.value for m in sorted(history["loss"], key=lambda m: m.step)] == [1.0, 0.5]
    assert (len(history["nan"]), len(history["up"])) == (1, 1)
    assert math.isnan(history["nan"][0].value)
    done = client.get_run(tracking_id)
    assert (done.data.params, done.info.status) == ({"depth": "6"}, "FINISHED")
    assert done.data.tags["mlflow.user"] == "me"


def test_the_loser_of_the_claim_writes_to_the_winner(server: Any, context: Context) -> None:
    """Two processes of a run make a run each; the store's claim decides."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=server.uri)
    winner = client.create_run(client.create_experiment(f"winner-{context.pipeline}"))

    class Late(Claims):
        """In which the other process claims between our look and our claim."""

        def get(self, name: str) -> str | None:
            return None

    agreed = runs.claim_name(server.uri, context.pipeline)
    claims = Late({agreed: winner.info.run_id})
    tracker = in_step(replace(context, claims=claims), server.uri)
    tracker.log_metrics({"loss": 1.0})
    tracker.close()
    assert claims.known["tracking.tracker"] == winner.info.run_id
    assert client.get_run(winner.info.run_id).data.metrics == {"loss": 1.0}
    experiment = client.get_experiment_by_name(context.pipeline)
    assert client.search_runs([experiment.experiment_id]) == []


def test_a_server_that_does_not_answer_costs_one_wait(
    silent_port: int,
    context: Context,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The step goes on, its journal is whole, and people are told once."""
    monkeypatch.setattr(live, "PATIENCE", 1.0)
    caplog.set_level(logging.WARNING)
    tracker = in_step(context, f"http://127.0.0.1:{silent_port}")
    start = time.monotonic()
    for step in range(100):
        tracker.log_metrics({"loss": 1.0}, step=step)
    tracker.close()
    assert time.monotonic() - start < 10 * live.PATIENCE  # and not once for each of the hundred
    assert len(context.journal.entries) == 100  # type: ignore[union-attr]
    assert len(caplog.records) == 1


def test_requests_are_few(server: Any, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that logs a thousand times does not send a thousand times."""
    sent = []
    real = live.LiveWriter._ask

    def count(self: Any, method: str, path: str, body: bytes | None = None) -> Any:
        sent.append(path)
        return real(self, method, path, body)

    monkeypatch.setattr(live.LiveWriter, "_ask", count)
    tracker = in_step(context, server.uri)
    start = time.monotonic()
    for step in range(1000):
        tracker.log_metrics({"loss": 1.0}, step=step)
    tracker.close()
    batches = [p for p in sent if p == "runs/log-batch"]
    assert len(batches) <= 2 + (time.monotonic() - start) / live.INTERVAL


def test_off_where_it_cannot_be(server: Any, context: Context, database: str) -> None:
    """A database, or ``live: false``."""
    assert not in_step(context, database).capabilities
    tracker = in_step(context, server.uri, live=False)
    assert not tracker.capabilities
    tracker.log_metrics({"loss": 1.0})
    tracker.close()
    assert context.claims.get("tracking.tracker") is None  # type: ignore[union-attr]


def test_it_needs_no_mlflow(server: Any, tmp_path: Path) -> None:
    """Nor pandas, nor requests: a step must not pay for being watched."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from stackyard.components.base import Context, Secret
from stackyard_mlflow.config import MlflowTrackerConfig
from stackyard_mlflow.tracker import MlflowTracker
class Journal:
    def add(self, entry): pass
context = Context(name="tracker", project=Path({str(tmp_path)!r}), run="{new_run_id()}",
                  pipeline="light", journal=Journal())
tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri={server.uri!r}), context)
tracker.log_metrics({{"loss": 1.0}})
tracker.close()
print(sorted({{"mlflow", "pandas", "numpy", "requests", "sqlalchemy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_registry_tracker_and_live_writer_agree(server: Any, context: Context) -> None:
    """Whoever comes first makes the run, in any order; the store's claim decides."""
    from mlflow import MlflowClient

    import stackyard_mlflow.logged_model as logged_model
    from stackyard_mlflow.config import MlflowRegistryConfig
    from stackyard_mlflow.connection import Connection

    class Late(Claims):
        """As for a process whose look came too early."""

        def get(self, name: str) -> str | None:
            return None

    claims = Late()
    run = RunFacts(str(context.run), context.pipeline, "dev", "succeeded", 0.0, 1767225660.0)
    tracking_id = (
        MlflowTracker(MlflowTrackerConfig(tracking_uri=server.uri), replace(context, claims=claims))
        .open(run, None)
        .id
    )
    client = MlflowClient(tracking_uri=server.uri)
    client.set_tag(tracking_id, runs.RUN_TAG, "not to be found")
    config = MlflowRegistryConfig(tracking_uri=server.uri)
    other = replace(context, claims=claims)
    found, _ = logged_model._tracking_run(Connection(config, other), config, other, "model")
    assert found == tracking_id
    tracker = in_step(other, server.uri)
    tracker.log_metrics({"loss": 1.0})
    tracker.close()
    experiment = client.get_experiment_by_name(context.pipeline)
    (only,) = client.search_runs([experiment.experiment_id])
    assert (only.info.run_id, only.data.metrics) == (tracking_id, {"loss": 1.0})


def test_steps_that_follow_do_not_wait_again(
    silent_port: int, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    start = time.monotonic()
    for _ in range(5):
        tracker = in_step(context, f"http://127.0.0.1:{silent_port}")
        tracker.log_metrics({"loss": 1.0})
        tracker.close()
    assert time.monotonic() - start < 4 * live.PATIENCE  # and not once for each of the five
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("uri", "options", "env", "expected"),
    [
        ("http://h:1", {}, {}, None),
        ("http://h:1", {}, {"TOKEN": "t"}, "Bearer t"),
        ("http://h:1", {}, {"USERNAME": "u", "PASSWORD": "p"}, "Basic dTpw"),
        ("http://u:p@h:1", {}, {}, "Basic dTpw"),
        ("http://h:1", {"token": "t"}, {"USERNAME": "x", "PASSWORD": "y"}, "Bearer t"),
        ("http://h:1", {"username": "u", "password": "p"}, {"TOKEN": "x"}, "Basic dTpw"),
    ],
)
def test_credentials_are_those_that_mlflow_would_send(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    options: dict[str, str],
    env: dict[str, str],
    expected: str | None,
) -> None:
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    secrets = {k: Secret(k, lambda v=v: v) for k, v in options.items() if k != "username"}
    given: Any = {**options, **secrets}
    writer = live.LiveWriter(MlflowTrackerConfig(tracking_uri=uri, **given), context, uri)
    assert writer._authorization().get("Authorization") == expected
    assert writer._place == "http://h:1"
