"""Metrics of predictions, for many weightings of the same rows at once.

A bootstrap draws rows with replacement, which is to weigh each by how often it was drawn. So every
metric takes weights of shape (draws, rows) and gives one figure for each draw; weights of one are
the metric itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float64]  # (rows,)
    Weights: TypeAlias = NDArray[np.float64]  # (draws, rows)

Metric: TypeAlias = "Callable[[Vector, Vector, Weights], Vector]"


def accuracy(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Share of rows whose class is right; a probability counts as 1 from 0.5 on."""
    return _mean((given >= 0.5) == (truth >= 0.5), weights)


def precision(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Share of the rows taken for positive that are; 0 where none was."""
    return _ratio((given >= 0.5) & (truth >= 0.5), given >= 0.5, weights)


def recall(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Share of the positive rows that were taken for it; 0 where there are none."""
    return _ratio((given >= 0.5) & (truth >= 0.5), truth >= 0.5, weights)


def brier(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Mean squared difference of probability and truth (Brier 1950); less is better."""
    return _mean((given - truth) ** 2, weights)


def log_loss(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Mean negative logarithm of the probability of what was true; less is better."""
    import numpy as np

    least = np.finfo(float).eps
    sure = np.clip(given, least, 1 - least)
    return _mean(-np.where(truth >= 0.5, np.log(sure), np.log1p(-sure)), weights)


def auc(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Probability that a positive row has the larger score than a negative one, ties half.

    The Mann-Whitney form of the area under the ROC curve (Hanley and McNeil, Radiology 143, 1982);
    0.5 where one of the classes was not drawn.
    """
    import numpy as np

    order = np.argsort(given, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(given[order]) != 0])
    positive = truth[order] >= 0.5
    drawn = weights[:, order]
    good = np.add.reduceat(drawn * positive, starts, axis=1)
    bad = np.add.reduceat(drawn * ~positive, starts, axis=1)
    wins = (good * (np.cumsum(bad, axis=1) - bad / 2)).sum(axis=1)
    pairs = good.sum(axis=1) * bad.sum(axis=1)
    return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1.0), 0.5)


def mae(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Mean absolute error; less is better."""
    return _mean(abs(given - truth), weights)


def rmse(truth: Vector, given: Vector, weights: Weights) -> Vector:
    """Root of the mean squared error; less is better."""
    return _mean((given - truth) ** 2, weights) ** 0.5


METRICS: Mapping[str, Metric] = {
    metric.__name__: metric
    for metric in (accuracy, precision, recall, brier, log_loss, auc, mae, rmse)
}
OF_NUMBERS = ("mae", "rmse")  # the others are of two classes


def _mean(values: Any, weights: Weights) -> Vector:
    means: Vector = weights @ values.astype(float) / weights.sum(axis=1)
    return means


def _ratio(part: Any, whole: Any, weights: Weights) -> Vector:
    import numpy as np

    below = weights @ whole.astype(float)
    return np.where(below > 0, weights @ part.astype(float) / np.where(below > 0, below, 1.0), 0.0)
