"""Processes of a contract's own: one that fails or hangs ends the test, and says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stackyard.components.base import Component, Context
from stackyard.testing import processes
from stackyard.testing.elsewhere import at_once

BEGIN = "from stackyard.testing.processes import begin; begin(); "


def run(*codes: str) -> object:
    return processes.together([[sys.executable, "-c", code] for code in codes])


def test_what_is_printed_before_the_beginning_does_not_matter() -> None:
    """As little as how much it is."""
    much = "import sys; print('x' * 10**6); print('y' * 10**6, file=sys.stderr, end=''); "
    assert run(f"{much}{BEGIN}print('[1]')", f"{BEGIN}print(2)") == [[1], 2]


@pytest.mark.parametrize("begun", ["", BEGIN])
def test_the_error_of_one_that_fails_comes_first(begun: str) -> None:
    with pytest.raises(AssertionError) as caught:
        run(f"{BEGIN}print(1)", f"{begun}raise ValueError('no such thing')")
    first, *rest = str(caught.value).splitlines()
    assert first == "one of two processes at once failed: ValueError: no such thing"
    assert rest[0].startswith("Traceback")


class OfAPlugin:
    """A test class with a ``do_at_once`` of its own."""

    kind = "orchestrator"

    @classmethod
    def do_at_once(cls, component: Component, number: int, token: str) -> list[object]:
        return [number, token, component.kind, component.context.step]


def test_what_a_test_class_does_itself_is_done_at_once(tmp_path: Path) -> None:
    """With a component that is made as a stack makes it, in the context of the test."""
    found = at_once(OfAPlugin, {"flavor": "local"}, Context(project=tmp_path, step="s"), "t")
    assert found == [[number, "t", "orchestrator", "s"] for number in (0, 1)]


def test_one_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "WAIT", 0.5)
    with pytest.raises(AssertionError, match="a process of its own failed: exit code -9"):
        run("import time; time.sleep(60)")
