"""What was changed at an endpoint, by steps and by hand, goes into one history."""

from __future__ import annotations

import time
from collections.abc import Mapping

from stackyard.components.base import actor
from stackyard.components.rollout import RolloutChange
from stackyard.components.server import Server


def remember(
    server: Server, name: str, change: str, version: str, traffic: Mapping[str, int], why: str
) -> RolloutChange:
    """Write a change of the endpoint ``name`` into the history that the server's context has.

    Args:
        server: that made it.
        name: of the endpoint.
        change: see ``RolloutChange``.
        version: that it was about.
        traffic: percent of the requests by version, after it.
        why: on what evidence, in one line.
    """
    context = server.context
    by = context.actor or actor()
    made = RolloutChange(
        name, change, version, dict(traffic), why, by, time.time(), context.run, context.step
    )
    if context.history is not None:
        context.history.add(made)
    return made
