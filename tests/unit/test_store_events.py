"""Which events wait for whom: each is answered once, and none is lost or comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackyard.store import events
from stackyard.store.backend import Backend, open_backend
from stackyard.store.events import Event
from stackyard.store.records import new_run_id, run_key


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return open_backend(tmp_path / "store", cache_dir=tmp_path / "cache")


def waiting(backend: Backend, pipeline: str = "retrain") -> list[str]:
    return [event.id for event in events.waiting(backend, "moved", pipeline)]


def test_an_event_waits_for_each_pipeline_until_a_run_says_that_it_answers(
    backend: Backend,
) -> None:
    first, second = (events.put(backend, Event("moved", {"n": n})) for n in (1, 2))
    assert waiting(backend) == [first.id, second.id]
    assert events.answer(backend, first, "retrain", new_run_id())
    assert not events.answer(backend, first, "retrain", new_run_id())  # another was faster
    assert waiting(backend) == [second.id]
    assert waiting(backend, "audit") == [first.id, second.id]
    assert second.given(["n", "other"]) == {"n": 2}


def test_an_answer_that_never_began_is_taken_over(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = events.put(backend, Event("moved"))
    assert events.answer(backend, event, "retrain", new_run_id())
    monkeypatch.setattr(events, "BEGINNING", -1.0)
    assert waiting(backend) == [event.id]
    second = new_run_id()
    assert events.answer(backend, event, "retrain", second)
    backend.put_if_absent(run_key(second), b"{}")
    assert waiting(backend) == []
    assert not events.answer(backend, event, "retrain", new_run_id())


def test_an_event_does_not_come_back_when_the_run_that_answered_it_is_deleted(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = events.put(backend, Event("moved"))
    run = new_run_id()
    assert events.answer(backend, event, "retrain", run)
    events.begun(backend, event, "retrain")
    monkeypatch.setattr(events, "BEGINNING", -1.0)  # and the run has no record any more
    assert waiting(backend) == []
