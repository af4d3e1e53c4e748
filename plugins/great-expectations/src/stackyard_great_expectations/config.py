"""What a stack file may say about Great Expectations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GreatExpectationsConfig:
    """Nothing: it works in the step's process and keeps nothing; suites are the project's files."""
