"""What Stackyard adds to Evidently: 25,000 flights by 15 columns, January's beside July's.

Both score the same columns by the same methods in this process, in turns. Evidently alone is taken
twice: its preset, as its documentation does it, and the least that it can be asked, one metric for
each column.
"""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.measuring import Row, print_rows
from tests.benchmarks.validating import flights

TIMES = 7
BUDGET = 1.15

NUMBERS = (
    "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay",
    "air_time", "distance", "hour", "minute", "day", "flight",
)  # fmt: skip
CATEGORIES = ("carrier", "origin", "dest")


def sides(months: tuple[int, int] = (7, 1), rows: int = 25_000) -> list[Any]:
    """Flights of each month, by 15 columns."""
    frame = flights()
    columns = [*NUMBERS, *CATEGORIES]
    found = [frame[frame["month"] == month][columns] for month in months]
    return [side.sample(rows, replace=len(side) < rows, random_state=0) for side in found]


def _datasets(current: Any, reference: Any) -> list[Any]:
    from evidently import DataDefinition, Dataset

    kinds = {"numerical_columns": list(NUMBERS), "categorical_columns": list(CATEGORIES)}
    return [Dataset.from_pandas(side, DataDefinition(**kinds)) for side in (current, reference)]


def preset(current: Any, reference: Any) -> int:
    """As the tool's own documentation does it."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    snapshot = Report([DataDriftPreset()]).run(*_datasets(current, reference))
    return len(snapshot.metric_results) - 1  # the count of drifted columns


def least(current: Any, reference: Any) -> int:
    """One metric for each column and nothing else."""
    from evidently import Report
    from evidently.metrics import ValueDrift

    metrics = [ValueDrift(column=name) for name in (*NUMBERS, *CATEGORIES)]
    return len(Report(metrics).run(*_datasets(current, reference)).metric_results)


def ours(current: Any, reference: Any) -> int:
    """As the step does it, without the figures of quality, which Evidently is not asked for."""
    report = _monitor(drift_only=True).compare(current, reference)
    return sum(score.drifted is not None for score in report.scores)


def whole(current: Any, reference: Any) -> int:
    """As the step does it."""
    return len(_monitor(drift_only=False).compare(current, reference).of("input"))


def _monitor(drift_only: bool) -> Any:
    from stackyard.components.base import Context
    from stackyard_evidently.config import EvidentlyConfig
    from stackyard_evidently.monitor import EvidentlyMonitor

    class DriftOnly(EvidentlyMonitor):
        capabilities = frozenset()  # type: ignore[assignment]

    return (DriftOnly if drift_only else EvidentlyMonitor)(EvidentlyConfig(), Context())


def rows() -> list[Row]:
    """Take turns, after one round that imports."""
    current, reference = sides()
    ways = (preset, least, ours, whole)
    assert [way(current, reference) for way in ways] == [15] * 4
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(TIMES):
        for way in ways:
            begun = time.process_time()
            way(current, reference)
            best[way] = min(best[way], time.process_time() - begun)
    held = [
        Row(
            f"drift of 25,000 rows by 15 columns, beside Evidently alone, {what}",
            f"{best[ours] / best[way]:.2f}x: {best[ours]:.2f} and {best[way]:.2f} CPU s",
            f"{BUDGET}x",
            best[ours] <= BUDGET * best[way],
        )
        for way, what in ((preset, "its preset"), (least, "one metric each"))
    ]
    return [*held, Row("the same with quality", f"{best[whole]:.2f} CPU s", "told", True)]


if __name__ == "__main__":
    print_rows(rows())
