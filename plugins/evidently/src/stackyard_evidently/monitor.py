"""The monitor: drift, quality and performance by Evidently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stackyard.components.monitor import Column, Figure, Method, Monitor, Task
from stackyard_evidently import methods, reports
from stackyard_evidently.quiet import quiet

if TYPE_CHECKING:
    import pandas as pd


class EvidentlyMonitor(Monitor):
    """Makes reports of the tool, on nothing but the columns that can be compared."""

    @property
    def capabilities(self) -> frozenset[str]:
        """All of them."""
        return frozenset({"quality", "performance", "html"})

    def methods(self) -> Sequence[Method]:
        """Those of the tool for numbers and categories, and the chi-square test of two samples."""
        return methods.METHODS

    def drift(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        columns: Sequence[Column],
        thresholds: Mapping[str, float],
    ) -> Mapping[str, tuple[str, float] | str]:
        """Score each column."""
        with quiet():
            return reports.drift(current, reference, columns, thresholds)

    def quality(
        self, current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[Column]
    ) -> Sequence[Figure]:
        """Shares of rows that are missing, and of values that are out of range or new."""
        with quiet():
            return reports.quality(current, reference, columns)

    def performance(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        label: str,
        prediction: str,
        task: Task,
    ) -> Sequence[Figure]:
        """Mean errors of numbers, accuracy of classes, ROC AUC and log loss of probabilities."""
        with quiet():
            return reports.performance(current, reference, label, prediction, task)

    def html(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        columns: Sequence[Column],
        thresholds: Mapping[str, float],
    ) -> str:
        """The tool's page on drift, some megabytes, which loads nothing from anywhere."""
        with quiet():
            return reports.page(current, reference, columns, thresholds)
