"""Graphs that several tests compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.orchestrator import PipelineSettings
from stackyard.graph import FromParam, FromStep, Graph, ListOf, Param, Step, StepOptions, Value
from stackyard_airflow.config import AirflowConfig
from stackyard_airflow.orchestrator import AirflowOrchestrator

FLIGHTS = Graph(
    name="flight_delays",
    steps=(
        Step(
            "load",
            "flight_delays:load",
            {"period": FromParam("period")},
            options=StepOptions(retries=2, timeout=1200, cache=86400),
            doc="Read one month of flights.\n\nFrom the CSV files.",
        ),
        Step("check", "flight_delays:check", {"rows": FromStep("load")}),
        Step(
            "split",
            "flight_delays:split",
            {"rows": FromStep("load")},
            outputs=("train", "test"),
            output_types=("", ""),
            after=("check",),
        ),
        Step(
            "train",
            "flight_delays:train",
            {"rows": FromStep("split", "train"), "depth": FromParam("depth")},
            options=StepOptions(resources={"cpu": 4, "memory": "8Gi"}, retry_delay=0.5, retries=1),
        ),
        Step(
            "evaluate",
            "flight_delays:evaluate",
            {"model": FromStep("train"), "rows": FromStep("split", "test")},
        ),
        Step(
            "register",
            "flight_delays:register",
            {
                "model": FromStep("train"),
                "name": Value("flight_delays"),
                "scores": ListOf((FromStep("evaluate"), FromStep("check"))),
            },
            options=StepOptions(effect=True),
        ),
    ),
    params=(
        Param("period", {"type": "string"}, None, False, "stackyard.Period"),
        Param("depth", {"type": "integer", "minimum": 1, "maximum": 20}, 6, False, "int"),
    ),
    schedule="@monthly",
    start="2013-01-01",
    timezone="America/New_York",
    doc="Will a flight arrive more than 15 minutes late?\n\nFrom what is known before departure.",
    source="flight_delays.py:flight_delays",
)
SETTINGS = {
    "owner": "ml",
    "tags": ["flights"],
    "pool": {"train": "training"},
    "pool_slots": {"train": 2},
    "max_active_runs": 1,
    "env": {"OMP_NUM_THREADS": "1"},
}


def compiled(
    graph: Graph = FLIGHTS,
    options: dict[str, Any] | None = None,
    stack: str = "dev",
    config: AirflowConfig | None = None,
) -> str:
    """The text of the graph's DAG file."""
    orchestrator = AirflowOrchestrator(config or AirflowConfig(), Context(project=Path("/nowhere")))
    files = orchestrator.compile(graph, PipelineSettings(options or {}), stack)
    assert list(files) == [f"{graph.name}.py"]
    return files[f"{graph.name}.py"]


if __name__ == "__main__":  # prints the golden file: python graphs.py > golden/flight_delays.py
    print(compiled(FLIGHTS, SETTINGS), end="")
