"""Telling listeners what happens in a run: they only listen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stackyard import projection
from stackyard.execute import describe

if TYPE_CHECKING:
    from stackyard.components.orchestrator import StepEvent
    from stackyard.store.store import Store


def notify(
    listeners: Sequence[tuple[str, Callable[..., Any]]],
    hook: str,
    store: Store,
    run_id: str,
    event: StepEvent | None,
) -> None:
    """Call each of ``listeners``, by plugin; one that raises is reported and changes nothing."""
    facts = projection.facts(store, run_id)
    arguments = {"run": facts} if event is None else {"run": facts, "event": event}
    for plugin, listener in listeners:
        try:
            listener(**arguments)
        except (Exception, SystemExit) as exc:  # a listener only listens: it is reported
            said = f"warning: listener {plugin} failed in {hook}: {describe(exc)}"
            print(said, file=sys.stderr)
