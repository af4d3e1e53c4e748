"""A gate: what passes, what does not, what needs more labels; and how often it is right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import binom
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    recall_score,
    roc_auc_score,
)

from stackyard import gate, package_model
from stackyard.errors import GateRefused, InvalidInput
from stackyard.gating import intervals
from stackyard.gating.ask import Question, ask
from stackyard.gating.condition import read_condition
from stackyard.gating.decide import Answers, decide, interval
from stackyard.gating.metrics import METRICS
from stackyard.store.backend import open_backend
from stackyard.store.uses import Use, spend

BETTER = "auc - auc_champion > 0.01 +/- 0.01"


class Score:
    """A model whose probability is the frame's column ``name``."""

    classes_ = np.array([0, 1])

    def __init__(self, name: str) -> None:
        self.feature_names_in_ = [name]

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        p = rows.iloc[:, 0].to_numpy()
        return np.column_stack([1 - p, p])


def frame(rows: int = 4000, seed: int = 0) -> pd.DataFrame:
    """Scores of increasing noise: ``good`` is much better than ``poor``, ``same`` is ``poor``."""
    random = np.random.default_rng(seed)
    late = (random.random(rows) < 0.3).astype(int)

    def score(noise: float) -> Any:
        return 1 / (1 + np.exp(-(2 * late - 1 + random.normal(0, noise, rows))))

    poor = score(3.0)
    return pd.DataFrame(
        {
            "late": late,
            "good": score(1.0),
            "poor": poor,
            "same": np.clip(poor + random.normal(0, 0.02, rows), 0, 1),
            "origin": random.choice(["EWR", "JFK", "LGA"], rows),
        }
    )


def asked(challenger: str, champion: str | None, on: pd.DataFrame, **more: Any) -> Any:
    other = None if champion is None else Score(champion)
    return gate(
        Score(challenger), other, on, more.pop("condition", BETTER), label="late",
        first=more.pop("first", "pass"), **more,
    )  # fmt: skip


def test_metrics_are_those_of_scikit_learn_weighted_or_not() -> None:
    random = np.random.default_rng(1)
    truth = (random.random(500) < 0.3).astype(float)
    given = random.random(500).round(2)  # with ties
    theirs = {
        "accuracy": lambda w: accuracy_score(truth, given >= 0.5, sample_weight=w),
        "precision": lambda w: precision_score(truth, given >= 0.5, sample_weight=w),
        "recall": lambda w: recall_score(truth, given >= 0.5, sample_weight=w),
        "brier": lambda w: brier_score_loss(truth, given, sample_weight=w),
        "log_loss": lambda w: log_loss(truth, given, sample_weight=w),
        "auc": lambda w: roc_auc_score(truth, given, sample_weight=w),
        "mae": lambda w: mean_absolute_error(truth, given, sample_weight=w),
        "rmse": lambda w: math.sqrt(mean_squared_error(truth, given, sample_weight=w)),
    }
    assert set(theirs) == set(METRICS)
    weights = np.vstack([np.ones(500), random.integers(0, 4, (3, 500)).astype(float)])
    for name, metric in METRICS.items():
        expected = [theirs[name](w) for w in weights]
        np.testing.assert_allclose(metric(truth, given, weights), expected, rtol=1e-9)


def test_a_metric_that_a_draw_cannot_tell_has_a_value() -> None:
    truth, given = np.array([1.0, 0.0]), np.array([0.2, 0.1])
    weights = np.array([[2.0, 0.0], [0.0, 2.0]])  # one class each
    assert METRICS["auc"](truth, given, weights).tolist() == [0.5, 0.5]
    assert METRICS["precision"](truth, given, weights).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "text, terms, bound",
    [
        (BETTER, {"auc": 1, "auc_champion": -1}, 0.01),
        ("brier - brier_champion < -0.001 +/- 1e-3", {"brier": -1, "brier_champion": 1}, 0.001),
        ("0.5 * recall + 2*precision > 1 +/- .05", {"recall": 0.5, "precision": 2}, 1),
        ("- log_loss > -0.7 +/- 0.01", {"log_loss": -1}, -0.7),
    ],
)
def test_a_condition_is_a_sum_of_metrics(text: str, terms: dict[str, float], bound: float) -> None:
    condition = read_condition(text, METRICS)
    assert dict(condition.terms) == terms
    assert condition.bound == bound


