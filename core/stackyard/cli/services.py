"""``stackyard stack up`` and ``stack down``: the local services of a stack."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from stackyard.cli import output
from stackyard.cli.arguments import add_json, add_stack, open_project_stack


def configure_up(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``stack up``."""
    add_stack(parser)
    add_json(parser)


def configure_down(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``stack down``."""
    parser.add_argument(
        "--stack", metavar="S", help="stop this stack's services only (default: all of the project)"
    )
    add_json(parser)


def run_up(args: argparse.Namespace) -> int:
    """Start the stack's services; return when they are ready."""
    from stackyard import services

    _, stack = open_project_stack(args.stack)
    with Notes() as notes:
        states = services.up(stack, notes)
    if args.json:
        rows = [{"name": s.name, "url": s.url, "note": s.note, "state": "ready"} for s in states]
        output.json_document({"stack": stack.profile.name, "services": rows})
    elif states:
        shown = [(s.name, "ready", s.url, s.note) for s in states]
        output.table(shown, ("service", "", "url", ""), wrap=True)
        output.say(f"stop it with: stackyard stack down --stack {stack.profile.name}")
    else:
        output.show(f"stack {stack.profile.name!r} needs no local services")
    return 0


def run_down(args: argparse.Namespace) -> int:
    """Stop services, and everything that they started."""
    from stackyard import services
    from stackyard.project import find_project
    from stackyard.stack import open_stack
    from stackyard.supervisor import Supervisor

    project = find_project()
    with Notes() as notes:
        if args.stack:
            stopped = services.down(open_stack(project, args.stack), notes)
        else:
            supervisor = Supervisor(project.root)
            stopped = [name for name in supervisor.names() if supervisor.down(name, note=notes)]
    if args.json:
        output.json_document({"stopped": stopped})
    elif stopped:
        output.table([(name, "stopped") for name in stopped], ("service", ""))
    else:
        output.show("nothing was running")
    return 0


class Notes:
    """What is waited for: one changing line in a terminal, a line every ten seconds in a pipe."""

    EVERY = 10.0

    def __init__(self, first: str = "looking at the services") -> None:
        self._first = first
        self._status: Any = None
        self._told = 0.0
        self._topic = ""

    def __call__(self, text: str) -> None:
        """Tell ``text``; what differs only in the seconds in brackets is told less often."""
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(output.plain(text)))
            return
        topic, now = text.rpartition(" (")[0] or text, time.monotonic()
        if topic != self._topic or now - self._told >= self.EVERY:
            output.say(output.plain(text))
            self._topic, self._told = topic, now

    def __enter__(self) -> Notes:
        if output.lively(sys.stderr):
            from rich.console import Console

            self._status = Console(stderr=True, highlight=False).status(self._first)
            self._status.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is not None:
            self._status.stop()
