"""The flights' monitor: what it holds a model's answers against, and whose answers it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stackyard import ModelVersion, canary, deploy, package_model
from stackyard.components.base import Context
from stackyard.testing import MemoryRegistry, MemoryServer

ROOT = Path(__file__).parents[2]


def flights(rows: int) -> pd.DataFrame:
    """Rows as the flights' model sees them."""
    from flight_delays import CATEGORIES, NUMBERS

    random = np.random.default_rng(0)
    numbers = {name: random.normal(size=rows) for name in NUMBERS}
    return pd.DataFrame({**numbers, **dict.fromkeys(CATEGORIES, "x")}).assign(late=False)


def version(registry: MemoryRegistry, late: float) -> ModelVersion:
    """A registered model to which each flight is late with that probability."""
    from flight_delays import CATEGORIES, NUMBERS
    from sklearn.dummy import DummyClassifier

    rows = flights(100)[NUMBERS + CATEGORIES]
    model = DummyClassifier().fit(rows, np.arange(100) < 100 * late)
    return registry.register("flight_delays", package_model(model, example=rows.head()))


def test_answers_of_rows_that_were_learned_from_are_not_held_against(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "dags"))
    from flight_delays import Features
    from flight_monitor import CHANCE, usual

    registry = MemoryRegistry()  # which holds the package as long as it lives
    made = version(registry, 0.3)
    found = usual(made, Features(train=flights(30), test=flights(10)))
    assert len(found) == 40
    assert found[CHANCE].isna().tolist() == [True] * 30 + [False] * 10
    assert set(found[CHANCE].dropna()) == {0.3}
    assert "late" not in found


def test_answers_of_a_canary_are_not_those_of_the_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "dags"))
    from flight_monitor import CHANCE, served

    registry = MemoryRegistry()
    server = MemoryServer(None, Context(name="server", state_dir=tmp_path))
    made = [version(registry, late) for late in (0.3, 0.8)]
    for one in made:
        deploy(one, "flight-delays", registry=registry, server=server)
    canary(made[1], 50, "flight-delays", server=server)
    found = served(made[0], flights(400), server=server)
    assert 0 < len(found) < 400
    assert set(found[CHANCE]) == {0.3}
