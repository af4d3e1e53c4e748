"""What a pipeline tells others to wait for: ``trigger``, and the steps it is made of."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from stackyard.conditions import when
from stackyard.display import plural
from stackyard.errors import InvalidInput
from stackyard.execute import current
from stackyard.options import seconds
from stackyard.period import Period
from stackyard.pipeline import step
from stackyard.store import events
from stackyard.store.events import TriggerDecision

DAY = 86_400.0


class Due(NamedTuple):
    """What ``due`` decided."""

    go: bool
    decision: TriggerDecision


def trigger(
    event: str,
    wanted: bool,
    params: Mapping[str, Any] | None = None,
    *,
    why: str = "",
    cooldown: float | str = "1d",
    per_day: int = 1,
) -> None:
    """In a pipeline: tell ``event`` where ``wanted`` is true, and not too often.

    Pipelines that wait for it, ``@pipeline(on=event)``, are then run by their orchestrator: on
    Airflow at once, in process by ``stackyard run --triggered``.

    Args:
        event: its name.
        wanted: a truth value of the run, e.g. whether a monitor found drift.
        params: parameters for the pipelines that wait; plain values or results of steps.
        why: one line for people; plain text or the result of a step.
        cooldown: time that must have passed since the event was last told.
        per_day: how often it may be told in 24 hours.
    """
    decided = due.named(f"due_{_plain(event)}")(event, wanted, seconds(cooldown), per_day)
    with when(decided.go):
        emit.named(f"tell_{_plain(event)}")(event, dict(params or {}), why)


@step(cache=False)  # time passes
def due(event: str, wanted: bool, cooldown: float, per_day: int) -> Due:
    """Decide whether an event is told now; see ``trigger``.

    Raises:
        InvalidInput: outside of a run there is no store to ask.
    """
    reason = _reason(event, wanted, cooldown, per_day)
    decision = TriggerDecision(event, not reason, reason or "wanted, and it was not told lately")
    print(f"{event}: {'told' if decision.told else 'not told'}: {decision.reason}")
    _step().note(decision)
    return Due(decision.told, decision)


@step(effect=True, emits="event")
def emit(event: str, params: dict[str, Any], why: str) -> str:
    """Tell an event; returns its id.

    Raises:
        InvalidInput: outside of a run there is no store to tell it to, or a parameter is of a type
            that no pipeline has.
    """
    here = _step()
    said = events.Event(event, _written(params), why, here.run_id, here.step)
    return events.put(here.store.backend, said).id


def _written(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a run's record has them: a period as text, the others as JSON."""
    import msgspec

    written = {}
    for name, value in params.items():
        try:
            written[name] = str(value) if isinstance(value, Period) else msgspec.to_builtins(value)
        except TypeError as exc:
            raise InvalidInput(f"trigger: parameter {name!r} is no parameter: {exc}") from exc
    return written


def _reason(event: str, wanted: bool, cooldown: float, per_day: int) -> str:
    """Why the event is not told now; empty where it is."""
    if not wanted:
        return "not wanted"
    now = time.time()
    before = [e.time for e in events.happened(_step().store.backend, event)]
    if before and now - before[-1] < cooldown:
        return f"told {now - before[-1]:.0f} s ago; the cool-down is {cooldown:g} s"
    lately = sum(now - moment < DAY for moment in before)
    if lately >= per_day:
        return f"told {plural(lately, 'time')} in 24 hours; the limit is {per_day}"
    return ""


def _step() -> Any:
    found = current()
    if found is None:
        raise InvalidInput("an event is told in a run: outside of one there is no store for it")
    return found


def _plain(event: str) -> str:
    return re.sub(r"\W", "_", event)
