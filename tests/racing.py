"""Processes that begin their work at the same moment."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def raced(commands: Sequence[Sequence[str]], *, seconds: float = 240.0) -> list[str]:
    """Start all, let them go once each has printed "ready", and return what each then printed.

    A racer prints "ready", reads a line, and works. All must end with 0.
    """
    racers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for command in commands
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        answers = [racer.communicate(timeout=seconds)[0] for racer in racers]
    finally:
        for racer in racers:  # one that failed leaves no other behind
            racer.kill()
            racer.wait()
    assert [racer.returncode for racer in racers] == [0] * len(racers), answers
    return answers
