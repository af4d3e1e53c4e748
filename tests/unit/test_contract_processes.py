"""Processes of a contract's own: one that fails or hangs ends the test, and says why."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from stackyard.components.base import Component, Context
from stackyard.components.registry import ModelPackage, Signature
from stackyard.components.server import check_endpoint_name
from stackyard.testing import ComponentContract, processes
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


class LeavesSomething(ComponentContract):
    """A test class whose processes fail once they have begun."""

    kind = "orchestrator"
    _settings: ClassVar[dict[str, str]] = {"flavor": "local"}
    tokens: ClassVar[list[str]] = []
    left: ClassVar[set[str]] = set()

    def ask(self, component: Component) -> None:
        pass

    def before_at_once(self, component: Component, token: str) -> None:
        self.tokens.append(token)
        self.left.add(token)

    @classmethod
    def do_at_once(cls, component: Component, number: int, token: str) -> object:
        raise ValueError("no such thing")

    def after_at_once(self, component: Component, token: str) -> None:
        self.left.remove(token)


def test_what_two_processes_left_is_taken_away_where_one_fails(tmp_path: Path) -> None:
    """And a backend that still has what an earlier session left makes no difference."""
    for _ in range(2):
        with pytest.raises(AssertionError, match="failed: ValueError: no such thing"):
            LeavesSomething().test_c09_two_processes_at_once(
                LeavesSomething._settings, Context(project=tmp_path)
            )
    assert LeavesSomething.left == set()
    one, other = LeavesSomething.tokens
    assert one != other
    assert "c09-two-processes" in check_endpoint_name(f"{one}-1")
    assert len(one) == 30


def test_of_a_server_these_are_its_endpoints() -> None:
    from stackyard.testing import MemoryServer, ServerContract

    server = MemoryServer(predict=len)
    package = ModelPackage("any", "any", "sha256:0", Signature((), ()))
    for name in ("t", "t-0", "t-1", "t-2"):
        server.deploy(package, name, "1")
    ServerContract().after_at_once(server, "t")
    assert [endpoint.name for endpoint in server.list()] == ["t-2"]


# Begins at once: nothing has to be imported, so that it is at work when the time is over.
AT_WORK = """
import subprocess, sys, time
print("ready", flush=True)
sys.stdin.readline()
print("at work", file=sys.stderr, flush=True)
subprocess.Popen(["sleep", "60"])
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("code", "said"), [("import time; time.sleep(60)", "exit code -9"), (AT_WORK, "at work")]
)
def test_one_that_hangs_is_killed_with_all_that_it_started(
    code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its beginning, or after it."""
    monkeypatch.setattr(processes, "WAIT", 1.0)
    start = time.monotonic()
    with pytest.raises(AssertionError, match=f"^a process of its own failed: {said}"):
        run(code)
    assert time.monotonic() - start < 30
