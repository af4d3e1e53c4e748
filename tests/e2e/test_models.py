"""From a champion to the next: gate, promotion, and the history, with a real MLflow registry."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place

PIPELINE = """
import pandas as pd
from sklearn.linear_model import LogisticRegression

from stackyard import (
    ModelVersion, Registry, champion, from_stack, gate, package_model, pipeline, promote, step, when
)


@step(cache=True)
def rows(seed: int) -> pd.DataFrame:
    import numpy as np

    random = np.random.default_rng(seed)
    late = (random.random(2000) < 0.4).astype("int64")
    return pd.DataFrame({
        "late": late, "x": late + random.normal(0, 1, 2000), "noise": random.normal(0, 1, 2000),
    })


@step
def train(rows: pd.DataFrame, column: str) -> LogisticRegression:
    return LogisticRegression().fit(rows[[column]], rows["late"])


@step(effect=True)
def register(
    model: LogisticRegression, rows: pd.DataFrame, *, registry: Registry = from_stack()
) -> ModelVersion:
    names = list(model.feature_names_in_)
    return registry.register("late", package_model(model, example=rows[names].head()))


@pipeline
def retrain(column: str = "x"):
    learn, test = rows.named("learn")(1), rows.named("test")(2)
    model = train(learn, column)
    version = register(model, learn)
    verdict = gate(
        model, champion("late"), test, "auc - auc_champion > 0.02 +/- 0.02", label="late",
        first="auc > 0.4 +/- 0.1",
    )
    with when(verdict.passed):
        promote(version, because=verdict.report)
"""


@pytest.fixture
def models(place: Place) -> Place:
    place.write("dags/retrain.py", PIPELINE)
    place.write(
        "stacks/local.yaml",
        "components:\n  orchestrator: {flavor: local}\n  registry: {flavor: mlflow}\n",
    )
    return place


def test_a_better_model_takes_the_champions_place(models: Place) -> None:
    assert models.steps("retrain", "--param", "column=noise")["promote"] == "succeeded"
    assert models.steps("retrain", "--param", "column=x")["promote"] == "succeeded"
    assert models.steps("retrain", "--param", "column=noise")["promote"] == "skipped"

    listed = models.json("model", "list", "late")["versions"]
    assert [(v["version"], v["aliases"]) for v in listed] == [
        ("3", []), ("2", ["champion"]), ("1", []),
    ]  # fmt: skip
    changes = models.json("model", "history", "late")["changes"]
    assert [(c["before"], c["after"]) for c in changes] == [(None, "1"), ("1", "2")]
    assert changes[0]["why"].startswith("gate: pass: auc > 0.4 +/- 0.1: 0.")
    assert changes[1]["why"].startswith("gate: pass: auc - auc_champion > 0.02 +/- 0.02: 0.")
    runs = [r["run_id"] for r in models.json("runs", "list")["runs"]]
    assert [c["run"] for c in changes] == [runs[2], runs[1]]

    said = models.run("model", "promote", "late", "1", "--why", "2 answers too slowly").stdout
    assert said == "champion of late: 2 -> 1\n"
    last = models.json("model", "history", "late")["changes"][-1]
    assert (last["before"], last["after"], last["run"]) == ("2", "1", None)
    assert last["why"] == "2 answers too slowly"
    table = models.run("model", "history", "late").stdout
    assert "by hand" in table
    assert "2 answers too slowly" in table


def test_what_is_not_there_is_told(models: Place) -> None:
    done = models.run("model", "history", "late", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no alias of a model 'late' was changed here. Models: none" in done.stderr
    done = models.run("model", "promote", "late", "1", "--why", "x", check=False)
    assert done.returncode == 2
    assert "there is no model 'late'" in done.stderr
    assert models.run("model", "list").stderr == "no model is registered here yet\n"
    done = models.run("model", "list", "--component", "tracker", check=False)
    assert done.returncode == 2
    assert "--component tracker: is no registry. Write registry.NAME" in done.stderr
    for words in (("model", "promote", "late", "1"), ("model", "history")):
        done = models.run(*words, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
