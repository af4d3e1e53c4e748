"""What a tracker holds, read with MLflow's own client."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

PIPELINE = """
    import os, time
    from pathlib import Path
    from stackyard import Tracker, from_stack, pipeline, step

    @step(cache=True)
    def train(depth: int, *, tracker: Tracker = from_stack()) -> float:
        tracker.log_params({"depth": depth, "kind": "tree"})
        for iteration in range(5):
            tracker.log_metrics({"loss": 1 / (iteration + 1), "rows": 10.0}, step=iteration)
        tracker.set_tags({"team": "flights"})
        folder = Path("plots")
        folder.mkdir(exist_ok=True)
        (folder / "curve.txt").write_text(f"depth {depth}")
        tracker.log_artifact(folder / "curve.txt", "plots/curve.txt")
        tracker.log_artifact(folder, "all")
        tracker.log_text("the whole story", "story.md")
        return 1 / depth

    @step
    def score(model: float, fail: bool, *, tracker: Tracker = from_stack()) -> float:
        tracker.log_metric("auc", 0.5 + model)
        wait = os.environ.get("WAIT_FOR")
        if wait:
            Path(wait + ".reached").touch()
            while not Path(wait).exists():
                time.sleep(0.02)
        tracker.log_metric("late", 3.0)
        if fail:
            raise ValueError("as asked")
        return model

    @step
    def report(value: float, *, tracker: Tracker = from_stack()) -> str:
        tracker.log_metric("final", value)
        return f"{value}"

    @pipeline
    def tracked(depth: int = 4, fail: bool = False) -> None:
        report(score(train(depth), fail))
"""
LOSSES = [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25), (4, 0.2)]


def client(root: Path, uri: str | None = None) -> MlflowClient:
    """MLflow's client for the project's own database, or for a server."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri or f"sqlite:///{root}/.stackyard/mlflow/mlflow.db")


def runs(mlflow: MlflowClient, run_id: str | None = None) -> list[Run]:
    """All of MLflow's runs, deleted ones too, or those that stand for ``run_id``."""
    from mlflow.entities import ViewType

    experiments = [e.experiment_id for e in mlflow.search_experiments()]
    by_tag = f"tags.`stackyard.run_id` = '{run_id}'" if run_id else ""
    return list(mlflow.search_runs(experiments, by_tag, ViewType.ALL, max_results=1000))


def history(mlflow: MlflowClient, run: Run, key: str) -> list[tuple[int, float]]:
    """A metric's points in order of iterations."""
    return sorted((m.step, m.value) for m in mlflow.get_metric_history(run.info.run_id, key))


def files(mlflow: MlflowClient, run: Run, folder: str | None = None) -> dict[str, str]:
    """Artifacts of a run: path to the digest of the bytes."""
    found = {}
    for entry in mlflow.list_artifacts(run.info.run_id, folder):
        if entry.is_dir:
            found |= files(mlflow, run, entry.path)
        else:
            data = Path(mlflow.download_artifacts(run.info.run_id, entry.path)).read_bytes()
            found[entry.path] = hashlib.sha256(data).hexdigest()
    return found


def dump(mlflow: MlflowClient) -> dict[str, Any]:
    """Everything that MLflow knows of all runs."""
    told = {}
    for run in runs(mlflow):
        metrics = {
            key: sorted(
                (m.step, m.timestamp, m.value)
                for m in mlflow.get_metric_history(run.info.run_id, key)
            )
            for key in run.data.metrics
        }
        told[run.info.run_id] = {
            "info": dict(run.info),
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": metrics,
            "files": files(mlflow, run),
        }
    return told
