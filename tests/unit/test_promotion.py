"""Which model is in use, and how another takes its place: at once, or after a decision."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard import champion, load_model, package_model, promote, promotion
from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage, ModelVersion
from stackyard.errors import NotFound, PromotionRefused, Unavailable
from stackyard.gating.report import GateReport
from stackyard.store.backend import open_backend
from stackyard.store.history import StoreHistory
from stackyard.testing import MemoryRegistry, ReviewedRegistry


@pytest.fixture
def model(tmp_path: Path) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


@pytest.fixture
def history(tmp_path: Path) -> StoreHistory:
    return StoreHistory(open_backend(tmp_path / "store", cache_dir=tmp_path / "cache"), "registry")


def registered(registry: MemoryRegistry, model: Any) -> ModelVersion:
    return registry.register("delays", package_model(model))


def test_a_champion_whose_files_are_gone_is_not_taken_for_none(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate would let a challenger pass without comparing it."""
    registry = MemoryRegistry()
    promote(registered(registry, model), registry=registry)

    def gone(version: ModelVersion) -> ModelPackage:
        raise NotFound("the files are gone")

    monkeypatch.setattr(registry, "fetch", gone)
    with pytest.raises(NotFound, match="gone"):
        champion("delays", registry=registry)


def test_there_is_no_champion_at_first_and_then_there_is(model: Any) -> None:
    registry = MemoryRegistry()
    assert champion("delays", registry=registry) is None
    version = registered(registry, model)
    assert champion("delays", registry=registry) is None
    promoted = promote(version, registry=registry)
    assert promoted.aliases == ("champion",)
    found = champion("delays", registry=registry)
    assert found is not None
    assert found.version == "1"
    assert load_model(found.package).predict([[1.0]]).tolist() == [1]


def test_a_promotion_is_written_down_with_its_evidence(model: Any, history: StoreHistory) -> None:
    context = Context(name="registry", actor="anna", history=history, run="r1", step="promote")
    registry = MemoryRegistry(None, context)
    report = GateReport(
        "auc - auc_champion > 0.01 +/- 0.01", "pass", "", 900, 0.999, 0.04, 0.02, 0.06
    )
    promote(registered(registry, model), because=report, registry=registry)
    later_run = registry.of(replace(context, run="r2"))
    promote(registered(later_run, model), because="by hand", registry=later_run)
    first, second = history.read("delays")
    assert first["why"] == "gate: pass: auc - auc_champion > 0.01 +/- 0.01: 0.04 (0.02 to 0.06)"
    assert (first["before"], first["after"]) == (None, "1")
    assert (second["before"], second["after"], second["why"]) == ("1", "2", "by hand")
    assert (second["actor"], second["run"], second["step"]) == ("anna", "r2", "promote")
    assert first["time"] <= second["time"] <= time.time()
    assert history.names() == ["delays"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "FIRST_PAUSE", 0.02)


@pytest.fixture
def reviewed(model: Any, impatient: None) -> Iterator[tuple[ReviewedRegistry, ModelVersion]]:
    registry = ReviewedRegistry()
    yield registry, registered(registry, model)


def later(call: Any) -> threading.Thread:
    thread = threading.Timer(0.2, call)
    thread.start()
    return thread


def test_a_promotion_waits_for_a_decision(
    reviewed: tuple[ReviewedRegistry, ModelVersion], capsys: pytest.CaptureFixture[str]
) -> None:
    registry, version = reviewed
    thread = later(lambda: registry.decide("1", grant=True))
    assert promote(version, registry=registry).aliases == ("champion",)
    thread.join()
    said = capsys.readouterr().out
    assert "asked for 'champion' of 'delays' at version 1 (request 1); waiting" in said


def test_a_refused_promotion_fails_with_the_reason(
    reviewed: tuple[ReviewedRegistry, ModelVersion],
) -> None:
    registry, version = reviewed
    thread = later(lambda: registry.decide("1", grant=False, reason="not on a Friday"))
    with pytest.raises(PromotionRefused) as caught:
        promote(version, registry=registry)
    thread.join()
    assert str(caught.value) == "'champion' of 'delays' was not given to version 1: not on a Friday"
    assert champion("delays", registry=registry) is None


def test_nobody_decides_and_the_next_try_waits_for_the_same_request(
    reviewed: tuple[ReviewedRegistry, ModelVersion],
) -> None:
    registry, version = reviewed
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"request 1 .* is pending after 0.1 s"):
            promote(version, patience=0.1, registry=registry)
    registry.decide("1", grant=True)
    assert champion("delays", registry=registry) is not None
