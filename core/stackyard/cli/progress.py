"""What a person sees while a run goes on: a live table in a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from stackyard.cli.output import COLOURS, lively, plain, say, seconds

if TYPE_CHECKING:
    from stackyard.components.orchestrator import StepEvent

ENDED = ("succeeded", "cached", "failed", "interrupted", "skipped")
FAILING = ("retrying", "failed")
SHORT = 100  # characters of an error in the line of a step
STOPPING = "stopping; Ctrl-C again leaves at once, the run can be continued either way"
MARKS = {
    "waiting": "·",
    "retrying": "↻",
    "succeeded": "✓",
    "cached": "=",
    "failed": "✗",
    "skipped": "-",
    "interrupted": "■",
}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress(Protocol):
    """A watcher of step events, to be used as a context manager around the run."""

    def __call__(self, event: StepEvent) -> None:
        """Take note of one change."""

    def stopping(self) -> None:
        """Say, once, that the run is being stopped; called by a signal's handler."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *error: object) -> None: ...


def open_progress(steps: Sequence[str] = (), *, why: bool = False) -> Progress:
    """The view that suits standard error.

    Args:
        steps: names of the steps, if they are known before the first event.
        why: also tell why a step ran or was reused.
    """
    if lively(sys.stderr):
        return LiveView(steps, why=why)
    return LineView(steps, why=why)


def step_line(event: StepEvent, width: int = 0, *, why: bool = False) -> str:
    """One event as one plain line: ``load  succeeded  1.2s``."""
    parts = [event.step.ljust(width), event.status.ljust(9)]
    if event.seconds is not None and event.status != "cached":
        parts.append(seconds(event.seconds))
    if event.attempt > 1:
        parts.append(f"attempt {event.attempt}")
    if event.text and (why or event.status not in ("succeeded", "cached")):
        parts.append(plain(event.text) if event.status not in FAILING else _begin(event.text))
    return "  ".join(parts).rstrip()


def _begin(error: str) -> str:
    """An error, or the beginning of a long one: the record has the whole."""
    line = plain(error)
    return line if len(line) <= SHORT else f"{line[: SHORT - 4].rstrip()} ..."


class LineView:
    """A line for each step that ends, and for each attempt that is retried."""

    def __init__(self, steps: Sequence[str] = (), *, why: bool = False) -> None:
        self._why = why
        self._width = max((len(name) for name in steps), default=0)
        self._stream = sys.stderr  # while a step runs, sys.stderr is what captures its output
        self._stopping = False

    def stopping(self) -> None:
        if not self._stopping:
            self._stopping = True
            # The signal came in the midst of such a line, or whoever reads them has ended too.
            with suppress(RuntimeError, OSError, ValueError):
                print(STOPPING, file=self._stream, flush=True)

    def __call__(self, event: StepEvent) -> None:
        if event.status == "interrupted":
            self.stopping()
        if event.status in ENDED or event.status == "retrying":
            say(step_line(event, self._width, why=self._why))
            for line in event.log if event.status != "retrying" else ():
                say(f"    {plain(line)}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class LiveView:
    """A table with a row per step, drawn anew as events come and while steps run."""

    def __init__(self, steps: Sequence[str] = (), *, why: bool = False) -> None:
        self._why = why
        self._events: dict[str, StepEvent | None] = dict.fromkeys(steps)
        self._began: dict[str, float] = {}
        self._live: Any = None
        self._over = self._stopping = False

    def stopping(self) -> None:
        self._stopping = True  # the next picture says it

    def __call__(self, event: StepEvent) -> None:
        if event.status == "interrupted":
            self.stopping()
        before = self._events.get(event.step)
        if event.status == "running" and (before is None or before.status != "running"):
            self._began[event.step] = time.monotonic()
        if before is not None and not event.log and event.status == before.status:
            event = replace(event, log=before.log)
        self._events[event.step] = event

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.live import Live

        # This stream and no other: while a step runs, sys.stderr is what captures its output.
        console = Console(file=sys.stderr, highlight=False)
        # What the program prints meanwhile appears above the table.
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=8, transient=False,
            redirect_stdout=sys.stdout.isatty(), vertical_overflow="ellipsis",
        )  # fmt: skip
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._live.vertical_overflow = "visible"  # the last picture shows every step
        self._live.__exit__(None, None, None)
        for event in self._events.values():
            if event is not None and event.log:
                say(f"\nlast lines of step {event.step}:")
                for line in event.log:
                    say(f"    {plain(line)}")

    def _render(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        # Only the remark may shrink: without a name and a status a row says nothing.
        widest = max((len(plain(name)) for name in self._events), default=0)
        grid.add_column(no_wrap=True, min_width=widest + 2)
        grid.add_column(no_wrap=True, min_width=len("succeeded"))
        grid.add_column(justify="right", no_wrap=True, min_width=len("12.3s"))
        grid.add_column(overflow="ellipsis", ratio=1)  # what may wrap is what rich narrows
        for name, event in list(self._events.items()):
            status: str = event.status if event else "waiting"
            if self._over:  # nobody waited for its end, or it never began
                status = {"running": "interrupted", "waiting": "skipped"}.get(status, status)
            style = _STYLES[COLOURS[status]]
            mark = SPINNER[int(time.monotonic() * 8) % 10] if status == "running" else MARKS[status]
            grid.add_row(
                Text(f"{mark} {name}", style),
                Text(status, style),
                self._seconds(name, event),
                Text(
                    self._remark(event),
                    "red" if status == "failed" else "dim",
                    no_wrap=True,
                    overflow="ellipsis",
                ),
            )
        return Group(grid, Text(STOPPING)) if self._stopping and not self._over else grid

    def _seconds(self, name: str, event: StepEvent | None) -> str:
        if event is not None and event.status == "running" and name in self._began:
            passed = time.monotonic() - self._began[name]
            return f"{passed:.1f}s" if passed < 60 else seconds(passed)
        return seconds(event.seconds) if event and event.status != "cached" else ""

    def _remark(self, event: StepEvent | None) -> str:
        if event is None:
            return ""
        parts = [f"attempt {event.attempt}"] if event.attempt > 1 else []
        if event.text and (self._why or event.status not in ("succeeded",)):
            parts.append(plain(event.text))
        return "  ".join(parts)


_STYLES = {"32": "green", "36": "cyan", "33": "yellow", "31": "red", "35": "magenta", "2": "dim"}
