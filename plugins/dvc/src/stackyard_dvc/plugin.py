"""What this plugin offers. Describes; imports nothing of DVC."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The data versioner."""
    yield Flavor(
        kind="data_versioner",
        name="dvc",
        target="stackyard_dvc.versioner:DvcDataVersioner",
        config="stackyard_dvc.config:DvcConfig",
        doc="DVC: a cache of the project's own, or a DVC repository that there is",
    )
