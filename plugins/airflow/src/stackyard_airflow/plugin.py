"""What this distribution offers to Stackyard."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """Yield the orchestrator ``airflow``."""
    yield Flavor(
        kind="orchestrator",
        name="airflow",
        target="stackyard_airflow.orchestrator:AirflowOrchestrator",
        config="stackyard_airflow.config:AirflowConfig",
        doc="Pipelines as DAG files of Apache Airflow 3, run through its REST API",
    )
