"""A gate in a run: the branch that it opens, its record, and the uses of its test set."""

from __future__ import annotations

from tests.e2e.background import shown
from tests.e2e.conftest import Place

PIPELINE = """
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from stackyard import gate, otherwise, pipeline, step, when


@step(cache=True)
def rows(seed: int, number: int) -> pd.DataFrame:
    import numpy as np

    random = np.random.default_rng(seed)
    late = (random.random(number) < 0.4).astype("int64")
    return pd.DataFrame({
        "late": late, "x": late + random.normal(0, 1, number), "noise": random.normal(0, 1, number),
    })


@step
def train(rows: pd.DataFrame, columns: list[str]) -> LogisticRegression:
    return LogisticRegression().fit(rows[columns], rows["late"])


@step
def promote() -> str:
    return "promoted"


@step
def report() -> str:
    return "reported"


@pipeline
def gated(columns: list[str] = ["x"], seed: int = 1):
    learn, test = rows.named("learn")(seed, 500), rows.named("test")(0, 3000)
    champion = train.named("champion")(learn, ["noise"])
    model = train(learn, columns)
    verdict = gate(
        model, champion, test, "auc - auc_champion > 0.05 +/- 0.02", label="late", first="pass",
        uses=2,
    )
    with when(verdict.passed):
        promote()
    with otherwise():
        report()
"""


def test_a_gate_opens_a_branch_and_its_test_set_wears_out(place: Place) -> None:
    place.write("dags/gated.py", PIPELINE)
    first = place.json("run", "gated")
    statuses = {s["name"]: s["status"] for s in first["steps"]}
    assert (statuses["promote"], statuses["report"]) == ("succeeded", "skipped")
    (found,) = [e for e in shown(place)["evidence"] if e["kind"] == "gate"]
    assert found["value"] == "pass"
    assert found["text"].startswith("auc - auc_champion > 0.05 +/- 0.02: 0.")

    again = place.steps("gated", "--no-cache")  # the same question costs nothing
    assert again["promote"] == "succeeded"
    other = place.steps("gated", "--param", "seed=2", "--param", 'columns=["noise"]')
    assert (other["promote"], other["report"]) == ("skipped", "succeeded")

    spent = place.run("run", "gated", "--param", "seed=3", check=False)
    assert spent.returncode == 1
    assert "all 2 uses of test set" in spent.stderr
    assert "Take a new test set" in spent.stderr
    assert "Traceback" not in spent.stderr
    assert place.steps("gated")["promote"] == "succeeded"  # what was answered stays known
