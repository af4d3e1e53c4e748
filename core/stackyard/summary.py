"""A run read back from its records, as people and programs are told of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackyard.graph import Graph, Step

if TYPE_CHECKING:
    from stackyard.store.records import ArtifactRef, AttemptRecord, EndRecord, RunRecord
    from stackyard.store.run_status import Status
    from stackyard.store.store import Store


@dataclass(frozen=True)
class StepSummary:
    """How one step of a run ended.

    ``status``: succeeded, cached, failed, skipped, or interrupted where it had begun when the run
    was cancelled or its process killed.
    """

    name: str
    status: str
    attempt: int = 0
    seconds: float = 0.0
    outputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    why: str = ""
    error: str | None = None


@dataclass(frozen=True)
class RunSummary:
    """How a run ended, read back from its records.

    ``seconds`` are from its beginning to the end of its last step; ``around`` is what the caller
    waited beyond that, for the orchestrator to start it and for the tracker to be told.
    """

    run_id: str
    pipeline: str
    stack: str
    status: str
    seconds: float
    steps: tuple[StepSummary, ...]
    tracking_url: str | None = None  # the tracker's page, or the command that opens it
    error: str | None = None
    url: str | None = None  # the orchestrator's page
    warnings: tuple[str, ...] = ()
    around: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 where the run succeeded, else 1."""
        return 0 if self.status == "succeeded" else 1

    def to_json(self) -> dict[str, Any]:
        """The document that ``stackyard run --json`` prints."""
        steps = [
            {
                "name": s.name,
                "status": s.status,
                "attempt": s.attempt,
                "seconds": round(s.seconds, 4),
                "outputs": {n: {"digest": r.digest, "type": r.type} for n, r in s.outputs.items()},
                "why": s.why,
                "error": s.error,
            }
            for s in self.steps
        ]
        return {
            "run_id": self.run_id,
            "pipeline": self.pipeline,
            "stack": self.stack,
            "status": self.status,
            "seconds": round(self.seconds, 4),
            "steps": steps,
            "tracking_url": self.tracking_url if _is_url(self.tracking_url) else None,
            "url": self.url,
            "error": self.error,
            "warnings": list(self.warnings),
        }


def summarize(
    store: Store,
    run_id: str,
    waited: float = 0.0,
    url: str | None = None,
    warnings: tuple[str, ...] = (),
) -> RunSummary:
    """Read a run back from its records; ``waited``: seconds that it took for who asked for it.

    Raises:
        ArtifactNotFound: the store has no such run.
    """
    from stackyard import projection
    from stackyard.store.run_status import run_status

    records = store.records
    run, end, latest = records.run(run_id), records.ended(run_id), records.latest(run_id)
    status = run_status(records, run_id)
    states = step_statuses(run, latest, end, status)
    steps = tuple(_step(name, state, latest.get(name)) for name, state in states.items())
    seconds = (end.ended if end is not None else time.time()) - run.started
    urls = projection.tracking_urls(store, run_id)
    return RunSummary(
        run_id=run_id,
        pipeline=run.pipeline,
        stack=run.stack,
        status=status,
        seconds=seconds,
        steps=steps,
        tracking_url=urls.get("tracker") or next(iter(urls.values()), None),
        error=end.error if end is not None else None,
        url=url or None,
        warnings=warnings,
        around=max(0.0, waited - seconds),
    )


def _is_url(text: str | None) -> bool:
    return text is not None and text.startswith(("http://", "https://"))


def step_statuses(
    run: RunRecord, latest: Mapping[str, AttemptRecord], end: EndRecord | None, status: Status
) -> dict[str, str]:
    """How each step of a run stands: as its last attempt ended, unless a later one was interrupted.

    No record tells which attempts had begun when the run's process was killed: of such a run, every
    step counts as interrupted that had its inputs and did not end.
    """

    def state(step: Step) -> str:
        last = latest.get(step.name)
        again = last is None or last.status == "failed"
        if end is not None and again and step.name in end.interrupted:
            return "interrupted"
        if last is not None:
            return last.status
        if status == "running":
            return "waiting"
        before = () if run.only else step.upstream
        ready = all(up in latest and latest[up].status != "failed" for up in before)
        return "interrupted" if end is None and ready else "skipped"

    steps = Graph.from_json(run.graph).steps
    return {step.name: state(step) for step in steps if run.only in (None, step.name)}


def _step(name: str, status: str, attempt: AttemptRecord | None) -> StepSummary:
    if attempt is None:
        return StepSummary(name, status)
    return StepSummary(
        name, status, attempt.attempt, attempt.seconds, attempt.outputs, attempt.why, attempt.error,
    )  # fmt: skip
