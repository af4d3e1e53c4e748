"""The monitor kind: has the data or the model's behaviour moved away from a reference."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from stackyard.components.base import Component

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Score:
    """Drift of one column: a score says nothing without its method, threshold and direction."""

    column: str
    method: str
    threshold: float
    direction: Literal["drift_when_above", "drift_when_below"]
    score: float | None = None
    not_computed: str = ""  # why there is no score

    @property
    def drifted(self) -> bool | None:
        """The verdict, None where there is no score."""
        if self.score is None:
            return None
        above = self.score > self.threshold
        return above if self.direction == "drift_when_above" else self.score < self.threshold


@dataclass(frozen=True)
class MonitorReport:
    """Scores of all columns of one comparison."""

    scores: tuple[Score, ...]


class Monitor(Component):
    """Contract of a monitor. Capabilities: ``html``, ``performance``."""

    kind: ClassVar[str] = "monitor"

    @abstractmethod
    def drift(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        options: Mapping[str, Any] | None = None,
    ) -> MonitorReport:
        """Compare column by column; a column that cannot be compared says why."""