@pytest.mark.parametrize(
    "text, said",
    [
        ("auc > 0.6", "write it as 'auc - auc_champion > 0.01 +/- 0.01'"),
        ("auc == 0.6 +/- 0.1", "write it as"),
        ("auc auc_champion > 0 +/- 0.1", "'auc_champion': write it as"),
        ("acu > 0.6 +/- 0.1", "there is no metric 'acu'. Metrics: accuracy, precision"),
        ("auc > 0.6 +/- 0", "nothing is known to +/- 0"),
        ("__import__('os') > 0 +/- 1", "write it as"),
    ],
)
def test_a_condition_of_another_form_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_condition(text, METRICS)
    assert said in str(caught.value)


def test_the_sample_size_is_the_published_one() -> None:
    size = intervals.sample_size
    # Renggli et al. 2019: 29K labels for 32 non-adaptive steps, 67K for fully adaptive ones.
    assert size(0.1, 0.01, 32, 0.9999, adaptive=False) // 1000 == 29
    assert size(0.1, 0.01, 32, 0.9999) // 1000 == 67


def test_a_better_model_passes_and_a_worse_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    on = frame()
    found = asked("good", "poor", on)
    assert found.passed
    assert found.report.outcome == "pass"
    assert found.report.low > 0.01
    assert found.report.low < found.report.estimate < found.report.high
    metrics = found.report.metrics
    assert metrics["auc"] == pytest.approx(roc_auc_score(on["late"], on["good"]))
    assert metrics["auc_champion"] == pytest.approx(roc_auc_score(on["late"], on["poor"]))
    said = capsys.readouterr().out
    assert f"gate: pass: {BETTER}" in said
    assert "paired bootstrap on 4,000 rows, reliability 0.999" in said
    worse = asked("poor", "good", on)
    assert not worse.passed
    assert worse.report.outcome == "fail"


def test_few_rows_need_more_labels_and_so_many_are_enough() -> None:
    few = asked("good", "poor", frame(60), uses=1, condition="auc - auc_champion > 0.1 +/- 0.04")
    assert few.report.outcome == "inconclusive"
    assert not few.passed
    assert few.report.reason == f"needs about {few.report.needed:,} more labels"
    enough = frame(60 + few.report.needed, seed=5)
    more = asked("good", "poor", enough, uses=1, condition="auc - auc_champion > 0.1 +/- 0.04")
    half = (more.report.high - more.report.low) / 2
    assert half == pytest.approx(0.04, rel=0.25)
    assert more.report.outcome != "inconclusive"


def test_what_is_known_well_enough_and_not_shown_fails() -> None:
    close = "auc - auc_champion > 0.003 +/- 0.05"
    found = asked("poor", "same", frame(20_000), condition=close)
    assert found.report.low < 0.003 < found.report.high
    assert found.report.outcome == "fail"
    assert "and not shown" in found.report.reason


def test_accuracies_have_an_exact_bound() -> None:
    condition = read_condition("accuracy - accuracy_champion > 0 +/- 0.05", METRICS)
    truth = np.array([1.0] * 100)
    mine, theirs = np.array([1.0] * 90 + [0.0] * 10), np.array([1.0] * 80 + [0.0] * 20)
    found = interval(condition, Answers(truth, mine, theirs), 0.05)
    assert found.method == "exact bound"
    assert found.estimate == pytest.approx(0.1)
    # By definition: the shares at which 10 or more, and 0, of 100 have a probability of 1.25 %.
    least = brentq(lambda p: binom.sf(9, 100, p) - 0.0125, 0.001, 0.1)
    most = brentq(lambda p: binom.cdf(0, 100, p) - 0.0125, 0.001, 0.1)
    assert found.low == pytest.approx(least - most, abs=1e-9)
    assert decide(condition, Answers(truth, mine, theirs), 0.05).outcome == "pass"


