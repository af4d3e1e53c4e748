"""Ready-made steps: which model is in use, which one may be, and which one shall be."""

from __future__ import annotations

import time
from dataclasses import replace

from stackyard.components.registry import ModelVersion, Promotion, Registry
from stackyard.errors import NotFound, PromotionRefused, Unavailable
from stackyard.execute import current
from stackyard.gating.reasons import as_reason
from stackyard.gating.report import GateReport
from stackyard.gating.trial_report import TrialReport
from stackyard.pipeline import step
from stackyard.signature import from_stack

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two looks at a request


@step
def champion(
    name: str, alias: str = "champion", *, registry: Registry = from_stack()
) -> ModelVersion | None:
    """The version of model ``name`` that ``alias`` is at, with its files; None where there is none.

    Args:
        name: of the model.
        alias: that says which version is in use.
        registry: given by the stack.

    Raises:
        DigestMismatch: the files are not those that were registered.
        Unavailable: the registry does not answer.
    """

    try:
        found = registry.get(name, alias=alias)
    except NotFound:
        return None
    return _with_files(found, registry)


@step
def candidate(
    name: str, version: str = "", alias: str = "candidate", *, registry: Registry = from_stack()
) -> ModelVersion:
    """A version of model ``name`` that may come into use, with its files.

    Args:
        name: of the model.
        version: which one; by default the one that ``alias`` is at.
        alias: that says which version may come into use.
        registry: given by the stack.

    Raises:
        NotFound: there is no such model, version or alias, or its files are gone.
        DigestMismatch: the files are not those that were registered.
        Unavailable: the registry does not answer.
    """
    found = registry.get(name, version) if version else registry.get(name, alias=alias)
    return _with_files(found, registry)


def _with_files(found: ModelVersion, registry: Registry) -> ModelVersion:
    """The version with its files where also a later step finds them, maybe on another machine."""
    from pathlib import Path

    package = registry.fetch(found)
    step = current()
    if step is not None:
        package = replace(package, uri=f"artifact:{step.keep(Path(package.uri))}")
    return replace(found, package=package)


@step(effect=True)
def promote(
    version: ModelVersion,
    alias: str = "champion",
    because: GateReport | TrialReport | str = "",
    patience: float = 86_400.0,
    *,
    registry: Registry = from_stack(),
) -> ModelVersion:
    """Point ``alias`` at a version, or ask for it where the registry lets others decide.

    Args:
        version: that ``register`` returned.
        alias: to be moved.
        because: on what evidence; written into the history of the alias.
        patience: seconds to wait for a decision, a day by default.
        registry: given by the stack.

    Returns:
        The version as it is then, with its aliases.

    Raises:
        PromotionRefused: the registry refused it; names the reason.
        Unavailable: nobody decided in time. Resumed, the step waits for the same request.
    """
    why = as_reason(because)
    name, number = version.name, version.version
    if "request" in registry.capabilities:
        asked = registry.request_alias(name, alias, number, why=why)
        decided = _decided(registry, asked, f"{alias!r} of {name!r} at version {number}", patience)
        if decided.status == "refused":
            raise PromotionRefused(
                f"{alias!r} of {name!r} was not given to version {number}: "
                f"{decided.reason or 'no reason was given'}"
            )
    else:
        registry.set_alias(name, alias, number, why=why)
    print(f"{name}: {alias} is version {number}")
    return registry.get(name, number)


def _decided(registry: Registry, asked: Promotion, what: str, patience: float) -> Promotion:
    """Wait until a request is decided; pauses grow from a second to a minute."""
    until, pause = time.monotonic() + patience, FIRST_PAUSE
    if asked.status == "pending":
        print(f"asked for {what} (request {asked.id}); waiting for the decision", flush=True)
    while asked.status == "pending":
        if time.monotonic() >= until:
            raise Unavailable(f"request {asked.id} for {what} is pending after {patience:g} s")
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)
        asked = registry.promotion(asked.id)
    return asked
