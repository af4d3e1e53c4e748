"""What this plugin offers. Describes; imports nothing of the tool."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The feature store."""
    yield Flavor(
        kind="feature_store",
        name="feast",
        target="stackyard_feast.feature_store:FeastFeatureStore",
        config="stackyard_feast.config:FeastConfig",
        doc="Feast: DuckDB and SQLite in the project, or an existing Feast repository",
    )
