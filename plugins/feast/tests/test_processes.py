"""Several processes define, write and materialize at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.errors import Unavailable
from stackyard.testing.weather import START, WEATHER, plain, questions, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore
from tests.racing import raced

PROCESSES, ROUNDS = 4, 3

WORK = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import feast
import pandas as pd
from stackyard.components.base import Context
from stackyard.testing.weather import WEATHER, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore

folder, me, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = FeastFeatureStore(FeastConfig(), Context(project=folder, state_dir=folder, deadline=100))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(rounds):
    store.apply([WEATHER, replace(WEATHER, name=f"view_{me}_{turn}")])
    rows = weather().assign(origin=f"{me}-{turn}", temp=float(10 * me + turn))
    store.write("weather", rows)
    store.materialize(datetime(2013, 1, 1, 5, tzinfo=UTC), views=["weather"])
"""


def test_nothing_is_lost(tmp_path: Path) -> None:
    """Every view is in Feast's registry, every row is there, and online."""
    commands = [
        [sys.executable, "-c", WORK, str(tmp_path), str(me), str(ROUNDS)] for me in range(PROCESSES)
    ]
    raced(commands)
    store = FeastFeatureStore(FeastConfig(), Context(project=tmp_path, state_dir=tmp_path))
    turns = [(me, turn) for me in range(PROCESSES) for turn in range(ROUNDS)]
    wanted = {"weather", *(f"view_{me}_{turn}" for me, turn in turns)}
    with store._registry.call("views") as feast:
        assert {view.name for view in feast.list_feature_views()} == wanted
    assert {view.name for view in store.describe()} == wanted
    asked = questions([f"{me}-{turn}" for me, turn in turns], [3] * len(turns))
    temps = [float(10 * me + turn) for me, turn in turns]
    joined = store.historical(asked, ["weather:temp"], timestamp="at")
    assert plain(joined["temp"]) == temps
    assert plain(store.online(asked[["origin"]], ["weather:temp"])["temp"]) == temps
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_lock_that_is_held_is_told(tmp_path: Path) -> None:
    """Unavailable after the deadline, naming the folder."""
    context = Context(project=tmp_path, state_dir=tmp_path, deadline=0.2)
    store = FeastFeatureStore(FeastConfig(), context)
    with (
        FeastFeatureStore(FeastConfig(), context)._registry.locked(),
        pytest.raises(Unavailable, match=str(tmp_path)),
    ):
        store.apply([WEATHER])


def test_a_reader_beside_a_writer_sees_whole_files(tmp_path: Path) -> None:
    """What was written is there at once for a component that has read before."""
    context = Context(project=tmp_path, state_dir=tmp_path)
    reader, writer = (FeastFeatureStore(FeastConfig(), context) for _ in range(2))
    writer.apply([WEATHER])
    asked = questions(["JFK"], [3])
    assert plain(reader.historical(asked, ["weather:temp"], timestamp="at")["temp"]) == [None]
    writer.write("weather", weather())
    assert plain(reader.historical(asked, ["weather:temp"], timestamp="at")["temp"]) == [3.0]
    writer.materialize(START.to_pydatetime() + pd.Timedelta(hours=4).to_pytimedelta())
    assert plain(reader.online(asked[["origin"]], ["weather:temp"])["temp"]) == [3.0]
