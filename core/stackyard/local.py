"""The orchestrator that runs a pipeline here: in this process, or in workers it can stop."""

from __future__ import annotations

import heapq
import os
import time
from dataclasses import replace

from stackyard import printed
from stackyard.components.orchestrator import (
    Orchestrator,
    PipelineSettings,
    RunOutcome,
    RunRequest,
    StepEvent,
    StepStatus,
    Watch,
)
from stackyard.errors import StackyardError, UsageError
from stackyard.execute import Attempt, execute, failed
from stackyard.graph import Step
from stackyard.local_config import LocalConfig
from stackyard.processes import uninterrupted
from stackyard.runner import Runner
from stackyard.store.records import AttemptRecord
from stackyard.why_run import why_run
from stackyard.worker import Answer, Pool

WORTHWHILE = 1.0  # seconds that a step took before, from which a process of its own pays


class LocalOrchestrator(Orchestrator):
    """Runs steps as soon as their inputs are there.

    A step with a timeout runs in a worker. Steps that are ready at the same time run in parallel
    where it helps: with ``parallel: auto`` when an earlier run shows that at least two of them
    take longer than a second; with ``always`` whenever two are ready; with ``never`` not at all.
    """

    config: LocalConfig

    def run(self, request: RunRequest, settings: PipelineSettings, watch: Watch) -> RunOutcome:
        """See ``Orchestrator.run``."""
        from stackyard.opening import begin

        runner = begin(request)
        execution = _Execution(runner, self.config, watch)
        try:
            error = execution.run()
        except KeyboardInterrupt as exc:
            stopped = execution.under_way
            why = f"stopped by {exc}" if exc.args else "stopped by hand"
            try:
                with uninterrupted():
                    execution.pool.close()
                    for name in stopped:
                        watch(StepEvent(name, "interrupted"))
            finally:  # whoever watched may have been stopped as well
                warnings = runner.finish("cancelled", why, stopped)
            return RunOutcome("cancelled", why, "", tuple(warnings), stopped)
        except StackyardError as exc:
            execution.pool.close()
            runner.finish("failed", str(exc))
            raise
        finally:
            execution.pool.close()
        warnings = runner.finish("failed" if error else "succeeded", error)
        return RunOutcome("failed" if error else "succeeded", error, warnings=tuple(warnings))


