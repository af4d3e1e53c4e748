"""The orchestrator that ``plugin new`` writes leaves nothing of a task that it stops."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import psutil
import pytest

from stackyard.scaffold import TEMPLATE

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
TASK = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"


def template(monkeypatch: pytest.MonkeyPatch) -> Any:
    file = TEMPLATE / "src" / "acme_tools" / "orchestrator.py"
    spec = importlib.util.spec_from_file_location("acme_orchestrator", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_what_a_stopped_task_started_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task ends when it is asked to, and what it started does not."""
    command = [sys.executable, "-c", TASK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as task:
        assert task.stdout is not None
        task.stdout.readline()
        [child] = psutil.Process(task.pid).children()
        try:
            template(monkeypatch)._stop(task)
            assert child.wait(10) is None
        finally:
            if child.is_running():
                child.kill()
