"""The local services that a stack's components need, started and stopped together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackyard.components.base import Component, Service
from stackyard.errors import ConfigError
from stackyard.supervisor import ServiceState, Supervisor

if TYPE_CHECKING:
    from stackyard.stack import Stack

Say = Callable[[str], None]


@dataclass(frozen=True)
class Needed:
    """A service, the component that asks for it, and where that is written."""

    service: Service
    component: Component
    owner: str  # "tracker (stacks/dev.yaml:5:3)"


def needed(stack: Stack) -> dict[str, Needed]:
    """The services that the stack's components need on this machine, by name.

    Two components may need the same service, such as a tracker and a registry of one server.

    Raises:
        ConfigError: two components describe a service of one name differently.
    """
    found: dict[str, Needed] = {}
    for key in stack.profile.components:
        kind, _, instance = key.partition(".")
        component = stack.component(kind, instance or None)
        for service in component.services():
            owner = f"{key} ({stack.profile.origin(('components', key))})"
            other = found.setdefault(service.name, Needed(service, component, owner))
            if other.service != service:
                raise ConfigError(
                    f"{owner}: describes the local service {service.name!r} otherwise than "
                    f"{other.owner} does; give both the same settings"
                )
    return found


def up(stack: Stack, say: Say) -> list[ServiceState]:
    """Start what the stack needs and does not yet run; return when all of it is ready.

    Raises:
        UsageError: a port is in use, or a program is not installed.
        Unavailable: a service did not get ready; its last log lines are in the message.
    """
    supervisor = Supervisor(stack.project.root)
    return [
        supervisor.up(
            wanted.service,
            owner=wanted.owner,
            prepare=lambda w=wanted: w.component.prepare(w.service),  # type: ignore[misc]
            note=say,
        )
        for wanted in needed(stack).values()
    ]


def down(stack: Stack, say: Say) -> list[str]:
    """Stop the stack's services and all that they started; return the names of those that ran."""
    supervisor = Supervisor(stack.project.root)
    return [name for name in reversed(needed(stack)) if supervisor.down(name, note=say)]
