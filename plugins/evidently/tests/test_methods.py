"""The table of methods is the tool's own, and the usual one alarms as rarely as it says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.monitor import Column, Watch
from stackyard.errors import InvalidInput
from stackyard_evidently.config import EvidentlyConfig
from stackyard_evidently.methods import BOTH, METHODS, chosen, register
from stackyard_evidently.monitor import EvidentlyMonitor
from stackyard_evidently.quiet import quiet

WORDS = {"num": "number", "cat": "category"}


def monitor() -> EvidentlyMonitor:
    return EvidentlyMonitor(EvidentlyConfig(), Context())


def registered() -> dict[str, object]:
    """What the tool has registered: by name, its kinds of columns."""
    with quiet():
        register()
        from evidently.legacy.calculations.stattests import registry

        return dict(registry._registered_stat_tests)


def test_the_table_is_the_tools() -> None:
    """Names, kinds and thresholds; methods for texts are not offered."""
    found = {}
    for name, by_kind in registered().items():
        kinds = {WORDS[k.value]: test for k, test in by_kind.items() if k.value in WORDS}  # type: ignore[attr-defined]
        if kinds:
            found[name] = (set(kinds), next(iter(kinds.values())).default_threshold)
    assert {m.name: (set(m.kinds), m.threshold) for m in METHODS} == found


def columns(shift: float = 0.0, rows: int = 120, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    late = random.random(rows) < 0.5 + shift / 4
    return pd.DataFrame({"number": random.normal(shift, 1, rows), "category": late.astype(str)})


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_a_verdict_is_the_tools_own(method, shift: float) -> None:  # type: ignore[no-untyped-def]
    """The direction of each method, on columns that moved and on columns that did not."""
    now, base = columns(shift, seed=1), columns(seed=2)
    for kind in method.kinds:
        watch = Watch(inputs=(kind,), methods={kind: method.name})
        (score,) = monitor().compare(now, base, watch).of("input")
        test = {WORDS[k.value]: (k, t) for k, t in registered()[method.name].items()}[kind]  # type: ignore[attr-defined]
        with quiet():
            try:
                own = test[1](base[kind], now[kind], test[0], None)
            except ValueError as exc:
                assert score.not_computed.startswith(f"{method.name}: {str(exc)[:60]}")
                continue
        assert (score.score, score.drifted) == (pytest.approx(own.drift_score), own.drifted)


def test_the_same_rows_have_the_same_score() -> None:
    """Though permutation tests draw: their result would be of no use to a cache."""
    found = set()
    for seed in (1, 2, 3):
        np.random.seed(seed)
        watch = Watch(inputs=("number",), methods={"number": "empirical_mmd"})
        (score,) = monitor().compare(columns(0.3, seed=1), columns(seed=2), watch).of("input")
        found.add(score.score)
    assert len(found) == 1


def test_what_a_method_cannot_compare_stops_no_other() -> None:
    """Fisher's test is of two categories; the tool fails the whole report."""
    random = np.random.default_rng(0)
    frame = columns().assign(three=random.choice(list("abc"), 120))
    watch = Watch(methods={"three": "fisher_exact"})
    scores = {s.column: s for s in monitor().compare(frame, frame, watch).of("input")}
    assert scores["three"].not_computed.startswith("fisher_exact: ")
    assert scores["three"].watched
    assert scores["number"].drifted is False
    with pytest.raises(InvalidInput, match="Did you mean 'wasserstein'"):
        monitor().compare(frame, frame, Watch(number="waserstein"))
    (score,) = (
        monitor()
        .compare(frame, frame, Watch(inputs=("three",), methods={"three": "ks"}))
        .of("input")
    )
    assert score.not_computed == "method 'ks' is for numbers, and these are categories"


