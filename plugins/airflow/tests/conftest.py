"""Puts this folder on the path; one real Airflow for all tests of a session."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.orchestrator import (
    PipelineSettings,
    RunOutcome,
    RunRequest,
    StepEvent,
)
from stackyard.graph import Graph
from stackyard.store.records import new_run_id
from stackyard.supervisor import Supervisor
from tests.ports import free_port

sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Done:
    """A run that has ended, and what the stand-in for the step process saw of it."""

    request: RunRequest
    outcome: RunOutcome
    events: list[StepEvent]
    calls: dict[str, dict[str, Any]]  # "step@try"

    def statuses(self, step: str) -> list[str]:
        """The statuses of one step in order."""
        return [e.status for e in self.events if e.step == step]


@dataclass
class RealAirflow:
    """An Airflow of its own on loopback, whose steps are run by the stand-in."""

    root: Path
    orchestrator: Any
    standin: Path
    calls: Path
    options: dict[str, Any] = field(default_factory=dict)

    def settings(self, options: Mapping[str, Any] | None = None) -> PipelineSettings:
        """Options under which the stand-in runs the steps."""
        env = {"CALLS": str(self.calls), "LITERAL": "{{ 7*7 }}"}
        return PipelineSettings({"python": str(self.standin), "env": env, **(options or {})})

    def run(
        self,
        graph: Graph,
        params: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        watch: Callable[[StepEvent], None] | None = None,
        **request: Any,
    ) -> Done:
        """Run a graph to its end."""
        made = RunRequest(
            new_run_id(),
            graph,
            "dev",
            self.root,
            "",
            params=params or {},
            actor="tester",
            **request,
        )
        events: list[StepEvent] = []

        def seen(event: StepEvent) -> None:
            events.append(event)
            if watch is not None:
                watch(event)

        outcome = self.orchestrator.run(made, self.settings(options), seen)
        return Done(made, outcome, events, self.called(made.run_id))

    def called(self, run_id: str) -> dict[str, dict[str, Any]]:
        """What the stand-in wrote down, by step and try."""
        safe = run_id.replace(":", "-").replace("+", "-")
        files = self.calls.glob(f"{safe}@*[0-9]")
        return {f.name.partition("@")[2]: json.loads(f.read_text()) for f in files}


@contextmanager
def started(root: Path) -> Iterator[RealAirflow]:
    """A real Airflow, started by the plugin's own descriptors and stopped at the end.

    With STACKYARD_TEST_AIRFLOW="3.2.2 fastapi==0.139.0" it is that version with these packages, in
    an environment of its own.
    """
    from stackyard_airflow import environment
    from stackyard_airflow.config import AirflowConfig
    from stackyard_airflow.orchestrator import AirflowOrchestrator

    calls = root / "calls"
    calls.mkdir(parents=True)
    standin = root / "stand in"
    source = (Path(__file__).parent / "standin.py").read_text()
    standin.write_text(f"#!{sys.executable}\n{source}")
    standin.chmod(0o755)
    config = AirflowConfig(port=free_port(), pools={"narrow": 1})
    version, *packages = os.environ.get("STACKYARD_TEST_AIRFLOW", "").split() or [""]
    if version:
        environment.importable_version = lambda: None
        config = replace(config, version=version, packages=tuple(packages))
    orchestrator = AirflowOrchestrator(config, Context(project=root, stack="dev"))
    supervisor = Supervisor(root)
    (service,) = orchestrator.services()
    try:
        supervisor.up(service, prepare=lambda: orchestrator.prepare(service))
        yield RealAirflow(root, orchestrator, standin, calls)
    finally:
        orchestrator.close()
        supervisor.down(service.name)


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """The one Airflow of the session."""
    with started(tmp_path_factory.mktemp("airflow")) as running:
        yield running
