"""Seconds, CPU seconds and peak memory of a process; the table that benchmarks print."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a process cost: wall and CPU seconds, peak resident bytes."""

    wall: float
    cpu: float
    peak: int


def process(
    words: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> Cost:
    """Run a process that must succeed, and return what it cost with all its children."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    child = subprocess.Popen(
        words, cwd=cwd, env=kept | (env or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{words} ended with {child.returncode}:\n{said.decode()[-2000:]}")
    wall = time.perf_counter() - begun
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def best(
    words: list[str], *, times: int = 7, cwd: Path | None = None, env: dict[str, str] | None = None
) -> Cost:
    """The cheapest of several runs by CPU seconds: noise of a busy machine only adds."""
    return min((process(words, cwd=cwd, env=env) for _ in range(times)), key=lambda c: c.cpu)


def python(code: str) -> list[str]:
    """The command line that runs ``code`` in this interpreter."""
    return [sys.executable, "-c", code]


@dataclass(frozen=True)
class Row:
    """One measured budget."""

    what: str
    measured: str
    budget: str
    kept: bool


def print_rows(rows: list[Row]) -> bool:
    """Print the table; return whether every budget is kept."""
    width = max(len(r.what) for r in rows)
    for row in rows:
        mark = "ok  " if row.kept else "OVER"
        print(f"{mark}  {row.what:<{width}}  {row.measured}  (budget {row.budget})", flush=True)
    return all(r.kept for r in rows)
