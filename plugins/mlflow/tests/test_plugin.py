"""What the plugin offers, at what cost, and what its configuration may say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context, Secret
from stackyard.components.tracker import LoggedMetric, LoggedParam
from stackyard.errors import ComponentError, ConfigError, InvalidInput
from stackyard_mlflow import entries
from stackyard_mlflow.config import MlflowConfig, MlflowRegistryConfig, MlflowTrackerConfig
from stackyard_mlflow.connection import Connection
from stackyard_mlflow.entries import Batch, clean, requests, translate
from stackyard_mlflow.registry import MlflowRegistry
from stackyard_mlflow.tracker import MlflowTracker


def test_describing_imports_nothing_heavy() -> None:
    """Plugin, configuration and the components' own modules."""
    code = """
import sys
import stackyard_mlflow.plugin, stackyard_mlflow.config
import stackyard_mlflow.tracker, stackyard_mlflow.registry
heavy = {"mlflow", "pandas", "numpy", "sqlalchemy", "sklearn", "skops", "requests", "filelock"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_flavors_name_what_exists() -> None:
    import importlib
    from dataclasses import is_dataclass

    from stackyard_mlflow.plugin import stackyard_flavors

    flavors = list(stackyard_flavors())
    assert [(f.kind, f.name) for f in flavors] == [("tracker", "mlflow"), ("registry", "mlflow")]
    for flavor in flavors:
        for target in (flavor.target, flavor.config):
            module, _, name = target.partition(":")
            found = getattr(importlib.import_module(module), name)
            assert (found.kind == flavor.kind) if target == flavor.target else is_dataclass(found)


def context(folder: Path, deadline: float = 10.0) -> Context:
    """A context of a project."""
    return Context(name="tracker", project=folder, deadline=deadline)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "sqlite:///{project}/.stackyard/mlflow/mlflow.db"),
        ("sqlite:///runs.db", "sqlite:///{project}/runs.db"),
        ("sqlite:////var/runs.db", "sqlite:////var/runs.db"),
        ("https://mlflow.acme.example/", "https://mlflow.acme.example"),
        ("databricks", "databricks"),
        ("postgresql+psycopg://db/mlflow", "postgresql+psycopg://db/mlflow"),
    ],
)
def test_addresses(tmp_path: Path, given: str | None, expected: str) -> None:
    """Paths count from the project, never from the current folder."""
    made = Connection(MlflowConfig(tracking_uri=given), context(tmp_path))
    assert made.uri == expected.format(project=tmp_path)


@pytest.mark.parametrize(
    "wrong", ["mlruns", "file:///tmp/mlruns", "sqlite:///:memory:", "sqlite://"]
)
def test_addresses_that_cannot_work(tmp_path: Path, wrong: str) -> None:
    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=wrong), context(tmp_path))
    with pytest.raises(InvalidInput, match="tracking_uri"):
        _ = tracker.capabilities


def test_secrets_are_in_the_environment_during_a_call_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And replace what the environment had, which returns."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "before")
    config = MlflowConfig(token=Secret("${secret:TOKEN}", lambda: "shh"))
    made = Connection(config, context(tmp_path))
    with made.call("anything"):
        assert os.environ["MLFLOW_TRACKING_TOKEN"] == "shh"
        assert "MLFLOW_TRACKING_USERNAME" not in os.environ
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "3"
    assert "MLFLOW_TRACKING_TOKEN" not in os.environ
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "before"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        ((401, b"no"), ComponentError, "refuses access"),
        ((403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}'), ComponentError, "token"),
        ((503, b"busy"), "Unavailable", ""),
        ((500, b"<html>"), "Unavailable", ""),
        ((429, b"slow down"), "Unavailable", ""),
        ((400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "x"}'), InvalidInput, "x"),
        ((200, b"<html>a login page</html>"), "Unavailable", ""),
    ],
)
def test_what_a_server_says_in_our_words(
    tmp_path: Path, answer: tuple[int, bytes], expected: Any, words: str
) -> None:
    """Errors of the tree, never MLflow's own, whatever stands in front of the server."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer[0])
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{made.server_port}"
        tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=uri), context(tmp_path))
        (finding,) = tracker.check()
        with pytest.raises(ComponentError) as caught:
            tracker._connection.experiment("x")
        made.shutdown()
    assert not finding.ok
    assert type(caught.value).__name__ == (
        expected if isinstance(expected, str) else expected.__name__
    )
    assert words in str(caught.value)


def test_check_says_what_answers(tmp_path: Path, database: str) -> None:
    good = MlflowRegistry(MlflowRegistryConfig(tracking_uri=database), context(tmp_path)).check()
    assert good[0].ok and database in good[0].what


# The server of this machine


def test_service_describes_a_loopback_server(tmp_path: Path) -> None:
    config = MlflowTrackerConfig(tracking_uri="http://localhost:5001", serve=True)
    (service,) = MlflowTracker(config, context(tmp_path)).services()
    (command,) = service.commands
    argv = list(command.argv)
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    assert (command.port, command.ready) == (5001, "http://127.0.0.1:5001/health")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("uri", [None, "http://mlflow.acme.example:80", "http://127.0.0.1"])
def test_service_refuses_what_is_not_here(tmp_path: Path, uri: str | None) -> None:
    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=uri, serve=True), context(tmp_path))
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:5001"):
        tracker.services()


def test_no_service_unless_asked(tmp_path: Path) -> None:
    config = MlflowTrackerConfig(tracking_uri="http://127.0.0.1:5001")
    assert MlflowTracker(config, context(tmp_path)).services() == ()


# Limits


def test_keys_that_mlflow_takes_stay_as_they_are() -> None:
    for key in ("auc", "val/loss", "a b.c-d:e", "größe", "x" * 250):
        assert clean(key) == key


def test_requests_stay_below_the_limits() -> None:
    import json

    batch = Batch(
        params={f"p{i}": "ü" * 6000 for i in range(120)}, tags={f"t{i}": "x" for i in range(250)}
    )
    made = list(requests(batch))
    assert all(len(r.params) <= entries.PARAMS and len(r.tags) <= entries.TAGS for r in made)
    assert all(len(json.dumps([r.params, r.tags])) < 1_000_000 for r in made)
    assert sum(len(r.params) for r in made) == 120
    assert sum(len(r.tags) for r in made) == 250


def test_little_is_one_request() -> None:
    assert len(list(requests(Batch(params={"a": "1"}, tags={"b": "2"})))) == 1
    assert list(requests(Batch())) == []


def test_people_are_told_of_what_is_not_where_it_was_logged() -> None:
    """A param with two values is a warning; a key with another name is a note, and a tag."""
    both = [LoggedParam("rate", "0.1"), LoggedParam("rate", "0.2"), LoggedMetric("r@5", 1.0, 0, 0)]
    batch = translate(both, {}, {("rate", "0.2"): "train"})
    assert batch.params == {"rate": "0.1"}
    assert batch.tags == {"train.rate": "0.2", "stackyard.renamed.r_5": "r@5"}
    assert batch.warnings == [
        "param 'rate' was logged twice: it stays '0.1', and '0.2' is the tag 'train.rate'"
    ]
    assert batch.notes == ["key 'r@5' is called 'r_5' in MLflow"]
