"""The ways to score drift: those of the tool, one more, and which is taken where none is named."""

from __future__ import annotations

import math
from typing import Any

from stackyard.components.monitor import Column, Method

BOTH = "chi2_contingency"
# Half of the threshold of the distances that are chosen: where two samples of the same rows are
# expected to be nearer, their distance is above the threshold by chance less often than 5 %.
NOISE = 0.05
# The tool divides by no smaller standard deviation: columns of small numbers would never drift.
SMALLEST = 0.001

METHODS = (
    Method("wasserstein", ("number",), "above", 0.1),
    Method("ks", ("number",), "below", 0.05),
    Method("anderson", ("number",), "below", 0.1),
    Method("cramer_von_mises", ("number",), "below", 0.1),
    Method("ed", ("number",), "above", 0.1),
    Method("empirical_mmd", ("number",), "below", 0.1),
    Method("es", ("number",), "below", 0.05),
    Method("mannw", ("number",), "below", 0.05),
    Method("t_test", ("number",), "below", 0.05),
    Method("jensenshannon", ("number", "category"), "above", 0.1),
    Method("hellinger", ("number", "category"), "above", 0.1),
    Method("kl_div", ("number", "category"), "above", 0.1),
    Method("psi", ("number", "category"), "above", 0.1),
    Method(BOTH, ("category",), "below", 0.05),
    Method("chisquare", ("category",), "below", 0.05),
    Method("fisher_exact", ("category",), "below", 0.1),
    Method("g_test", ("category",), "below", 0.1),
    Method("TVD", ("category",), "below", 0.1),
    Method("z", ("category",), "below", 0.05),
)


def chosen(column: Column, current: Any, reference: Any) -> str:
    """The method of a column: the one that is named, or one whose false alarms are few here.

    The tool chooses by the size of the reference alone: of few current rows its distances are above
    their thresholds by chance, and below 1,000 rows it takes a chi-square test for which the
    reference is exact, which alarms falsely far more often than it says.

    The expected squared Jensen-Shannon distance of two samples of the same K categories is
    (K - 1) / 8 * (1 / n + 1 / m), from the chi-square distribution of twice the number of values
    times the divergence (Wilks 1938; Lin 1991).
    """
    if column.method:
        return column.method
    current, reference = current.dropna(), reference.dropna()
    if column.kind == "number":
        near = not blind("wasserstein", reference) and _noise(current, reference) <= NOISE
        return "wasserstein" if near else "ks"
    levels = max(current.nunique(), reference.nunique())
    noise = math.sqrt((levels - 1) / 8 * (1 / len(current) + 1 / len(reference)))
    return "jensenshannon" if noise <= NOISE else BOTH


def blind(method: str, reference: Any) -> bool:
    """Whether the method cannot see drift from a reference that is spread so little, or so much."""
    return method == "wasserstein" and not SMALLEST <= reference.std(ddof=0) < math.inf


def _noise(current: Any, reference: Any) -> float:
    """The expected Wasserstein distance of two such samples of the same rows, as the tool norms it.

    The difference of two empirical distributions F is about a Brownian bridge, of which the mean
    absolute value is sqrt(2 / pi * F * (1 - F) * (1 / n + 1 / m)); the distance is its integral
    (del Barrio, Gine and Matran 1999). It is more where tails are heavy.
    """
    import numpy as np

    n, m = len(current), len(reference)
    both = np.sort(np.concatenate([current, reference]))
    share = np.arange(1, n + m) / (n + m)
    bridge = float((np.sqrt(share * (1 - share)) * np.diff(both)).sum())
    return math.sqrt(2 / math.pi * (1 / n + 1 / m)) * bridge / float(reference.std(ddof=0))


def register() -> None:
    """Make the tool know the chi-square test of two samples."""
    from evidently.legacy.calculations.stattests import registry
    from evidently.legacy.core import ColumnType

    if BOTH not in registry._registered_stat_tests:
        known = registry.StatTest(
            name=BOTH,
            display_name="chi-square p_value of both samples",
            allowed_feature_types=[ColumnType.Categorical],
            default_threshold=0.05,
        )
        registry.register_stattest(known, _chi2_contingency)


def _chi2_contingency(
    reference: Any, current: Any, kind: Any, threshold: float
) -> tuple[float, bool]:
    """Pearson's test of homogeneity; rare categories are one, so that no cell expects too few.

    Cells that expect fewer than 5 make the p-value wrong (Cochran 1954).
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import chi2_contingency

    counts = pd.DataFrame({"r": reference.value_counts(), "c": current.value_counts()}).fillna(0)
    totals = counts.sum()
    expected = np.outer(counts.sum(axis=1), totals) / totals.sum()
    rare = expected.min(axis=1) < 5
    table = counts[~rare].to_numpy()
    if rare.any():
        table = np.vstack([table, counts[rare].sum().to_numpy()])
    p = float(chi2_contingency(table, correction=False).pvalue) if len(table) > 1 else 1.0
    return p, p < threshold
