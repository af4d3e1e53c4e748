"""Configuration of the ``local`` orchestrator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LocalConfig:
    """Keys of ``orchestrator: {flavor: local}``.

    Attributes:
        workers: processes at the same time; one per CPU if left out.
        parallel: ``auto`` runs steps side by side where earlier runs show that it pays, ``always``
            whenever two are ready, ``never`` not at all.
    """

    workers: int | None = None
    parallel: Literal["auto", "always", "never"] = "auto"

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: {self.workers} is not at least 1")
