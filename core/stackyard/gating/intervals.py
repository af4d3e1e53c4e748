"""How exactly a sum of metrics is known, and how many rows it takes to know it better."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stackyard.gating.metrics import Vector, Weights

DRAWS = 2000
CELLS = 4_000_000  # of the matrix of weights that is made at once


class Interval(NamedTuple):
    """An estimate, and the bounds between which the truth lies but for the stated error."""

    estimate: float
    low: float
    high: float
    method: str

    @property
    def half(self) -> float:
        """Half of its width."""
        return (self.high - self.low) / 2


def bootstrap(
    measure: Callable[[Weights], Vector],
    rows: int,
    error: float,
    *,
    width: int = 0,
    seed: int = 0,
) -> Interval:
    """A paired bootstrap: all metrics and both models see the same draws.

    The bounds are the estimate plus and minus the normal quantile times the standard deviation over
    ``DRAWS`` draws (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3):
    quantiles of the draws themselves would need far more of them at the errors of a gate.

    Args:
        measure: the figure for each row of a matrix of weights, (draws, rows).
        rows: number of rows that are drawn from.
        error: probability that the truth lies elsewhere; 1 minus it may be 1 in floats.
        width: columns of what ``measure`` makes of the weights, where they are more than ``rows``.
        seed: the same seed gives the same bounds.
    """
    import numpy as np
    from scipy.stats import norm

    random = np.random.default_rng(seed)
    estimate = float(measure(np.ones((1, rows)))[0])
    found, part = [], max(1, min(DRAWS, CELLS // max(rows, width)))
    for start in range(0, DRAWS, part):
        number = min(part, DRAWS - start)
        places = random.integers(0, rows, (number, rows)) + rows * np.arange(number)[:, None]
        drawn = np.bincount(places.ravel(), minlength=number * rows).reshape(number, rows)
        found.append(measure(drawn.astype(float)))
    reach = float(norm.isf(error / 2)) * float(np.std(np.concatenate(found), ddof=1))
    return Interval(estimate, estimate - reach, estimate + reach, "paired bootstrap")


def exact(better: int, worse: int, rows: int, error: float) -> Interval:
    """Bounds of the difference of two accuracies on the same rows, without approximation.

    The difference is that of two shares: of rows that only one model has right, and of those that
    only the other has. Each has its exact bounds; that all four hold is by the union
    bound.

    Args:
        better: rows that only the challenger has right.
        worse: rows that only the champion has right.
        rows: all rows.
        error: probability that the truth lies elsewhere.
    """
    tail = error / 4
    (low, high), (lowest, highest) = (share(n, rows, tail) for n in (better, worse))
    return Interval((better - worse) / rows, low - highest, high - lowest, "exact bound")


def share(number: int, rows: int, tail: float) -> tuple[float, float]:
    """The exact bounds of a share of which ``number`` in ``rows`` were seen.

    Of Clopper and Pearson (Biometrika 26, 1934).

    Args:
        number: of the rows that are of the kind.
        rows: all rows.
        tail: probability that the truth is below the lower bound, and that it is above the upper.
    """
    from scipy.stats import beta

    low = float(beta.ppf(tail, number, rows - number + 1)) if number else 0.0
    high = float(beta.isf(tail, number + 1, rows - number)) if number < rows else 1.0
    return low, high


def share_above(first: tuple[int, int], second: tuple[int, int], tail: float) -> float:
    """By how much the first of two shares is above the second at least; below 0 if it may not be.

    The distances of both estimates from their bounds are squared and added, as Newcombe has it
    (Statistics in Medicine 17, 1998, method 10), with exact bounds of each.

    Args:
        first, second: how many of the rows are of the kind, and of how many, at least one each.
        tail: probability that the truth is less.
    """
    (one, ones), (other, others) = first, second
    low, _ = share(one, ones, tail)
    _, high = share(other, others, tail)
    return one / ones - other / others - math.hypot(one / ones - low, high - other / others)


def quantile(values: Vector, at: float, tail: float) -> tuple[float, float]:
    """Bounds of a quantile, whatever the distribution (David and Nagaraja, Order Statistics, 2003).

    Args:
        values: that were seen; too few of them give an infinite bound.
        at: which quantile, e.g. 0.95.
        tail: probability that the truth is below the lower bound, and that it is above the upper.
    """
    import numpy as np
    from scipy.stats import binom

    ordered, rows = np.sort(values), len(values)
    low, high = int(binom.ppf(tail, rows, at)), int(binom.isf(tail, rows, at))
    return (
        float(ordered[low - 1]) if low else -math.inf,
        float(ordered[high]) if high < rows else math.inf,
    )


def rows_needed(found: Interval, rows: int, tolerance: float) -> int:
    """How many rows there should be for half of the interval to be ``tolerance``.

    An interval's width falls with the root of the number of rows.
    """
    return math.ceil(rows * (found.half / tolerance) ** 2)


def sample_size(
    differ: float, tolerance: float, uses: int, reliability: float, *, adaptive: bool = True
) -> int:
    """Labels it takes to decide about the difference of two accuracies, for all uses together.

    Bennett's inequality for a difference that is not 0 on a share ``differ`` of the rows at most,
    as ease.ml/ci has it (Renggli et al., MLSys 2019, section 4.1): 29 thousand labels for
    differ=0.1, tolerance=0.01, 32 uses at 0.9999 that nobody learns from, 67 thousand otherwise.

    Args:
        differ: largest share of rows on which the two models' answers differ.
        tolerance: by how much the difference found may be off.
        uses: how often the test set is asked.
        reliability: probability that no answer is off by more.
        adaptive: whoever makes the next model has seen whether the last one passed.
    """
    ratio = tolerance / differ
    rate = differ * ((1 + ratio) * math.log1p(ratio) - ratio)
    questions = uses * math.log(2) if adaptive else math.log(uses)
    return math.ceil((questions + math.log(4 / (1 - reliability))) / rate)
