"""What data a comparison survives, and what it says of data that it cannot compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from stackyard.components.monitor import Figure, Method, Watch
from stackyard.errors import InvalidInput, StoreError
from stackyard.testing import MemoryMonitor
from stackyard.testing.monitor import MonitorContract

ROWS = 500
ANSWERS = Watch(predictions=("p",), label="y")


def frame(seed: int = 0, **more: Any) -> pd.DataFrame:
    """A column of numbers, and others."""
    return pd.DataFrame({"ok": np.random.default_rng(seed).random(ROWS), **more})


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pd.Series([[1]] * ROWS, dtype=pd.ArrowDtype(pa.list_(pa.int64()))), "type list"),
        (pd.Series([{"a": 1}] * ROWS, dtype=pd.ArrowDtype(pa.struct([("a", pa.int64())]))), "dict"),
        (np.full(ROWS, -1.79e308), "no values"),
        (np.where(np.arange(ROWS) % 2, 1.79e308, 1.0), ""),
    ],
    ids=["list", "struct", "huge", "partly huge"],
)
def test_an_odd_column_stops_no_other(column: Any, said: str) -> None:
    both = frame(odd=column)
    scores = {s.column: s for s in MemoryMonitor().compare(both, both).of("input")}
    assert scores["ok"].drifted is False
    assert said in scores["odd"].not_computed
    assert bool(said) == bool(scores["odd"].not_computed)


def test_a_level_of_the_index_that_nobody_named_is_not_refused() -> None:
    named = frame().set_index(pd.Index(["2020-01-01"] * ROWS, name="time"))
    report = MemoryMonitor().compare(named, named)
    assert (report.verdict, report.current.since) == ("not drifted", "")


def test_a_time_that_is_none_is_told_before_anything_is_computed() -> None:
    class Computes(MemoryMonitor):
        def drift(self, *_: Any) -> Any:
            raise AssertionError("it was computed")

    both = frame(at="2020-01-01")
    with pytest.raises(InvalidInput, match=r"'at' holds no times but .* in current.*share"):
        Computes().compare(both, both, Watch(time="at", share=-1))


def test_what_a_monitor_cannot_compute_stops_nothing_else() -> None:
    """Whatever its tool raises; an error of ours is for whoever runs the step."""

    class Fails(MemoryMonitor):
        error: Exception = IndexError("index 0 is\nout of bounds")

        def quality(self, *_: Any) -> Sequence[Figure]:
            raise self.error

        def performance(self, *_: Any) -> Sequence[Figure]:
            raise self.error

    random = np.random.default_rng(0)
    both = frame(p=random.random(ROWS), y=random.integers(0, 2, ROWS))
    monitor = Fails()
    report = monitor.compare(both, both, ANSWERS)
    assert report.verdict == "not drifted"
    said = [s.not_computed for s in report.of("quality", "performance")]
    assert said == ["IndexError: index 0 is out of bounds"] * 2
    monitor.error = StoreError("it is away")
    with pytest.raises(StoreError):
        monitor.compare(both, both, ANSWERS)


def performance(current: pd.DataFrame, reference: pd.DataFrame) -> dict[str, str]:
    """Why each figure was not computed, or nothing."""
    scores = MemoryMonitor().compare(current, reference, ANSWERS).of("performance")
    return {s.method: s.not_computed for s in scores}


@pytest.mark.parametrize("kind", ["bool", "boolean", "object", "bool[pyarrow]"])
def test_false_and_true_are_0_and_1(kind: str) -> None:
    random = np.random.default_rng(0)
    late = random.random(ROWS) < 0.3
    chance, sure = random.random(ROWS), late.astype("int64")
    truth = pd.Series(late).astype(kind)
    both = {"auc": "", "log_loss": ""}
    assert performance(frame(p=chance, y=truth), frame(p=chance, y=sure)) == both
    assert performance(frame(p=sure, y=truth), frame(p=sure, y=truth)) == {"accuracy": ""}


def test_labels_that_tell_nothing_say_why() -> None:
    random = np.random.default_rng(0)
    number = random.normal(5, 1, ROWS)
    varied = frame(p=number, y=number)
    for label, said in (
        (0.0, "labels of one value only in current"),
        ("yes", "'y': numbers in the reference, categories in current"),
    ):
        assert performance(frame(p=number, y=label), varied) == {"": said}
    classes = frame(p=random.integers(0, 2, ROWS), y=0)
    assert performance(classes, classes) == {"": "labels of one value only in current"}


def test_what_looks_like_an_identifier_has_a_value_for_nearly_each_row() -> None:
    random = np.random.default_rng(0)

    def made(first: int, zips: int) -> pd.DataFrame:
        places = random.choice([f"z{n}" for n in range(60)][:zips], ROWS)
        return frame(
            zip=places,
            order=random.permutation(10 * ROWS)[:ROWS] + first,
            key=[f"k{n}" for n in range(first, first + ROWS)],
            cents=random.integers(0, 800, ROWS),
        )

    base, now = made(0, 60), made(10 * ROWS, 1)
    report = MemoryMonitor().compare(now, base)
    scores = {s.column: s for s in report.of("input")}
    assert {c: s.watched for c, s in scores.items()} == {
        "ok": True, "zip": True, "order": False, "key": False, "cents": True,
    }  # fmt: skip
    assert scores["zip"].drifted
    said = scores["order"].not_computed
    assert said.startswith("like an identifier: 500 values in 500 rows") and "ignore" in said


def test_a_threshold_is_of_a_method_that_is_known() -> None:
    both = frame(psi=1.0)
    for watch, said in (
        (Watch(thresholds={"ok": 0.01}), "say in methods by which method 'ok' is compared"),
        (Watch(thresholds={"psi": 9.0}), "'psi' is a column and a method"),
    ):
        with pytest.raises(InvalidInput, match=said):
            MemoryMonitor().compare(both, both, watch)
    for watch in (
        Watch(thresholds={"ok": 0.01}, methods={"ok": "ks"}),
        Watch(thresholds={"ok": 0.01}, number="ks", category="psi"),
    ):
        scores = MemoryMonitor().compare(both, both, watch).of("input")
        assert {s.column: s.threshold for s in scores}["ok"] == 0.01


class Contract(MonitorContract):
    """Of which single guarantees are asked."""

    def connect(self, context: Any) -> Any:
        raise NotImplementedError

    __test__ = False


class Mute(MemoryMonitor):
    """Scores nothing."""

    def drift(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> Any:
        return {column.name: "no" for column in columns}


class Calm(MemoryMonitor):
    """Never sees drift."""

    def drift(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> Any:
        return {c.name: (c.method or "psi", float(c.method == "ks")) for c in columns}


class Separate(MemoryMonitor):
    """Has no method for both kinds."""

    def methods(self) -> Sequence[Method]:
        psi, ks = super().methods()
        return (ks, replace(psi, kinds=("category",)))


@pytest.mark.parametrize("broken", [Mute, Calm])
def test_the_contract_asks_for_drift(broken: type[MemoryMonitor]) -> None:
    with pytest.raises(AssertionError):
        Contract().test_02_the_same_rows_have_not_drifted(broken())


def test_the_contract_demands_no_method_of_both_kinds() -> None:
    assert all(len(method.kinds) == 1 for method in Separate().methods())
    Contract().test_02_the_same_rows_have_not_drifted(Separate())
    Contract().test_03_methods_and_thresholds_are_those_of_the_watch(Separate())
