"""Prediction intervals: where the figure of the next run lies, given those of earlier ones.

If the figures of K runs and the next one are independent draws of one normal distribution, the
next one lies with probability ``1 - rate`` within ``mean ± t * sd * sqrt(1 + 1/K)``, ``t`` being
the ``1 - rate/2`` quantile of Student's t with K - 1 degrees of freedom (Hahn and Meeker,
Statistical Intervals, 1991, section 4.7). Counts are taken as logarithms and shares as
``asin(sqrt(share))``, on which their scatter is close to normal and does not depend on their size
(Anscombe, Biometrika 35, 1948). An interval is never narrower than what counting rows alone makes,
whose standard deviation is known, so that the normal quantile stands for Student's: a column in
which no null was ever seen may have a few.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence


def interval(figures: Sequence[float], error: float, rate: float) -> tuple[float, float]:
    """Both bounds; ``error`` is what a figure scatters at least, ``rate`` that of false alarms."""
    middle, reach = _middle(figures, error, rate / 2)
    return middle - reach, middle + reach


def count(counts: Sequence[int], rate: float) -> tuple[int, int]:
    """Bounds of a count, on the logarithmic scale."""
    error = math.sqrt(1 / min(counts))
    low, high = interval([math.log(n) for n in counts], error, rate)
    return math.floor(math.exp(low)), math.ceil(math.exp(min(high, 40)))


def share(parts: Sequence[int], totals: Sequence[int], rate: float) -> float:
    """The upper bound of a share: the next one is larger with probability ``rate``."""
    scaled = [math.asin(math.sqrt(p / n)) for p, n in zip(parts, totals, strict=True)]
    middle, reach = _middle(scaled, 1 / math.sqrt(4 * min(totals)), rate)
    return math.sin(min(middle + reach, math.pi / 2)) ** 2


def within_floats(bound: float) -> float:
    """``bound``, or the end of the range of floats that it is beyond."""
    return max(-sys.float_info.max, min(bound, sys.float_info.max))


def scatter(figures: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; of numbers whose squares are beyond floats, too."""
    import numpy as np

    scale = max(map(abs, figures)) or 1.0
    parts = np.asarray(figures, dtype="float64") / scale
    return float(parts.mean()) * scale, float(parts.std(ddof=1)) * scale


def _middle(figures: Sequence[float], error: float, tail: float) -> tuple[float, float]:
    """The mean, and how far the next figure is from it with probability ``tail`` on one side."""
    from scipy.stats import norm, t

    number = len(figures)
    mean, deviation = scatter(figures)
    found = float(t.isf(tail, number - 1)) * deviation
    least = float(norm.isf(tail)) * error
    return mean, max(found, least) * math.sqrt(1 + 1 / number)
