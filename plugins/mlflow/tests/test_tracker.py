"""The tracker's contract on a real MLflow: an SQLite database, and a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackyard.components.tracker import Tracker
from stackyard.testing import StoredRun, TrackerContract
from stackyard_mlflow.runs import STATUS

TOKEN = "${secret:MLFLOW_TOKEN}"


def stored(uri: str, tracking_id: str, folder: Path) -> StoredRun:
    """Read a run with MLflow's own client."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    run = client.get_run(tracking_id)
    history = {k: client.get_metric_history(tracking_id, k) for k in run.data.metrics}
    metrics = {
        k: sorted(((m.step, m.timestamp / 1000, m.value) for m in points), key=lambda p: p[:2])
        for k, points in history.items()
    }
    artifacts: dict[str, bytes] = {}

    def walk(path: str | None) -> None:
        for item in client.list_artifacts(tracking_id, path):
            if item.is_dir:
                walk(item.path)
            else:
                local = client.download_artifacts(tracking_id, item.path, str(folder))
                artifacts[item.path] = Path(local).read_bytes()

    folder.mkdir(parents=True, exist_ok=True)
    walk(None)
    ended = run.info.end_time
    status: Any = next(ours for ours, theirs in STATUS.items() if theirs == run.info.status)
    return StoredRun(
        params=run.data.params,
        metrics=metrics,
        tags=run.data.tags,
        artifacts=artifacts,
        status=status,
        ended=None if ended is None else ended / 1000,
    )


class MlflowContract(TrackerContract):
    """What both backends share."""

    def read(self, tracker: Tracker, tracking_id: str) -> StoredRun:
        uri = tracker.config.tracking_uri
        return stored(uri, tracking_id, tracker.context.project / "read" / tracking_id)


class TestDatabase(MlflowContract):
    """On SQLite."""

    @pytest.fixture
    def settings(self, database: str) -> dict[str, Any]:
        return {"flavor": "mlflow", "tracking_uri": database, "token": TOKEN}


class TestServer(MlflowContract):
    """On a server over REST, files proxied by it."""

    @pytest.fixture
    def settings(self, server: Any) -> dict[str, Any]:
        return {"flavor": "mlflow", "tracking_uri": server.uri, "token": TOKEN}

    def silent(self, address: str) -> dict[str, Any]:
        return {"flavor": "mlflow", "tracking_uri": f"http://{address}", "token": TOKEN}
