"""A DAG run as the person who started it sees it: events, and how it really ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stackyard.components.orchestrator import RunOutcome, StepEvent, StepStatus, Watch
from stackyard.errors import ComponentError
from stackyard_airflow.answers import TaskState
from stackyard_airflow.client import AirflowClient
from stackyard_airflow.compile import FINISH

POLL = 0.5  # seconds
LOG_LINES = 20
FINAL = {"success", "failed", "upstream_failed", "skipped", "removed"}
HOOK = (  # what the hook that runs the command says around the command's own lines
    "Tmp dir root location:", "Running command:", "Output:", "Command exited with return code",
    "Sending SIGTERM signal",
)  # fmt: skip
SHOWN: Mapping[str, StepStatus] = {
    "running": "running",
    "up_for_retry": "retrying",
    "success": "succeeded",
    "failed": "failed",
    "upstream_failed": "skipped",
    "skipped": "skipped",
    "removed": "skipped",
}


@dataclass
class Follower:
    """Polls one DAG run and tells ``watch`` what changed."""

    client: AirflowClient
    dag_id: str
    run_id: str
    watch: Watch
    seen: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    tasks: dict[str, TaskState] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)  # step to what it said last
    interrupted: tuple[str, ...] = ()  # what becomes of these is not told any more

    def until_end(self) -> RunOutcome:
        """Follow the run until Airflow has ended it and the last task is done."""
        while True:
            state = self.client.run_state(self.dag_id, self.run_id)
            self.look()
            if state in ("success", "failed") and self._all_final():
                return self.outcome(state)
            time.sleep(POLL)

    def look(self) -> None:
        """Ask for the tasks' states once, and tell of those that changed."""
        tasks = self.client.tasks(self.dag_id, self.run_id)
        for task in sorted(tasks, key=lambda t: t.started or "never"):
            before = self.seen.get(task.task_id, (None, 0))
            now = (task.state, task.try_number)
            self.tasks[task.task_id] = task
            if now == before:
                continue
            self.seen[task.task_id] = now
            for event in self._events(task, before):
                self.watch(event)

    def running(self) -> list[TaskState]:
        """The steps that run now, also those that began since the last look; nothing is told."""
        try:
            tasks = self.client.tasks(self.dag_id, self.run_id, patience=POLL)
        except ComponentError:  # what was seen last has to do
            tasks = list(self.tasks.values())
        return [t for t in tasks if t.task_id != FINISH and SHOWN.get(t.state or "") == "running"]

    def interrupt(self, running: Sequence[TaskState]) -> None:
        """Tell of steps that a stop of the run has interrupted."""
        self.interrupted = tuple(task.task_id for task in running)
        for task in running:
            name, number = task.task_id, max(task.try_number, 1)
            if self.seen.get(name) != (task.state, task.try_number):
                self.watch(StepEvent(name, "running", number))
            self.watch(StepEvent(name, "interrupted", number))

    def outcome(self, state: str) -> RunOutcome:
        """How the run ended, from its steps and not from the state of the DAG run alone."""
        steps = {n: t.state for n, t in self.tasks.items() if n != FINISH}
        failed = [n for n, s in steps.items() if s == "failed"]
        behind = [n for n, s in steps.items() if s == "upstream_failed"]
        warnings: tuple[str, ...] = ()
        finish = self.tasks.get(FINISH)
        if finish is not None and finish.state != "success":
            warnings = (
                f"task {FINISH} ended as {finish.state}: the run's record is not closed and the "
                f"tracker may miss it. Bring it: stackyard publish {self.run_id}",
            )
        status: Literal["succeeded", "failed"] = "failed"
        if failed:
            error = "; ".join(f"step {n!r} failed{self.errors.get(n, '')}" for n in failed)
        elif behind:
            error = f"never ran, because a step before them failed: {', '.join(behind)}"
        elif state == "failed":
            error = "the run was marked as failed in Airflow"
        else:
            status, error = "succeeded", ""
        page = self.client.page(self.dag_id, self.run_id)
        return RunOutcome(status, error or None, page, warnings)

    def _all_final(self) -> bool:
        return bool(self.tasks) and all(t.state in FINAL for t in self.tasks.values())

    def _events(self, task: TaskState, before: tuple[str | None, int]) -> Iterator[StepEvent]:
        status = SHOWN.get(task.state or "")
        if task.task_id in (FINISH, *self.interrupted) or status is None:
            return
        number = max(task.try_number, 1)
        if status in ("succeeded", "failed", "retrying") and before != ("running", number):
            yield StepEvent(task.task_id, "running", number)  # it ran between two looks
        if status == "succeeded":
            yield self._succeeded(task, number)
        elif status in ("failed", "retrying"):
            log, last = self._log(task.task_id, number)
            self.errors[task.task_id] = f": {last}" if last else ""
            yield StepEvent(task.task_id, status, number, task.seconds, last, tuple(log))
        elif status == "skipped":
            failed = task.state == "upstream_failed"
            text = "a step before it failed" if failed else "by a condition"
            yield StepEvent(task.task_id, status, number, text=text)
        else:
            yield StepEvent(task.task_id, status, number)

    def _succeeded(self, task: TaskState, number: int) -> StepEvent:
        """The reference that the step returned tells whether its result came from the cache."""
        found = self.client.returned(self.dag_id, self.run_id, task.task_id)
        cached = isinstance(found, Mapping) and found.get("status") == "cached"
        text = str(found.get("why", "")) if isinstance(found, Mapping) else ""
        status: StepStatus = "cached" if cached else "succeeded"
        return StepEvent(task.task_id, status, number, task.seconds, text)

    def _log(self, task_id: str, number: int) -> tuple[list[str], str]:
        """The last lines that the step printed, and why it failed in one line."""
        try:
            lines = self.client.log(self.dag_id, self.run_id, task_id, number)
        except ComponentError as exc:
            return [], f"its log cannot be read: {exc}"
        raised = [line.raised for line in lines if line.raised is not None]
        kind, message = raised[-1] if raised else ("", "")
        said = [line.text for line in lines if line.printed and not line.text.startswith(HOOK)]
        if not said:  # it did not get as far as the step
            said = [line.text for line in lines if line.level in ("warning", "error", "critical")]
            said += [f"{kind}: {message}"] if raised else []
        if kind == "AirflowTaskTimeout":
            reason = "timed out"
        else:
            reason = next((line.strip() for line in reversed(said) if line.strip()), message)
        return said[-LOG_LINES:], reason
