"""What MLflow adds to a run, beside a script that calls MLflow itself.

Both do the same work: fit a small model, log parameters, a curve of 100 points and a file,
evaluate, register the model with its signature. The script gives MLflow the model's requirements,
which spares it the longest part of logging a model: a process that finds them out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measuring import Cost, Row, process
from tests.ports import free_port

TIMES = 5

WORK = """
from sklearn.linear_model import LogisticRegression


def rows():
    import pandas as pd

    return pd.DataFrame({"a": range(200), "b": [n % 7 for n in range(200)]}, dtype="float64")


def fit(rows):
    return LogisticRegression().fit(rows, rows["b"] > 3)


def curve():
    return [1 / (1 + n) for n in range(100)]


def score(model, rows):
    return float(model.score(rows, rows["b"] > 3))
"""

PIPELINE = """
import pandas as pd
from sklearn.linear_model import LogisticRegression
from stackyard import ModelVersion, Registry, Tracker, from_stack, package_model, pipeline, step

import work


@step(cache=True)
def rows() -> pd.DataFrame:
    return work.rows()


@step
def fit(rows: pd.DataFrame, *, tracker: Tracker = from_stack()) -> LogisticRegression:
    tracker.log_params({"depth": 1, "rate": 0.1})
    for n, loss in enumerate(work.curve()):
        tracker.log_metrics({"loss": loss}, step=n)
    return work.fit(rows)


@step
def evaluate(
    model: LogisticRegression, rows: pd.DataFrame, *, tracker: Tracker = from_stack()
) -> float:
    found = work.score(model, rows)
    tracker.log_metrics({"score": found})
    tracker.log_text(f"score: {found}", "report.txt")
    return found


@step(effect=True)
def register(
    model: LogisticRegression, rows: pd.DataFrame, *, registry: Registry = from_stack()
) -> ModelVersion:
    return registry.register("small", package_model(model, example=rows.head(10)))


@pipeline
def tracked() -> None:
    given = rows()
    model = fit(given)
    evaluate(model, given)
    register(model, given)
"""

SCRIPT = """
import sys

sys.path.insert(0, "src")
import mlflow
import work

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("by hand")
with mlflow.start_run():
    rows = work.rows()
    mlflow.log_params({"depth": 1, "rate": 0.1})
    for n, loss in enumerate(work.curve()):
        mlflow.log_metric("loss", loss, step=n)
    model = work.fit(rows)
    found = work.score(model, rows)
    mlflow.log_metric("score", found)
    mlflow.log_text(f"score: {found}", "report.txt")
    example = rows.head(10)
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=mlflow.models.infer_signature(example, model.predict(example)),
        input_example=None,
        pip_requirements=["scikit-learn", "pandas"],
        registered_model_name="by-hand",
    )
"""


def rows() -> list[Row]:
    """The runs with a database file, and with a server on loopback."""
    with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder:
        root = Path(folder).resolve()
        url = f"http://127.0.0.1:{free_port()}"
        project(root, url)
        made = [row("a database file", root, "file", f"sqlite:///{root}/by-hand.db")]
        command(root, "stack", "up", "--stack", "server")
        try:
            made.append(row("a server", root, "server", url))
        finally:
            command(root, "stack", "down", "--stack", "server")
    return made


def row(what: str, root: Path, stack: str, uri: str) -> Row:
    """Take turns, after one round that makes databases and experiments."""
    ways = {
        "ours": [*STACKYARD, "run", "tracked", "--stack", stack, "--no-cache"],
        "by hand": [sys.executable, "by_hand.py", uri],
    }
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for number in range(TIMES + 1):
        for way, words in ways.items():
            cost = process(words, cwd=root)
            if number:
                costs[way].append(cost)
    ours, by_hand = (min(costs[way], key=lambda c: c.wall) for way in ways)
    ratio = ours.wall / by_hand.wall
    return Row(
        f"a tracked run with {what}, beside MLflow by hand",
        f"{ratio:.2f}x: {ours.wall:.2f} and {by_hand.wall:.2f} s wall, "
        f"{ours.cpu:.2f} and {by_hand.cpu:.2f} CPU s",
        "1.15x",
        ratio <= 1.15,
    )


STACKYARD = [sys.executable, "-m", "stackyard.cli.main"]


def command(root: Path, *words: str) -> None:
    """Run a command of ours that must succeed."""
    subprocess.run([*STACKYARD, *words], cwd=root, check=True, capture_output=True)


def project(root: Path, url: str) -> None:
    """The work, the pipeline with two stacks, and the script."""
    for name in ("stacks", "src", "dags"):
        (root / name).mkdir()
    components = {"file": ("", ""), "server": (f", tracking_uri: '{url}'", ", serve: true")}
    for stack, (where, serve) in components.items():
        (root / f"stacks/{stack}.yaml").write_text(
            "components:\n  orchestrator: {flavor: local}\n"
            f"  tracker: {{flavor: mlflow{where}{serve}}}\n"
            f"  registry: {{flavor: mlflow{where}}}\n"
        )
    (root / "src/work.py").write_text(WORK)
    (root / "dags/tracked.py").write_text(PIPELINE)
    (root / "by_hand.py").write_text(SCRIPT)
