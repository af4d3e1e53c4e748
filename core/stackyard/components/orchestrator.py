"""The orchestrator kind: who decides when and where each step of a pipeline runs."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from stackyard.components.base import Component
from stackyard.graph import Graph, Step

StepStatus: TypeAlias = Literal[
    "waiting", "running", "retrying", "succeeded", "cached", "failed", "skipped", "interrupted"
]


@dataclass(frozen=True)
class RunRequest:
    """One run to make. ``run_id`` is new; ``resume`` names the run whose finished steps count."""

    run_id: str
    graph: Graph
    stack: str
    project: Path
    store: str  # URL or path
    params: Mapping[str, Any] = field(default_factory=dict)  # plain JSON, every parameter
    resume: str | None = None
    only: str | None = None  # a step, run alone on the inputs of the last run
    cache: bool = True  # False: nothing is read from the cache
    files: Mapping[str, str] = field(default_factory=dict)  # what ``compile`` gave for the graph
    reason: str = "manual"  # manual, schedule, triggered, ...
    actor: str = ""


def task_params(request: RunRequest) -> dict[str, Any]:
    """What ``STACKYARD_PARAMS`` holds: the parameters, and what the run was asked for."""
    asked: dict[str, Any] = {"reason": request.reason, "actor": request.actor}
    if request.resume is not None:
        asked["resume"] = request.resume
    if request.only is not None:
        asked["only"] = request.only
    if not request.cache:
        asked["cache"] = False
    return {**request.params, "stackyard": asked}


def task_environment(
    request: RunRequest,
    step: Step | None = None,
    references: Mapping[str, Any] | None = None,
    attempt: int = 1,
) -> dict[str, str]:
    """The variables of ``python -m stackyard.step``; see docs/reference/step-contract.md.

    They hold no secret. Where steps run on another machine, its own environment says where the
    project and the store are: leave out ``STACKYARD_PROJECT`` and ``STACKYARD_STORE`` then.

    Args:
        request: the run.
        step: the step, None for ``--finish``.
        references: step to the reference that its task printed, None where it was skipped; at
            least of the steps that ``step`` reads.
        attempt: 1, 2, ...
    """
    given = references or {}
    reads = step.reads if step is not None else ()
    return {
        "STACKYARD_PIPELINE": request.graph.name,
        "STACKYARD_STACK": request.stack,
        "STACKYARD_GRAPH": request.graph.digest(),
        "STACKYARD_RUN": request.run_id,
        "STACKYARD_TRY": str(attempt),
        "STACKYARD_PARAMS": json.dumps(task_params(request)),
        "STACKYARD_INPUTS": json.dumps({name: given[name] for name in reads}),
        "STACKYARD_PROJECT": str(request.project),
        "STACKYARD_STORE": request.store,
    }


@dataclass(frozen=True)
class StepEvent:
    """What a person watching a run is told."""

    step: str
    status: StepStatus
    attempt: int = 1
    seconds: float | None = None
    text: str = ""  # why it was cached, what failed
    log: Sequence[str] = ()  # last lines of a failing step


@dataclass(frozen=True)
class RunOutcome:
    """How the run ended; the records in the store hold the rest."""

    status: Literal["succeeded", "failed", "cancelled"]
    error: str | None = None
    url: str = ""  # the orchestrator's page of the run
    warnings: tuple[str, ...] = ()  # what went wrong without changing the outcome
    interrupted: tuple[str, ...] = ()  # steps that were under way when the run was cancelled


@dataclass(frozen=True)
class PipelineSettings:
    """What a stack says about a pipeline for its orchestrator, e.g. Airflow's owner, tags and pool.

    ``schedule``, parameters and step options are already in the graph.
    """

    options: Mapping[str, Any] = field(default_factory=dict)


Watch: TypeAlias = Callable[[StepEvent], None]


class Orchestrator(Component):
    """Contract of an orchestrator, numbered in docs/reference/orchestrator.md.

    Capabilities: ``compile``; ``remote``, whose steps run in processes that this one cannot stop at
    once.
    """

    kind: ClassVar[str] = "orchestrator"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {"compile": ("compile",), "remote": ()}

    @abstractmethod
    def run(self, request: RunRequest, settings: PipelineSettings, watch: Watch) -> RunOutcome:
        """Make the run, tell ``watch`` of each change, and return when it has ended.

        A failing step is an outcome, not an exception. KeyboardInterrupt tells ``watch`` at once
        which steps are ``interrupted``, stops them, leaves a run that can be resumed, and gives
        the outcome ``cancelled``.

        Raises:
            Unavailable: the orchestrator cannot be reached.
        """

    def compile(self, graph: Graph, settings: PipelineSettings, stack: str) -> Mapping[str, str]:
        """Return the generated files: relative path to text (capability ``compile``).

        Deterministic: equal arguments give equal bytes.
        """
        self.require("compile")
        return {}
