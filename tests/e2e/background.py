"""Commands that run beside a test, and what they leave behind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stackyard.testing.manners import until as until
from tests.e2e.conftest import Place, environment


@contextmanager
def started(
    place: Place, *words: str, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """``stackyard words`` as a process of its own; killed if it is still there at the end."""
    process = subprocess.Popen(
        place.command(*words),
        cwd=place.root,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def number(path: Path) -> int:
    """The process id that a step writes to ``path``, once it has."""
    return int(until(lambda: path.exists() and path.read_text().strip()))


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody reaped has ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def shown(place: Place, run: str = "latest") -> Any:
    """What ``runs show`` tells of a run."""
    return place.json("runs", "show", run)


def attempts(place: Place, step: str) -> list[Any]:
    """The attempts of a step in the latest run."""
    (found,) = [s["attempts"] for s in shown(place)["steps"] if s["name"] == step]
    return list(found)
