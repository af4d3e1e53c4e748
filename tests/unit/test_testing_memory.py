"""The small components in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stackyard.components.monitor import Watch
from stackyard.components.registry import ModelPackage
from stackyard.components.validator import Expectation, Suite
from stackyard.errors import AlreadyExists, NotFound
from stackyard.testing import (
    MemoryDataVersioner,
    MemoryFeatureStore,
    MemoryMonitor,
    MemoryServer,
    MemoryValidator,
)
from stackyard.testing.memory_monitor import ks, psi


def test_features_are_joined_as_they_were_known() -> None:
    """Every row, in order; nulls where nothing was known; nothing from the future."""
    weather = pd.DataFrame(
        {
            "origin": ["JFK", "JFK", "LGA"],
            "timestamp": pd.to_datetime(
                ["2013-01-01 01:00", "2013-01-01 03:00", "2013-01-01 02:00"]
            ),
            "temp": [1.0, 3.0, 2.0],
        }
    )
    store = MemoryFeatureStore(views={"weather": weather}, entities={"weather": ["origin"]})
    rows = pd.DataFrame(
        {
            "origin": ["JFK", "LGA", "EWR", "JFK", "JFK"],
            "at": pd.to_datetime([f"2013-01-01 0{hour}:00" for hour in (4, 1, 5, 0, 1)]),
        },
        index=[9, 7, 5, 3, 1],
    )
    joined = store.historical(rows, ["weather:temp"], timestamp="at")
    assert list(joined.index) == [9, 7, 5, 3, 1]
    assert joined["temp"].fillna(-1).tolist() == [3.0, -1, -1, -1, 1.0]
    assert store.describe()[0].features == ("temp",)
    with pytest.raises(NotFound, match="temp"):
        store.historical(rows, ["weather:wind"], timestamp="at")
    with pytest.raises(NotFound, match="weather"):
        store.historical(rows, ["sea:temp"], timestamp="at")


def test_data_versions(tmp_path: Path) -> None:
    versions = MemoryDataVersioner()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    first = versions.commit(tmp_path / "data", "flights")
    assert versions.commit(tmp_path / "data", "flights") == first
    (tmp_path / "data" / "a.txt").write_text("b")
    second = versions.commit(tmp_path / "data", "flights")
    assert [v.id for v in versions.list("flights")] == [second.id, first.id]
    versions.checkout("flights", first.id, tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "a"
    with pytest.raises(AlreadyExists):
        versions.checkout("flights", first.id, tmp_path / "out")
    with pytest.raises(NotFound, match="none"):
        versions.checkout("planes", first.id, tmp_path / "more")


def test_validator_fails_what_it_is_told_to() -> None:
    frame = pd.DataFrame({"carrier": ["UA"]})
    kind = "expect_column_values_to_not_be_null"
    suite = Suite("s", (Expectation(kind, {"column": "carrier"}),))
    assert MemoryValidator().validate(frame, suite).passed
    assert not MemoryValidator(failing=[kind]).validate(frame, suite).passed


def test_monitor_finds_what_it_is_told_to() -> None:
    frame = pd.DataFrame({"a": range(200), "b": ["x", "y"] * 100})
    watch = Watch(methods={"a": "ks"})
    assert MemoryMonitor().compare(frame, frame, watch).verdict == "not drifted"
    report = MemoryMonitor(drifting=["a", "b"]).compare(frame, frame, watch)
    assert [s.drifted for s in report.of("input")] == [True, True]


def test_monitor_computes_the_index_and_the_test() -> None:
    """By hand, and as scipy does."""
    from scipy.special import kolmogorov
    from scipy.stats import ks_2samp

    random = np.random.default_rng(0)
    now, base = random.normal(0.1, 1, 700), random.normal(0, 1, 900)
    limit = kolmogorov(ks_2samp(now, base).statistic * np.sqrt(700 * 900 / 1600))
    assert ks(now, base) == pytest.approx(limit)
    left, right = pd.Series(["x"] * 60 + ["y"] * 40), pd.Series(["x"] * 50 + ["y"] * 50)
    by_hand = 0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5)
    assert psi(left, right, number=False) == pytest.approx(by_hand)
    deciles = pd.Series(np.arange(1000.0))
    assert psi(deciles, deciles, number=True) == 0
    assert psi(deciles[:500], deciles, number=True) > 1


def test_server_answers_with_a_function() -> None:
    server = MemoryServer(predict=lambda request: {"outputs": request["inputs"]})
    package = ModelPackage("sklearn-skops", "/nowhere", "0" * 64)
    assert server.deploy(package, "delays", "3").traffic == {"3": 100}
    assert server.predict("delays", {"inputs": [1]}) == {"outputs": [1]}
    server.undeploy("delays")
    with pytest.raises(NotFound):
        server.predict("delays", {"inputs": [1]})
