"""A resource made as a stack makes it, and what it does in processes of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.stack import Stack
from stackyard.testing.commands import run_flow, statuses
from stackyard.testing.in_stack import stack_saying

if TYPE_CHECKING:
    from stackyard.testing.resource import ResourceContract

NAME = "resource"
_FLOW = """
from typing import Any

from stackyard import Resource, from_stack, pipeline, step


@step(cache=True)
def ask(*, resource: Resource = from_stack()) -> Any:
    from stackyard.testing.elsewhere import case

    return case().use(resource)


@pipeline
def flow() -> None:
    ask()
"""


def stack_with(settings: Mapping[str, Any], project: Path) -> Stack:
    """A stack that says this of its one resource; no file is written.

    Raises:
        ConfigError: the settings are none of a resource.
    """
    return stack_saying({"resources": {NAME: dict(settings)}}, project)


def use_once(case: ResourceContract, settings: Mapping[str, Any], project: str) -> list[Any]:
    """Make a resource, use it twice and close it."""
    os.chdir(project)
    made = stack_with(settings, Path(project)).resource(NAME)
    found = [case.use(made), case.use(made)]
    made.close()
    return found


def run_in_pipeline(
    case: ResourceContract, settings: Mapping[str, Any], project: str, secrets: list[str]
) -> dict[str, Any]:
    """Run a step with the resource, and again with other secrets."""
    stack = stack_with(settings, Path(project))
    cls: Any = stack.resource_class(stack.profile.resources[NAME])
    close, closed = cls.close, []

    def counted(resource: Any) -> None:
        closed.append(resource)
        close(resource)

    cls.close = counted
    components = {"orchestrator": {"flavor": "local", "parallel": "never"}}
    said = json.dumps({"components": components, "resources": {NAME: settings}})
    first = run_flow(Path(project), _FLOW, said)
    os.environ.update({name: f"another {os.environ[name]}" for name in secrets})
    second = run_flow(Path(project), _FLOW, said)
    return {"first": statuses(first), "second": statuses(second), "closed": len(closed)}
