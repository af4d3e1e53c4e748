"""What the core itself offers, through the same door as every plugin."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import ArtifactFormat, Flavor, SecretProvider
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The orchestrator that needs nothing installed."""
    yield Flavor(
        kind="orchestrator",
        name="local",
        target="stackyard.local:LocalOrchestrator",
        config="stackyard.local_config:LocalConfig",
        doc="Runs steps here: in this process, or in workers that can be stopped.",
    )


@hookimpl
def stackyard_formats() -> Iterable[ArtifactFormat]:
    """The formats of plain values, frames, arrays, models and folders."""
    from stackyard.store.formats import builtin_formats

    return builtin_formats()


@hookimpl
def stackyard_secret_providers() -> Iterable[SecretProvider]:
    """The secrets file."""
    yield SecretProvider("file", "stackyard.secrets:from_file")
