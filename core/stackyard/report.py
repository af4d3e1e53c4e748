"""A run read back from its records, as the command line and the page of a run show it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stackyard.evidence import Evidence, evidence
from stackyard.graph import Graph, Step
from stackyard.printed import last_lines
from stackyard.store.records import AttemptRecord, EndRecord, RunRecord
from stackyard.store.run_status import run_status
from stackyard.summary import step_statuses

if TYPE_CHECKING:
    from stackyard.store.store import Store

TAIL = 40  # lines of a step's output that are shown


@dataclass(frozen=True)
class StepReport:
    """A step with all its attempts in this run; the last one counts."""

    step: Step
    attempts: tuple[AttemptRecord, ...]
    status: str  # succeeded, cached, failed, skipped, interrupted, waiting
    tail: tuple[str, ...] = ()  # of what the last attempt printed

    @property
    def last(self) -> AttemptRecord | None:
        """The attempt that counts."""
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True)
class RunReport:
    """A run with its steps in order of the graph."""

    run: RunRecord
    end: EndRecord | None
    status: str  # running, succeeded, failed, cancelled, interrupted
    seconds: float
    graph: Graph
    steps: tuple[StepReport, ...]
    tracking: dict[str, str]  # tracker instance to the run's page there

    @property
    def error_of_run(self) -> str:
        """What ended the run where no step did; empty where there is none."""
        if self.end is None or any(step.status == "failed" for step in self.steps):
            return ""
        return self.end.error or ""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The data, features and validation that the run rests on."""
        return evidence(step.last for step in self.steps if step.last is not None)

    def to_json(self) -> dict[str, Any]:
        """The document that ``stackyard runs show --json`` prints."""
        run = asdict(self.run)
        del run["format"]
        steps = [
            {"name": s.step.name, "status": s.status, "attempts": [asdict(a) for a in s.attempts]}
            for s in self.steps
        ]
        return {
            **run,
            "status": self.status,
            "seconds": round(self.seconds, 4),
            "error": self.end.error if self.end else None,
            "warnings": list(self.end.warnings) if self.end else [],
            "tracking": self.tracking,
            "evidence": [asdict(one) for one in self.evidence],
            "steps": steps,
        }


def read_report(store: Store, run_id: str, *, tails: bool = True) -> RunReport:
    """Read everything that is known of a run.

    Args:
        store: where its records are.
        run_id: its full id.
        tails: also read the last lines of what each step printed.

    Raises:
        ArtifactNotFound: the store has no such run.
    """
    from stackyard.projection import tracking_urls

    records = store.records
    run, end = records.run(run_id), records.ended(run_id)
    attempts: dict[str, list[AttemptRecord]] = {}
    for attempt in records.attempts(run_id):
        attempts.setdefault(attempt.step, []).append(attempt)
    graph = Graph.from_json(run.graph)
    status = run_status(records, run_id)
    latest = {name: max(made, key=_number) for name, made in attempts.items()}
    states = step_statuses(run, latest, end, status)
    steps = [
        _step(store, graph.step(name), state, sorted(attempts.get(name, ()), key=_number), tails)
        for name, state in states.items()
    ]
    until = time.time() if status == "running" else run.started
    until = max([until, *(a.started + a.seconds for s in steps for a in s.attempts)])
    return RunReport(
        run=run,
        end=end,
        status=status,
        seconds=(end.ended if end is not None else until) - run.started,
        graph=graph,
        steps=tuple(steps),
        tracking=tracking_urls(store, run_id),
    )


def _step(
    store: Store, step: Step, status: str, attempts: list[AttemptRecord], tails: bool
) -> StepReport:
    last = attempts[-1] if attempts else None
    tail = last_lines(store, last, TAIL) if tails and last is not None else ()
    return StepReport(step, tuple(attempts), status, tail)


def _number(attempt: AttemptRecord) -> int:
    return attempt.attempt
