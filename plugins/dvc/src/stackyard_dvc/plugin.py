"""What this plugin offers. Describes; imports nothing of the tool."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """None yet."""
    return ()
