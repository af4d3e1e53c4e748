"""A monitor in memory: PSI and Kolmogorov-Smirnov on numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.monitor import Column, Direction, Figure, Method, Monitor, Task
from stackyard.gating.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

_BINS = 10
_LEAST = 1e-4  # a share of 0 would make the index infinite
_FIGURES: Mapping[Task, Mapping[str, Direction]] = {
    "number": {"mae": "above", "rmse": "above"},
    "class": {"accuracy": "below"},
    "probability": {"auc": "below", "log_loss": "above"},
}


class MemoryMonitor(Monitor):
    """Compares frames in this process; what is in ``drifting`` has drifted whatever the data is.

    Args:
        config: none.
        context: what surrounds it.
        drifting: names of columns.
    """

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        drifting: Sequence[str] = (),
    ) -> None:
        super().__init__(config, context or Context(name="monitor"))
        self._drifting = frozenset(drifting)

    @property
    def capabilities(self) -> frozenset[str]:
        """It has no page of its own."""
        return frozenset({"quality", "performance"})

    def methods(self) -> Sequence[Method]:
        """Two."""
        return (
            Method("psi", ("number", "category"), "above", 0.2),
            Method("ks", ("number",), "below", 0.05),
        )

    def drift(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        columns: Sequence[Column],
        thresholds: Mapping[str, float],
    ) -> Mapping[str, tuple[str, float] | str]:
        """Score each column."""
        found: dict[str, tuple[str, float] | str] = {}
        for column in columns:
            method = column.method or "psi"
            sides = current[column.name].dropna(), reference[column.name].dropna()
            score = ks(*sides) if method == "ks" else psi(*sides, column.kind == "number")
            if column.name in self._drifting:
                score = 0.0 if method == "ks" else 1e9
            found[column.name] = (method, score)
        return found

    def quality(
        self, current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[Column]
    ) -> Sequence[Figure]:
        """Shares of rows."""
        found = []
        for column in columns:
            mine, base = current[column.name], reference[column.name]
            missing = float(mine.isna().mean()), float(base.isna().mean())
            found.append(Figure(column.name, "share missing", *missing, "above"))
            if mine.notna().any() and base.notna().any():
                known = mine.dropna()
                if column.kind == "number":
                    out = float((~known.between(base.min(), base.max())).mean())
                    found.append(Figure(column.name, "share out of range", out, 0.0, "above"))
                elif column.kind == "category":
                    new = float((~known.isin(base.dropna().unique())).mean())
                    found.append(Figure(column.name, "share new", new, 0.0, "above"))
        return found

    def performance(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        label: str,
        prediction: str,
        task: Task,
    ) -> Sequence[Figure]:
        """The figures of gates."""
        return [
            Figure(
                prediction,
                name,
                _figure(name, current, label, prediction),
                _figure(name, reference, label, prediction),
                worse,
            )
            for name, worse in _FIGURES[task].items()
        ]


def psi(current: Any, reference: Any, number: bool) -> float:
    """Population stability index: sum of ``(p - q) * log(p / q)`` over ten bins or all categories.

    It is Jeffreys' divergence (1946) of two histograms; bins are deciles of the reference.
    """
    import numpy as np

    if number:
        edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
        places = [np.searchsorted(edges, side) for side in (current, reference)]
        counts = [np.bincount(place, minlength=len(edges) + 1) for place in places]
    else:
        levels = sorted({*current, *reference})
        counts = [
            side.value_counts().reindex(levels, fill_value=0) for side in (current, reference)
        ]
    p, q = (np.maximum(np.asarray(c) / np.sum(c), _LEAST) for c in counts)
    return float(((p - q) * np.log(p / q)).sum())


def ks(current: Any, reference: Any) -> float:
    """The p-value of the two-sample Kolmogorov-Smirnov test, asymptotic (Smirnov 1939)."""
    import numpy as np

    a, b = np.sort(current), np.sort(reference)
    both = np.concatenate([a, b])
    ranks = [np.searchsorted(side, both, side="right") / len(side) for side in (a, b)]
    size = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    z = size * np.abs(ranks[0] - ranks[1]).max()
    k = np.arange(1, 101)
    tail = 2 * ((-1.0) ** (k - 1) * np.exp(-2 * (k * z) ** 2)).sum()
    return float(np.clip(tail, 0, 1)) if z > 0.2 else 1.0


def _figure(name: str, side: pd.DataFrame, label: str, prediction: str) -> float:
    import numpy as np

    truth, given = side[label].to_numpy(), side[prediction].to_numpy()
    if name == "accuracy":
        return float((truth == given).mean())
    weights = np.ones((1, len(side)))
    return float(METRICS[name](truth.astype(float), given.astype(float), weights)[0])
