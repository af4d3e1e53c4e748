"""What this plugin offers. Describes; imports nothing of BentoML."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The server."""
    yield Flavor(
        kind="server",
        name="bentoml",
        target="stackyard_bentoml.server:BentomlServer",
        config="stackyard_bentoml.config:BentomlConfig",
        doc="BentoML: bentos served on this machine, with canary, shadow and inference log",
    )