@pytest.mark.parametrize("condition", [
    "accuracy - accuracy_champion > 0 +/- 0.0001", "brier_champion - brier > 0 +/- 0.0001",
    "auc - auc_champion > 0 +/- 0.0001",
])  # fmt: skip
def test_no_better_a_model_passes_no_more_often_than_stated(condition: str) -> None:
    asked_ = read_condition(condition, METRICS)
    passed = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        truth = (random.random(300) < 0.4).astype(float)
        one, other = (np.clip(truth * 0.2 + random.random(300) * 0.8, 0, 1) for _ in range(2))
        passed += decide(asked_, Answers(truth, one, other), 0.1).outcome == "pass"
    # One side of 0.9 is 5 %: of 200, 10 are expected and 20 have a probability of 0.1 %.
    assert passed <= 20
    if "accuracy" not in condition:  # whose bound is conservative
        assert passed >= 2


def test_the_first_model_is_what_the_author_said() -> None:
    on = frame()
    passed = asked("poor", None, on, first="pass")
    assert passed.passed
    assert passed.report.reason == "there is no champion yet: first='pass'"
    assert not asked("good", None, on, first="fail").passed
    assert asked("good", None, on, first="auc > 0.6 +/- 0.05").report.outcome == "pass"
    assert asked("good", None, on, first="auc > 0.99 +/- 0.05").report.outcome == "fail"
    with pytest.raises(InvalidInput, match="there is no champion to compare with"):
        asked("good", None, on, first=BETTER)
    with pytest.raises(InvalidInput, match="write it as"):
        asked("good", None, on, first="yes")


def test_a_slice_may_not_get_worse() -> None:
    on = frame(6000)
    here = on["origin"] == "LGA"
    on["mixed"] = np.where(here, 1 - on["good"], on["good"])
    found = asked("mixed", "poor", on, slices=["origin"], margin=0.05)
    verdicts = {part.value: part.verdict for part in found.report.slices}
    assert verdicts == {"EWR": "ok", "JFK": "ok", "LGA": "worse"}
    assert not found.passed
    assert found.report.reason == "worse on origin=LGA"
    fine = asked("good", "poor", on, slices=["origin"], margin=0.05)
    assert fine.passed
    few = asked("good", "poor", on.head(60), slices=["origin"], uses=1)
    assert {part.verdict for part in few.report.slices} == {"too few"}


def test_rows_without_a_value_are_a_slice_too() -> None:
    on = frame(6000)
    on["mixed"] = np.where(on["origin"] == "LGA", 1 - on["good"], on["good"])
    on["origin"] = on["origin"].where(on["origin"] != "LGA")
    found = asked("mixed", "poor", on, slices=["origin"], margin=0.05)
    verdicts = {part.value: part.verdict for part in found.report.slices}
    assert verdicts == {"EWR": "ok", "JFK": "ok", "missing": "worse"}


def test_a_slice_without_positives_tells_no_recall() -> None:
    on = frame(6000)
    on = on[(on["origin"] != "LGA") | (on["late"] == 0)]
    condition = "recall - recall_champion > 0 +/- 0.05"
    found = asked("good", "poor", on, slices=["origin"], condition=condition)
    verdicts = {part.value: part.verdict for part in found.report.slices}
    assert verdicts == {"EWR": "ok", "JFK": "ok", "LGA": "too few"}


