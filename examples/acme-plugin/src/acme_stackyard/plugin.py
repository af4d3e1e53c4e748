"""What Acme offers, and what it listens to. Every command imports this module: nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard import hookimpl
from stackyard.components.orchestrator import StepEvent
from stackyard.components.tracker import RunFacts
from stackyard.flavors import Flavor


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """Yield the tracker and the validator."""
    yield Flavor(
        kind="tracker",
        name="acme",
        target="acme_stackyard.tracker:AcmeTracker",
        config="acme_stackyard.tracker:AcmeTrackerConfig",
        doc="Runs as rows of a SQLite database",
    )
    yield Flavor(
        kind="validator",
        name="acme",
        target="acme_stackyard.validator:AcmeValidator",
        config="acme_stackyard.validator:AcmeValidatorConfig",
        doc="Suites in Acme's words, checked by pandera",
    )


@hookimpl
def stackyard_on_failure(run: RunFacts, event: StepEvent) -> None:
    """Alert at once: the rest of the run may take hours."""
    from acme_stackyard import alerts

    alerts.step_failed(run, event)


@hookimpl
def stackyard_after_run(run: RunFacts) -> None:
    """Alert when a run has failed, also where no step of it did."""
    from acme_stackyard import alerts

    alerts.run_ended(run)