class _Execution:
    """The state of one run: which steps are done, under way, waiting for a retry."""

    def __init__(self, runner: Runner, config: LocalConfig, watch: Watch) -> None:
        self.runner = runner
        self.watch = watch
        self.parallel = config.parallel
        workers = 1 if config.parallel == "never" else config.workers or os.cpu_count() or 1
        self.pool = Pool(runner, workers)
        self.done: dict[str, AttemptRecord] = {}
        self.lost: set[str] = set()  # failed for good, or behind one that did
        self.tries: dict[str, int] = {}
        self.retries: list[tuple[float, str]] = []  # heap of (when, step)
        self.errors: list[str] = []
        self.isolated: list[Attempt] = []  # waiting for a worker
        self.inline: list[Attempt] = []  # waiting for this process
        self.here = ""  # the step that this process is busy with

    def run(self) -> str | None:
        """Run everything that can run; return what failed, in one line."""
        steps = self._wanted()
        waiting = {s.name: {u for u in s.upstream if u not in self.done} for s in steps}
        self.followers: dict[str, list[str]] = {}
        for name, ups in waiting.items():
            for up in ups:
                self.followers.setdefault(up, []).append(name)
        self.waiting = waiting
        self.ready = [s.name for s in steps if not waiting[s.name]]
        while self.ready or self.inline or self.isolated or self.pool.busy or self.retries:
            self._launch()
            self._collect()
        return "; ".join(self.errors) or None

    @property
    def under_way(self) -> tuple[str, ...]:
        """The steps that have begun and not ended."""
        return (*([self.here] if self.here else ()), *(a.step for a in self.pool.under_way))

    def _wanted(self) -> list[Step]:
        """All steps, or the one of ``--only`` with the others as the last run left them."""
        graph, only = self.runner.graph, self.runner.record.only
        if only is None:
            return list(graph.steps)
        try:
            self.done.update(self.runner.earlier.for_only(graph, only))
        except UsageError as exc:
            self.errors.append(str(exc))
            return []
        return [graph.step(only)]

    def _launch(self) -> None:
        """Answer what is known, hand what is to be isolated to workers, run one step here."""
        now = time.time()
        while self.retries and self.retries[0][0] <= now:
            self.ready.append(heapq.heappop(self.retries)[1])
        attempts: list[Attempt] = []
        while self.ready:  # a step that is answered makes others ready
            made = self._attempt(self.ready.pop(0))
            if made is not None:
                attempts.append(made)
        beside = [*attempts, *self.inline]
        for attempt in attempts:
            isolate = self._isolate(attempt, beside)
            (self.isolated if isolate else self.inline).append(attempt)
        while self.isolated and self.pool.busy < self.pool.size:
            attempt = self.isolated.pop(0)
            self._tell(attempt.step, "running", attempt=attempt.number)
            self.pool.submit(attempt, self.runner.graph.step(attempt.step).options.timeout)
        if self._can_run_here():
            attempt = self.inline.pop(0)
            self._tell(attempt.step, "running", attempt=attempt.number)
            self.here = attempt.step
            record = execute(self.runner, attempt)
            self.here = ""
            self._ended(record)

    def _can_run_here(self) -> bool:
        return bool(self.inline) and not (self.parallel == "never" and self.pool.busy)

    def _attempt(self, name: str) -> Attempt | None:
        """The attempt to make, None where the step was answered from an earlier one."""
        step = self.runner.graph.step(name)
        first = name not in self.tries
        skipped = self.runner.left_out(step, self.done) if first else None
        if skipped is not None:
            self._ended(skipped)
            return None
        attempt = self.runner.prepare(step, self.done)
        self.tries[name] = self.tries.get(name, 0) + 1
        if first:
            known = self.runner.lookup(attempt)
            if known is not None:
                self._ended(known)
                return None
            return replace(attempt, why=why_run(self.runner, attempt))
        return replace(attempt, why=f"try {self.tries[name]} after a failure")

    def _isolate(self, attempt: Attempt, ready: list[Attempt]) -> bool:
        if self.runner.graph.step(attempt.step).options.timeout is not None:
            return True
        if self.parallel == "never" or len(ready) + self.pool.busy + len(self.isolated) < 2:
            return False
        if self.parallel == "always":
            return True
        long = {a.step for a in ready if self.runner.earlier.took(a.step) >= WORTHWHILE}
        return len(long) >= 2 and attempt.step in long

    def _collect(self) -> None:
        """Take what workers answer; wait for one, or for a retry, if nothing else can go on."""
        wait = max(0.0, self.retries[0][0] - time.time()) if self.retries else 3600.0
        if self.ready or self._can_run_here():
            wait = 0.0
        if self.pool.busy:
            for answer in self.pool.collect(wait):
                self._ended(self._record(answer))
        elif self.retries:
            time.sleep(wait)

    def _record(self, answer: Answer) -> AttemptRecord:
        if answer.usage_error is not None:
            raise UsageError(answer.usage_error)
        if answer.number is None:
            return failed(self.runner, answer.attempt, answer.error or "", answer.started)
        return self.runner.read(answer.attempt.step, answer.number)

    def _ended(self, record: AttemptRecord) -> None:
        """Note the outcome of an attempt and what follows from it."""
        name = record.step
        if record.status != "failed":
            self.done[name] = record
            self._tell(name, record.status, record)
            for follower in self.followers.get(name, ()):
                self.waiting[follower].discard(name)
                if not self.waiting[follower] and follower not in self.lost:
                    self.ready.append(follower)
            return
        options = self.runner.graph.step(name).options
        tried = self.tries[name]
        if tried <= options.retries and not record.final:
            pause = options.retry_delay * 2 ** (tried - 1)
            heapq.heappush(self.retries, (time.time() + pause, name))
            self._tell(name, "retrying", record, f"again in {pause:g} s: {record.error}")
            return
        self.errors.append(f"step {name!r} failed: {record.error}")
        self._tell(name, "failed", record, record.error or "")
        self._skip_behind(name)

    def _skip_behind(self, name: str) -> None:
        for follower in self.followers.get(name, ()):
            if follower not in self.lost:
                self.lost.add(follower)
                self._tell(follower, "skipped", text=f"step {name!r} failed")
                self._skip_behind(follower)

    def _tell(
        self,
        step: str,
        status: StepStatus,
        record: AttemptRecord | None = None,
        text: str = "",
        attempt: int = 1,
    ) -> None:
        """Tell the watcher and the listeners."""
        log: tuple[str, ...] = ()
        if record is not None:
            attempt, text = record.attempt, text or record.why
            if record.status == "failed":
                log = printed.how_it_ended(self.runner.store, record)
        seconds = None if record is None else record.seconds
        event = StepEvent(step, status, attempt, seconds, text, log)
        self.watch(event)
        self.runner.tell(event)
