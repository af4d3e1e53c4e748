"""What this plugin offers. Describes; imports nothing of MLflow."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The tracker and the model registry."""
    yield Flavor(
        kind="tracker",
        name="mlflow",
        target="stackyard_mlflow.tracker:MlflowTracker",
        config="stackyard_mlflow.config:MlflowTrackerConfig",
        doc="MLflow tracking: an embedded SQLite database, or a server by its URL",
    )
    yield Flavor(
        kind="registry",
        name="mlflow",
        target="stackyard_mlflow.registry:MlflowRegistry",
        config="stackyard_mlflow.config:MlflowRegistryConfig",
        doc="MLflow model registry: an embedded SQLite database, or a server by its URL",
    )
