"""What this plugin offers. Describes; imports nothing of the tool."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The monitor."""
    yield Flavor(
        kind="monitor",
        name="evidently",
        target="stackyard_evidently.monitor:EvidentlyMonitor",
        config="stackyard_evidently.config:EvidentlyConfig",
        doc="Evidently: drift, quality and performance of frames, in the step's process",
    )
