"""The runs that an orchestrator's contract looks at: their pipelines, made once for a class."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from stackyard import params
from stackyard.components.base import Context
from stackyard.components.orchestrator import (
    Orchestrator,
    PipelineSettings,
    RunOutcome,
    RunRequest,
    StepEvent,
    Watch,
)
from stackyard.importing import use_roots
from stackyard.project import find_project
from stackyard.stack import open_stack
from stackyard.store.records import AttemptRecord, new_run_id
from stackyard.store.store import Store
from stackyard.testing.manners import until

STACK = "contract"
FILE = "dags/contract_pipelines.py"
REASON, ACTOR = "conformance", 'Zoë \'the "tester"'
PIPELINES = Path(__file__).with_name("orchestrator_pipelines.py").read_text(encoding="utf-8")
HOSTILE = [
    "",
    " two  blanks ",
    "größe, 数値, 🛫, \u202eabc",
    "line\nline\r\n\ttab\x01\x7f",
    "'single' \"double\" \\back\\ `id` $(id) $HOME ${HOME} %s %(x)s %PATH%",
    "{{ 7*7 }} {% raw %} {# no #} {x!r} <b>&amp;</b>",
    "../../etc/passwd; rm -rf / | true && false #",
    '{"json": [1, null]}',
    "-1",
    "null",
    "x" * 20_000,
]
SMALL = {"texts": HOSTILE, "share": 0.1 + 0.2, "count": 2**53 + 1}
STILL = 1.0  # seconds without a sign of life


@dataclass(frozen=True)
class Made:
    """A run that was made: what was asked, how it ended, what was told, and the records."""

    request: RunRequest
    outcome: RunOutcome
    events: tuple[StepEvent, ...]
    store: Store

    @property
    def attempts(self) -> dict[str, list[AttemptRecord]]:
        """The records of each step's attempts, by number."""
        found: dict[str, list[AttemptRecord]] = {}
        for record in self.store.records.attempts(self.request.run_id):
            found.setdefault(record.step, []).append(record)
        return {name: sorted(made, key=lambda a: a.attempt) for name, made in found.items()}

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each step's last attempt."""
        return {name: made[-1].status for name, made in self.attempts.items()}

    def told(self, step: str) -> list[StepEvent]:
        """What ``watch`` was told of a step."""
        return [event for event in self.events if event.step == step]

    def output(self, step: str) -> Any:
        """What a step gave."""
        return self.store.artifacts.load(self.attempts[step][-1].outputs["result"])


def make_project(root: Path) -> None:
    """Write the project: its pipelines, and the folder of its stacks."""
    for folder in ("stacks", "notes", Path(FILE).parent):
        (root / folder).mkdir(parents=True)
    (root / FILE).write_text(PIPELINES, encoding="utf-8")


def ask_for(
    component: Orchestrator, pipeline: str, given: Mapping[str, Any], **asked: Any
) -> tuple[RunRequest, PipelineSettings, Store]:
    """A request as ``stackyard run`` makes it."""
    project = find_project(component.context.project)
    use_roots(())  # what was changed is imported again
    stack = open_stack(project, STACK)
    graph, settings = stack.profile.apply(project.load(pipeline).graph())
    files = {}
    if "compile" in component.capabilities:
        files = dict(component.compile(graph, settings, STACK))
    store = stack.store()
    request = RunRequest(
        run_id=new_run_id(),
        graph=graph,
        stack=STACK,
        project=project.root,
        store=store.url,
        params=params.resolve(graph, given),
        files=files,
        reason=REASON,
        actor=ACTOR,
        **asked,
    )
    return request, settings, store


def make(component: Orchestrator, pipeline: str, given: Mapping[str, Any], **asked: Any) -> Made:
    """Make a run and return when it has ended."""
    request, settings, store = ask_for(component, pipeline, given, **asked)
    events: list[StepEvent] = []
    watch: Watch = events.append
    outcome = component.run(request, settings, watch)
    return Made(request, outcome, tuple(events), store)


class Runs:
    """The runs of one test class, each made when it is first asked for."""

    connect: Callable[[Context], Orchestrator]

    def __init__(self, context: Context) -> None:
        self.context = context
        self.notes = context.project / "notes"

    def make(self, pipeline: str, given: Mapping[str, Any] | None = None, **asked: Any) -> Made:
        """A run with a component of its own."""
        component = self.connect(self.context)
        try:
            return make(component, pipeline, {**(given or {}), "notes": str(self.notes)}, **asked)
        finally:
            component.close()

    @cached_property
    def small(self) -> Made:
        """Three steps in a row: one that may be reused, one, and an effect."""
        return self.make("contract_small", SMALL)

    @cached_property
    def uncached(self) -> Made:
        """The same without the cache."""
        _ = self.small
        return self.make("contract_small", SMALL, cache=False)

    @cached_property
    def changed(self) -> Made:
        """The same after the second step was changed."""
        _ = self.small
        file = self.context.project / FILE
        file.write_text(PIPELINES.replace('"first"', '"second"'), encoding="utf-8")
        try:
            return self.make("contract_small", SMALL)
        finally:
            file.write_text(PIPELINES, encoding="utf-8")

    @cached_property
    def alone(self) -> Made:
        """Its second step alone, which gives something else each time."""
        previous = self.small.request.run_id
        return self.make("contract_small", SMALL, only="two", resume=previous)

    @cached_property
    def shapes(self) -> Made:
        """Branches, an order without data, and a step that succeeds at its third try."""
        return self.make("contract_shapes")

    @cached_property
    def broken(self) -> Made:
        """Two steps fail, others do not."""
        return self.make("contract_broken")

    @cached_property
    def mended(self) -> Made:
        """It resumes ``broken``, and nothing fails any more."""
        return self._mended(self.broken)

    @cached_property
    def late(self) -> Made:
        """A step takes longer than it may."""
        return self.make("contract_late")

    @cached_property
    def stopped(self) -> Made:
        """Stopped by hand when its second step is under way."""
        pulse, ended = self.notes / "long-pulse", threading.Event()

        def press() -> None:  # Ctrl-C; the main thread makes the run
            until(lambda: pulse.exists() or ended.is_set(), 120.0)
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored
        pressing = threading.Thread(target=press)
        pressing.start()
        try:
            return self.make("contract_stopped")
        except KeyboardInterrupt:  # it would end the whole session
            pytest.fail("'run' lets KeyboardInterrupt through: the outcome is 'cancelled'")
        finally:
            ended.set()
            pressing.join()
            signal.signal(signal.SIGINT, before)

    @cached_property
    def continued(self) -> Made:
        """It resumes ``stopped``."""
        return self._mended(self.stopped)

    def await_stillness(self, pulse: str) -> None:
        """Wait until the step that was stopped gives no sign of life any more."""
        component = self.connect(self.context)
        component.close()
        seconds = 30.0 if "remote" in component.capabilities else 3.0
        file = self.notes / pulse
        until(lambda: not file.exists() or time.time() - file.stat().st_mtime > STILL, seconds)

    def _mended(self, earlier: Made) -> Made:
        flag = self.notes / "mended"
        flag.touch()
        try:
            return self.make(earlier.request.graph.name, resume=earlier.request.run_id)
        finally:
            flag.unlink()
