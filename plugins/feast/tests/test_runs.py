"""Steps that read features are run again when, and only when, the store would answer otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import ViewDefinition
from stackyard.testing.weather import WEATHER, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore
from tests.e2e.conftest import Place

PIPELINE = """
    import pandas as pd
    from stackyard import FeatureStore, from_stack, pipeline, step

    @step(cache=True)
    def load() -> pd.DataFrame:
        return pd.DataFrame({"origin": ["JFK"], "at": pd.to_datetime(["2013-01-01 03:00"])})

    @step
    def join(rows: pd.DataFrame, *, store: FeatureStore = from_stack()) -> pd.DataFrame:
        joined = store.historical(rows, ["weather:temp"], timestamp="at")
        import sys
        assert "feast" not in sys.modules
        return joined

    @step
    def temp(rows: pd.DataFrame) -> float:
        return float(rows["temp"].iloc[0])

    @pipeline
    def forecast() -> None:
        temp(join(load()))
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A project with a feature store."""
    made = Place(tmp_path / "project")
    made.write(
        "stacks/local.yaml",
        "components:\n  orchestrator: {flavor: local}\n  feature_store: {flavor: feast}\n",
    )
    made.write("dags/forecast.py", PIPELINE)
    return made


def store(place: Place) -> Any:
    """The project's feature store, as a step has it."""
    state = place.root / ".stackyard" / "state" / "feature_store"
    context = Context(name="feature_store", project=place.root, state_dir=state)
    return FeastFeatureStore(FeastConfig(), context)


def test_new_rows_and_definitions_run_the_join_again(place: Place) -> None:
    ran = {"load": "cached", "join": "succeeded", "temp": "succeeded"}
    cached = dict.fromkeys(ran, "cached")
    made = store(place)
    made.apply([WEATHER])
    made.write("weather", weather())
    assert set(place.steps("forecast").values()) == {"succeeded"}
    assert place.steps("forecast") == cached
    made.write("weather", weather())
    made.materialize(pd.Timestamp("2013-01-02").to_pydatetime())
    assert place.steps("forecast") == cached
    made.write("weather", weather().assign(temp=7.0))
    said = place.run("run", "forecast", "--explain").stderr
    assert "what store holds changed" in said
    assert place.steps("forecast") == cached
    made.apply([ViewDefinition.of({**WEATHER.plain(), "ttl": "9h"})])
    made.write("weather", weather().assign(temp=8.0))
    assert place.steps("forecast") == ran
    record = place.json("runs", "show", "latest")
    assert made.describe()[0].digest in str(record)
