"""What the pipelines in dags/ say to who asks for what there is not."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from stackyard import Period
from stackyard.errors import StepFailed
from stackyard.testing import MemoryFeatureStore

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules ``flight_delays`` and ``flight_features``."""
    monkeypatch.syspath_prepend(str(DAGS))
    names = ("flight_delays", "flight_features")
    yield [__import__(name) for name in names]
    for name in names:
        del sys.modules[name]


def test_a_period_without_data_is_named_as_it_was_typed(pipelines: list[ModuleType]) -> None:
    delays, features = pipelines
    period = Period.parse("2015-02", "America/New_York")
    for read, what in ((delays.load, "no flights"), (features.observe, "no weather")):
        with pytest.raises(StepFailed, match=rf"^{what} in 2015-02: .* --param period=2013-01$"):
            read(period)


def test_missing_weather_names_the_period_to_bring(pipelines: list[ModuleType]) -> None:
    delays, _ = pipelines
    hour = pd.Timestamp("2013-01-31T10:00Z")
    known = {"origin": "JFK", "timestamp": [hour], **{name: 1.0 for name in delays.WEATHER}}
    store = MemoryFeatureStore(
        views={"weather": pd.DataFrame(known)}, entities={"weather": ["origin"]}
    )
    flights = {
        "origin": "EWR",
        "time_hour": [str(hour)] * 2,
        "year": 2013,
        "month": [1, 2],
        "day": 5,
    }
    with pytest.raises(StepFailed, match="known for 0% ") as caught:
        delays.join_weather(pd.DataFrame(flights), features=store)
    given = re.search(r"flight_features --param period=(\S+)$", str(caught.value))
    assert given is not None and given[1] == "2013-01-05..2013-02-05"
