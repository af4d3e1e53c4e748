"""What the tests of a monitor's contract are made of: frames that drift and frames that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.monitor import Monitor, Watch
from stackyard.components.monitor_report import MonitorReport, Score, Subject
from stackyard.testing.component import ComponentContract
from stackyard.testing.stand_ins import context_in

ROWS = 1500
MODEL = Watch(predictions=("probability", "predict"), label="late")


def flights(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Four inputs, a probability and a class that a model gave, and the truth."""
    random = np.random.default_rng(seed)
    late = (random.random(rows) < 0.3).astype("int64")
    chance = np.clip(random.normal(0.25 + 0.3 * late, 0.15), 0.001, 0.999)
    return pd.DataFrame(
        {
            "carrier": random.choice(["UA", "DL", "AA"], rows, p=[0.5, 0.3, 0.2]),
            "distance": random.normal(900, 200, rows).round(),
            "delay": random.exponential(20, rows),
            "holiday": random.random(rows) < 0.1,
            "probability": chance,
            "predict": (chance >= 0.5).astype("int64"),
            "late": late,
        }
    )


def winter(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, moved: other carriers, and delays four times as long."""
    return frame.assign(
        carrier=frame["carrier"].replace({"UA": "AA", "AA": "UA"}), delay=frame["delay"] * 4
    )


def inputs(frame: pd.DataFrame) -> pd.DataFrame:
    """Only what a model is given."""
    return frame[["carrier", "distance", "delay", "holiday"]]


class MonitorCase(ComponentContract):
    """How the monitor under test is made, and what every component keeps, in a monitor's words."""

    kind = "monitor"

    def ask(self, component: Monitor) -> object:
        """Compare some rows."""
        return component.compare(inputs(flights(1)), inputs(flights()))

    @classmethod
    def do_at_once(cls, component: Monitor, number: int, token: str) -> Any:
        """Compare the same rows, of which those of the second process moved."""
        base = inputs(flights())
        now = base.assign(delay=base["delay"] * (1 + 4 * number))
        return [verdicts(component.compare(now, base))["delay"] for _ in range(3)]

    def check_at_once(self, component: Monitor, results: list[Any], token: str) -> None:
        """Each was told of its own rows."""
        assert results == [[False] * 3, [True] * 3]

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        return context_in(tmp_path / "project", "monitor", "monitor")

    @pytest.fixture
    def monitor(self, context: Context) -> Any:
        """The component under test."""
        made = self.connect(context)
        yield made
        made.close()


def verdicts(report: MonitorReport, subject: Subject = "input") -> dict[str, bool | None]:
    """Whether each column has drifted."""
    return {score.column: score.drifted for score in report.of(subject)}


def score_of(report: MonitorReport, column: str, subject: Subject = "input") -> Score:
    """The score of a column."""
    return next(score for score in report.of(subject) if score.column == column)
