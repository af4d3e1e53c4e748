"""One run on one stack: the same for every orchestrator, the only place that fires lifecycle hooks.

A run begins with ``Runner.begin`` (writes its record) or ``Runner.attach`` (reads it, in another
process). ``prepare`` binds a step's inputs, ``lookup`` asks whether its result is known, ``write``
keeps the record of an attempt (``execute`` makes it), and ``finish`` closes the run's record and
projects the run to the trackers.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackyard.binding import Upstream, bind
from stackyard.components.base import Journal, actor, redact
from stackyard.earlier import Earlier
from stackyard.graph import Graph, Injection, Step
from stackyard.processes import uninterrupted
from stackyard.provenance import git_state
from stackyard.states import states
from stackyard.step_code import code_of, open_index, user_fingerprint
from stackyard.store import cachekey
from stackyard.store.records import (
    AttemptId,
    AttemptRecord,
    AttemptStatus,
    EndRecord,
    EndStatus,
    RunRecord,
    host_name,
)
from stackyard.truth import Truths, decided, unmet

if TYPE_CHECKING:
    from stackyard.components.orchestrator import RunRequest, StepEvent
    from stackyard.execute import Attempt
    from stackyard.journal import StepJournal
    from stackyard.stack import Stack
    from stackyard.store.code.index import CodeIndex
    from stackyard.store.store import Store


@dataclass
class Runner:
    """A run, its graph, and what is needed to run its steps in this process."""

    record: RunRecord
    graph: Graph
    stack: Stack
    store: Store
    code: CodeIndex
    _numbers: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @cached_property
    def earlier(self) -> Earlier:
        """What earlier runs know of this one's steps."""
        return Earlier(self.record, self.store.records)

    @classmethod
    def begin(
        cls,
        request: RunRequest,
        stack: Stack,
        store: Store,
        *,
        bundle: str | None,
        pid: int = 0,
    ) -> Runner:
        """Write the run's record, unless another process has, and return its runner.

        ``pid``: the process with which the run ends; 0 where it is made by many.
        """
        import platform

        record = RunRecord(
            run_id=request.run_id,
            pipeline=request.graph.name,
            stack=request.stack,
            params=request.params,
            graph=request.graph.to_json(),
            graph_digest=request.graph.digest(),
            reason=request.reason,
            actor=request.actor or actor(),
            started=time.time(),
            bundle=bundle,
            code_roots=stack.project.roots,
            resume=request.resume,
            only=request.only,
            cache=request.cache,
            orchestrator=stack.orchestrator_flavor,
            host=host_name(),
            pid=pid,
            python=platform.python_version(),
            packages=stack.packages(),
            components=stack.describe(),
            git=git_state(stack.project.root),
        )
        first = store.records.start(record)
        runner = cls._of(record if first else store.records.run(record.run_id), stack, store)
        if first:
            runner.notify("stackyard_before_run")
        return runner

    @classmethod
    def attach(cls, run_id: str, stack: Stack, store: Store) -> Runner:
        """Return the runner of a run that has begun.

        Raises:
            ArtifactNotFound: there is no such run in the store.
        """
        return cls._of(store.records.run(run_id), stack, store)

    @classmethod
    def _of(cls, record: RunRecord, stack: Stack, store: Store) -> Runner:
        graph = Graph.from_json(record.graph)
        return cls(record, graph, stack, store, open_index(stack, graph))

    # Before a step: is its result known?

    def prepare(self, step: Step, upstream: Upstream) -> Attempt:
        """Bind the step's inputs and compute its cache key.

        Imports user code only for ``fingerprint=``.
        """
        from stackyard.execute import Attempt

        truths = self._truths(upstream)
        step = decided(step, truths)
        inputs, values = bind(step, self.record.params, upstream)
        components = {
            name: self.stack.fingerprint(i.kind, i.instance) for name, i in step.injections.items()
        }
        options = step.options
        key, parts = cachekey.compute(
            step,
            code=code_of(step, inputs, self.graph, self.stack, self.code),
            inputs={n: ref.digest for n, ref in inputs.items()},
            values=values,
            components=components,
            states=states(step, self.stack, self.earlier.first),
            python=".".join(map(str, sys.version_info[:2])),
            version=options.version,
            fingerprint=user_fingerprint(options.fingerprint),
        )
        number = self._next_number(step.name)
        return Attempt(step.name, number, inputs, values, key, parts, truths=truths.found)

    def left_out(self, step: Step, upstream: Upstream) -> AttemptRecord | None:
        """Return a ``skipped`` record, written, where a condition of ``step`` does not hold."""
        if not step.when:
            return None
        why = unmet(step, self._truths(upstream))
        if why is None:
            return None
        return self._not_run(step, self._next_number(step.name), "skipped", why)

    def _truths(self, upstream: Upstream) -> Truths:
        return Truths(self.record.params, upstream, self.store.artifacts.load)

    def lookup(self, attempt: Attempt) -> AttemptRecord | None:
        """Return a ``cached`` record, written, where an earlier result is still true."""
        step = self.graph.step(attempt.step)
        found = self.earlier.known(step, attempt.key)
        if found is None:
            return None
        source, why = found
        origin = source.reused or AttemptId(source.run_id, source.step, source.attempt)
        return self._not_run(
            step,
            attempt.number,
            "cached",
            why,
            key=attempt.key,
            key_parts=attempt.key_parts,
            inputs=attempt.inputs,
            values=attempt.values,
            outputs=source.outputs,
            journal=source.journal,
            kept=source.kept,
            reused=origin,
        )

    def _not_run(
        self, step: Step, number: int, status: AttemptStatus, why: str, key: str = "", **more: Any
    ) -> AttemptRecord:
        """Write and return the record of an attempt that nobody had to make."""
        record = AttemptRecord(
            run_id=self.run_id,
            step=step.name,
            attempt=number,
            status=status,
            started=time.time(),
            seconds=0.0,
            key=key,
            why=why,
            host=host_name(),
            pid=os.getpid(),
            **more,
        )
        return self.write(record)

    # Making an attempt

    def write(self, record: AttemptRecord) -> AttemptRecord:
        """Write an attempt's record under the next free number; offer it to later runs."""
        from stackyard.execute import with_number

        number = record.attempt
        while not self.store.records.attempt(record):
            number += 1
            record = with_number(record, number)
        self._numbers[record.step] = number
        step = self.graph.step(record.step)
        offered = record.status == "succeeded" and cachekey.reusable(step)
        if offered:
            self.store.records.cache_put(record.key, AttemptId(self.run_id, step.name, number))
        return record

    def read(self, step: str, number: int) -> AttemptRecord:
        """Read the record of an attempt that another process made."""
        self._numbers[step] = number
        return self.store.records.read_attempt(self.run_id, step, number)

    def inject(self, step: Step, name: str, injection: Injection, journal: StepJournal) -> Any:
        """Return the component or resource that ``= from_stack()`` stands for."""
        if injection.kind == "resource":
            return self.stack.resource(injection.instance or name)
        instance = (
            injection.kind
            if injection.instance is None
            else f"{injection.kind}.{injection.instance}"
        )
        if injection.optional and not self.stack.has(injection.kind, injection.instance):
            return None
        from stackyard.claims import RunClaims
        from stackyard.store.history import StoreHistory

        view: Journal = journal.for_component(instance)
        return self.stack.component(
            injection.kind,
            injection.instance,
            run=self.run_id,
            pipeline=self.graph.name,
            step=step.name,
            journal=view,
            claims=RunClaims(self.store.records, self.run_id),
            history=StoreHistory(self.store.backend, instance),
            fetch=self.store.artifacts.fetch,
        )

    def _next_number(self, step: str) -> int:
        return self._numbers.get(step, 0) + 1

    # The end

    def finish(
        self, status: EndStatus, error: str | None = None, interrupted: tuple[str, ...] = ()
    ) -> list[str]:
        """Close the run's record, project it to the trackers; return warnings for people."""
        error = redact(error) if error else None
        end = EndRecord(self.run_id, status, time.time(), error, interrupted=interrupted)
        with uninterrupted():  # an import that Ctrl-C breaks off can fail in any way
            from stackyard import projection

            self.store.records.end(end)
        warnings = projection.publish(self.store, self.stack, self.run_id)
        if warnings:
            self.store.records.end(replace(end, warnings=tuple(warnings)))
        self.notify("stackyard_after_run")
        return warnings

    def tell(self, event: StepEvent) -> None:
        """Fire the step hook that belongs to ``event``."""
        if event.status == "running":
            self.notify("stackyard_before_step", event)
        elif event.status in ("succeeded", "cached", "failed"):
            self.notify("stackyard_after_step", event)
        if event.status == "failed":
            self.notify("stackyard_on_failure", event)

    def notify(self, hook: str, event: StepEvent | None = None) -> None:
        """Tell the listeners; one that raises is reported and changes nothing."""
        listeners = self.stack.plugins.listeners(hook)
        if listeners:
            from stackyard.listening import notify

            notify(listeners, hook, self.store, self.run_id, event)
