"""What happened that pipelines wait for, and which runs answered it.

events/<name>/<nanoseconds in 20 digits>-<hex>.json           written once, when it happened
answers/<name>/<pipeline>/<event>/<n>                         the n-th run that was to answer it
answers/<name>/<pipeline>/<event>/begun                       empty: that run has begun
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from stackyard.store.records import run_key, run_time

if TYPE_CHECKING:
    from stackyard.store.backend import Backend

BEGINNING = 300.0  # seconds that a run may take to write its record
BEGUN = "begun"


@dataclass(frozen=True)
class Event:
    """Something that happened, with what the pipelines that wait for it are to know.

    Attributes:
        name: of the event, e.g. ``flights.drifted``.
        params: parameters for the pipelines that wait for it, plain data.
        why: one line for people.
        run, step: that told it.
        time: seconds since the epoch.
        id: begins with the time, so that ids sort by it.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    run: str = ""
    step: str = ""
    time: float = 0.0
    id: str = ""

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Its parameters among ``names``: who waits takes what it knows."""
        return {name: self.params[name] for name in names if name in self.params}


@dataclass(frozen=True)
class TriggerDecision:
    """Whether an event was told, and why; written into the record of the step that decided."""

    event: str
    told: bool
    reason: str


def put(backend: Backend, event: Event) -> Event:
    """Write an event down; returns it with its time and id."""
    now = time.time_ns()
    made = Event(
        event.name, event.params, event.why, event.run, event.step, now / 1e9,
        f"{now:020}-{os.urandom(4).hex()}",
    )  # fmt: skip
    backend.put_if_absent(f"events/{made.name}/{made.id}.json", json.dumps(asdict(made)).encode())
    return made


def happened(backend: Backend, name: str) -> list[Event]:
    """All events of a name, oldest first."""
    found = backend.get_many(backend.list(f"events/{name}/"))
    return [Event(**json.loads(data)) for _, data in sorted(found.items())]


def waiting(backend: Backend, name: str, pipeline: str) -> list[Event]:
    """The events that no run of ``pipeline`` has answered, oldest first.

    A run that was to answer and has not begun minutes later never will: its event waits again.
    """
    answers = _answers(backend, name, pipeline)
    return [event for event in happened(backend, name) if not _answered(backend, answers, event)]


def answer(backend: Backend, event: Event, pipeline: str, run_id: str) -> bool:
    """Say that a run will answer an event; False where another one does."""
    answers = _answers(backend, event.name, pipeline)
    if _answered(backend, answers, event):
        return False
    number = len(answers.get(event.id, {})) + 1
    key = f"answers/{event.name}/{pipeline}/{event.id}/{number:06}"
    return backend.put_if_absent(key, run_id.encode())


def begun(backend: Backend, event: Event, pipeline: str) -> None:
    """Note that the run which answers an event has begun; it stays so when the run is deleted."""
    backend.put_if_absent(f"answers/{event.name}/{pipeline}/{event.id}/{BEGUN}", b"")


def _answers(backend: Backend, name: str, pipeline: str) -> dict[str, dict[str, str]]:
    """What is known of answers: by event, the run of each number, and whether one has begun."""
    found: dict[str, dict[str, str]] = {}
    for key, data in backend.get_many(backend.list(f"answers/{name}/{pipeline}/")).items():
        event, _, what = key.removeprefix(f"answers/{name}/{pipeline}/").partition("/")
        found.setdefault(event, {})[what] = data.decode()
    return found


def _answered(backend: Backend, answers: Mapping[str, Mapping[str, str]], event: Event) -> bool:
    known = answers.get(event.id)
    if not known or BEGUN in known:
        return bool(known)
    run = known[max(known)]
    return time.time() - run_time(run) < BEGINNING or backend.exists(run_key(run))
