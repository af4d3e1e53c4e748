"""The hooks that a plugin may implement: ``@hookimpl`` functions in its entry-point module.

Offering hooks yield descriptors. Lifecycle hooks listen: they return nothing, and one that raises
is reported and never breaks a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from stackyard.flavors import ArtifactFormat, Flavor, SecretProvider

if TYPE_CHECKING:
    from stackyard.components.orchestrator import StepEvent
    from stackyard.components.tracker import RunFacts

hookspec = pluggy.HookspecMarker("stackyard")
hookimpl = pluggy.HookimplMarker("stackyard")


class Specs:
    """Every hook with its exact signature."""

    @hookspec
    def stackyard_flavors(self) -> Iterable[Flavor]:
        """Yield the component flavors of this plugin."""
        return ()

    @hookspec
    def stackyard_formats(self) -> Iterable[ArtifactFormat]:
        """Yield the artifact formats of this plugin."""
        return ()

    @hookspec
    def stackyard_secret_providers(self) -> Iterable[SecretProvider]:
        """Yield the secret providers of this plugin, asked after the environment."""
        return ()

    @hookspec
    def stackyard_before_run(self, run: RunFacts) -> None:
        """A run begins."""

    @hookspec
    def stackyard_after_run(self, run: RunFacts) -> None:
        """A run has ended, however it ended."""

    @hookspec
    def stackyard_before_step(self, run: RunFacts, event: StepEvent) -> None:
        """A step attempt begins."""

    @hookspec
    def stackyard_after_step(self, run: RunFacts, event: StepEvent) -> None:
        """A step attempt has ended or the step was answered from the cache."""

    @hookspec
    def stackyard_on_failure(self, run: RunFacts, event: StepEvent) -> None:
        """A step has failed for good."""
