"""The monitor. Here drift is scored in the step's process: put your tool in its place.

What a monitor must keep is numbered in Stackyard's docs/reference/monitor.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackyard import Monitor
from stackyard.components.monitor import Column, Figure, Method

if TYPE_CHECKING:
    import pandas as pd

LEAST = 1e-4  # a share of 0 would make the index infinite


@dataclass(frozen=True)
class AcmeMonitorConfig:
    """What a stack may say.

    Attributes:
        threshold: The index above which a column has drifted, unless a pipeline says otherwise.
        bins: Into how many bins numbers are put, of equally many rows of the reference.
    """

    threshold: float = 0.2
    bins: int = 10

    def __post_init__(self) -> None:
        if self.threshold <= 0 or self.bins < 2:
            raise ValueError("threshold must be more than 0, and bins at least 2")


class AcmeMonitor(Monitor):
    """Computes the population stability index; which columns can be compared, Stackyard says.

    A capability that your tool has not is left out of ``capabilities``, with its method.
    """

    config: AcmeMonitorConfig

    @property
    def capabilities(self) -> frozenset[str]:
        """Neither ``performance`` nor a page of its own, ``html``."""
        return frozenset({"quality"})

    def methods(self) -> Sequence[Method]:
        """What a pipeline may ask for by name; of a p-value, drift is ``below`` its threshold."""
        return [Method("psi", ("number", "category"), "above", self.config.threshold)]

    def drift(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        columns: Sequence[Column],
        thresholds: Mapping[str, float],
    ) -> Mapping[str, tuple[str, float] | str]:
        """Method and score of each column; where your tool has no score, a text that says why.

        A column's ``method`` is the one that a pipeline asks for; where it is empty, choose.
        """
        found = {}
        for column in columns:
            now, base = current[column.name].dropna(), reference[column.name].dropna()
            found[column.name] = ("psi", self._psi(now, base, column.kind == "number"))
        return found

    def quality(
        self, current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[Column]
    ) -> Sequence[Figure]:
        """Shares of rows that are missing, and of values that are out of range or new."""
        found = []
        for column in columns:
            now, base = current[column.name], reference[column.name]
            missing = float(now.isna().mean()), float(base.isna().mean())
            found.append(Figure(column.name, "share missing", *missing, "above"))
            now, base = now.dropna(), base.dropna()
            if now.empty or base.empty:
                continue
            if column.kind == "number":
                share = float((~now.between(base.min(), base.max())).mean())
                found.append(Figure(column.name, "share out of range", share, 0.0, "above"))
            elif column.kind == "category":
                share = float((~now.isin(base.unique())).mean())
                found.append(Figure(column.name, "share new", share, 0.0, "above"))
        return found

    def _psi(self, current: pd.Series, reference: pd.Series, number: bool) -> float:
        """The sum of ``(p - q) * log(p / q)`` over bins or categories."""
        import numpy as np
        import pandas as pd

        if number:
            edges = np.quantile(reference, np.linspace(0, 1, self.config.bins + 1)[1:-1])
            current = pd.Series(np.searchsorted(edges, current))
            reference = pd.Series(np.searchsorted(edges, reference))
        sides = {"p": current, "q": reference}
        counts = {name: side.value_counts(normalize=True) for name, side in sides.items()}
        share = pd.DataFrame(counts).fillna(0.0).clip(lower=LEAST)
        return float(((share["p"] - share["q"]) * np.log(share["p"] / share["q"])).sum())