def test_packages_and_numbers() -> None:
    from sklearn.linear_model import LinearRegression, LogisticRegression

    on = frame()
    columns = on[["good", "poor"]]
    model = LogisticRegression().fit(columns, on["late"])
    weak = LogisticRegression().fit(columns[["poor"]], on["late"])
    package = package_model(model, example=columns.head())
    assert gate(package, weak, on, BETTER, label="late", first="fail").passed
    line = LinearRegression().fit(columns, on["late"])
    short = LinearRegression().fit(columns[["poor"]], on["late"])
    less = "rmse - rmse_champion < -0.01 +/- 0.01"
    assert gate(line, short, on, less, label="late", first="fail").passed


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda f: f.assign(late=1), "all rows of the test set are of one class"),
        (lambda f: f.head(0), "the test set has no rows"),
        (lambda f: f.assign(late=f["late"].astype(float).mask(f.index < 3)), "null in 3 of 200"),
        (lambda f: f.assign(late=f.index), "has 200 values, and the metric is of two classes"),
        (lambda f: f.drop(columns="late"), "there is no column 'late' with the truth"),
        (lambda f: f.drop(columns="good"), "there is no column 'good'. Columns: late, poor"),
    ],
)
def test_a_test_set_that_tells_nothing_is_refused(change: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked("good", "poor", change(frame(200)))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "more, said",
    [
        ({"slices": ["airport"]}, "slices: there is no column 'airport'"),
        ({"slices": ["origin"], "condition": "auc > 0.5 +/- 0.1"}, "does not name the champion"),
        ({"reliability": 1.0}, "reliability is 1.0"),
        ({"uses": 0}, "uses is 0"),
        ({"condition": "auc - rmse > 0 +/- 1"}, "metrics of classes and of numbers"),
    ],
)
def test_a_question_that_cannot_be_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked("good", "poor", frame(200), **more)
    assert said in str(caught.value)


def test_many_uses_make_wide_bounds_and_no_infinite_ones() -> None:
    on = frame()
    widths = []
    for uses in (1, 100, 1000):
        report = asked("good", "poor", on, uses=uses).report
        widths.append(report.high - report.low)
    assert widths[0] < widths[1] < widths[2] < 2
    with pytest.raises(InvalidInput, match="uses is 1001: a test set has 1 to 1000"):
        asked("good", "poor", on, uses=1001)


def test_a_question_that_cannot_be_answered_spends_nothing() -> None:
    question = Question(BETTER, "late", "pass", 0.999, (), 0.0, 10)
    spent: list[int] = []

    def spend_one() -> None:
        spent.append(1)

    for on in (frame(200).drop(columns="good"), frame(200).assign(late=1), frame(0)):
        with pytest.raises(InvalidInput):
            ask(question, Score("good"), Score("poor"), on, spend_one)
    assert spent == []
    ask(question, Score("good"), Score("poor"), frame(200), spend_one)
    assert spent == [1]


def test_what_first_says_is_checked_while_there_is_a_champion() -> None:
    with pytest.raises(InvalidInput, match="condition 'passs'"):
        asked("good", "poor", frame(200), first="passs")


def test_uses_are_counted_and_the_same_question_is_free(tmp_path: Any) -> None:
    backend = open_backend(tmp_path / "store", cache_dir=tmp_path / "cache")
    digest = "ab" * 32
    assert spend(backend, digest, 2, "k1", "run 1") == Use(1, 2)
    assert spend(backend, digest, 2, "k1", "run 2") == Use(1, 2)
    second = spend(backend, digest, 2, "k2", "run 3")
    assert (second.number, second.left) == (2, 0)
    with pytest.raises(GateRefused, match="all 2 uses of test set abababababab are spent"):
        spend(backend, digest, 2, "k3", "run 4")
    with pytest.raises(InvalidInput, match="was given 2 uses by run 1, not 5"):
        spend(backend, digest, 5, "k3", "run 4")
    assert spend(backend, digest, 2, "k2", "run 5").number == 2