@pytest.mark.parametrize(
    ("rows", "levels", "number", "category"),
    [
        ((5000, 5000), 16, "wasserstein", "jensenshannon"),
        ((5000, 300), 3, "ks", "jensenshannon"),
        ((300, 5000), 20, "ks", BOTH),
        ((5000, 5000), 90, "wasserstein", BOTH),
    ],
)
def test_the_usual_method_goes_by_the_smaller_side(
    rows: tuple[int, int], levels: int, number: str, category: str
) -> None:
    sides = [pd.DataFrame({"n": range(n), "c": [str(i % levels) for i in range(n)]}) for n in rows]
    for name, kind, wanted in (("n", "number", number), ("c", "category", category)):
        column = Column(name, kind)  # type: ignore[arg-type]
        assert chosen(column, sides[0][name], sides[1][name]) == wanted


@pytest.mark.parametrize(("rows", "levels"), [(120, 2), (200, 16), (999, 30), (3000, 90)])
def test_samples_of_the_same_alarm_no_more_than_said(rows: int, levels: int) -> None:
    """Of 300 pairs of samples 5 % may; with the tool's own choice most do: 82 % of 16 levels.

    29 of 300 is beyond a binomial of 5 % with a chance below 0.1 %.
    """
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(levels, 2.0))
    names = np.array([f"level {n}" for n in range(levels)])
    tests = registered()
    alarms = 0
    for _ in range(300):
        now, base = (pd.Series(random.choice(names, rows, p=shares)) for _ in "ab")
        name = chosen(Column("c", "category"), now, base)
        with quiet():
            ((kind, test),) = [(k, t) for k, t in tests[name].items() if k.value == "cat"]  # type: ignore[attr-defined]
            alarms += bool(test(base, now, kind, None).drifted)
    assert alarms < 29


@pytest.mark.parametrize(
    "rows", [(1000, 1000), (1500, 1500), (1000, 10_000), (5000, 5000)], ids=str
)
@pytest.mark.parametrize("spread", ["normal", "uniform", "exponential", "lognormal", "pareto"])
def test_samples_of_the_same_numbers_alarm_no_more_than_said(
    rows: tuple[int, int], spread: str
) -> None:
    """Of 100 pairs 5 % may; by the distance alone 19 % of heavy tails do at 1,000 rows.

    13 of 100 is beyond a binomial of 5 % with a chance below 0.2 %.
    """
    draw = {"lognormal": (0, 2), "pareto": (1.5,)}
    random = np.random.default_rng(0)
    tests = registered()
    alarms = 0
    for _ in range(100):
        sides = (getattr(random, spread)(*draw.get(spread, ()), size=n) for n in rows)
        now, base = (pd.Series(side) for side in sides)
        name = chosen(Column("n", "number"), now, base)
        ((kind, test),) = tests[name].items()  # type: ignore[attr-defined]
        with quiet():
            alarms += bool(test(base, now, kind, None).drifted)
    assert alarms < 13


def test_drift_of_small_numbers_is_seen() -> None:
    """The tool takes 0.001 for any standard deviation that is less."""
    random = np.random.default_rng(0)
    base = pd.DataFrame({"n": random.normal(0, 1e-5, 3000), "same": 1.0})
    now = pd.DataFrame({"n": random.normal(9e-5, 1e-5, 3000), "same": 1.0 + 5e-5})
    scores = monitor().compare(now, base).of("input")
    assert [(s.method, s.drifted) for s in scores] == [("ks", True), ("ks", True)]
    near = monitor().compare(now, base, Watch(number="wasserstein"))
    assert all("standard deviation is below 0.001" in s.not_computed for s in near.of("input"))
    assert near.verdict == "cannot tell"


def test_two_samples_are_compared_as_scipy_does() -> None:
    """Without rare categories, which are one."""
    from scipy.stats import chi2_contingency

    base = pd.Series(["a"] * 60 + ["b"] * 40 + ["r1", "r2", "r3"] * 3)
    now = pd.Series(["a"] * 50 + ["b"] * 50 + ["r4"] * 8)
    with quiet():
        found = monitor().drift(
            now.to_frame("c"), base.to_frame("c"), [Column("c", "category", BOTH)], {}
        )
    table = [[60, 50], [40, 50], [9, 8]]
    assert found["c"] == (BOTH, pytest.approx(chi2_contingency(table, correction=False).pvalue))
