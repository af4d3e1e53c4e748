"""What the feature stores of a step would answer now, as text for its cache key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackyard.errors import ComponentError
from stackyard.graph import Step
from stackyard.store.cachekey import UNTOLD

if TYPE_CHECKING:
    from stackyard.components.feature_store import FeatureStore
    from stackyard.stack import Stack


def states(step: Step, stack: Stack, first: str) -> dict[str, str]:
    """The state of each feature store that the step is given, by parameter.

    None of a step that says itself how long its result stays true. A store that cannot tell counts
    as changed in every run, but not when a run is resumed: ``first`` is the run that began it.

    Raises:
        ConfigError, PluginError, SecretError: as ``Stack.component``.
    """
    found = {}
    for name, injection in step.injections.items():
        kind, instance = injection.kind, injection.instance
        if kind != "feature_store" or step.options.cache is not None:
            continue
        if stack.has(kind, instance):
            store: FeatureStore = stack.component(kind, instance)
            try:
                said = store.state()
            except ComponentError as exc:  # the step meets it again, and fails with it
                text = "%s cannot tell its state, so nothing of before stands for step %s: %s"
                store.context.logger.warning(text, store.context.name, step.name, exc)
                said = None
            finally:
                store.close()
            found[name] = f"{UNTOLD}{first}" if said is None else said
    return found
