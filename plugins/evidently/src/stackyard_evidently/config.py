"""What a stack file may say about Evidently."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvidentlyConfig:
    """Nothing: it works in the step's process and keeps nothing; what is watched, pipelines say."""
