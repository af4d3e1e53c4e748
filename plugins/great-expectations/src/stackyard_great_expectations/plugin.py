"""What this plugin offers. Describes; imports nothing of the tool."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The validator."""
    yield Flavor(
        kind="validator",
        name="great_expectations",
        target="stackyard_great_expectations.validator:GreatExpectationsValidator",
        config="stackyard_great_expectations.config:GreatExpectationsConfig",
        doc="Great Expectations: suites of its vocabulary on frames, in the step's process",
    )
