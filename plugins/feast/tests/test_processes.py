"""Several processes define, write and materialize at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.testing.manners import until
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


@pytest.mark.full  # two at once: the contract's c09
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


HOLD = """
import sys
from pathlib import Path

from stackyard.components.base import Context
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore

folder = Path(sys.argv[1])
store = FeastFeatureStore(FeastConfig(), Context(project=folder, state_dir=folder))
with store._registry.locked():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_a_writer_waits_for_one_that_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Longer than a deadline, saying so once; a process that was killed is not waited for."""
    monkeypatch.setattr("stackyard_feast.registry.PATIENCE", 0.1)
    context = Context(project=tmp_path, state_dir=tmp_path, deadline=0.2)
    store = FeastFeatureStore(FeastConfig(), context)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        writer = threading.Thread(target=store.apply, args=([WEATHER],))
        writer.start()
        until(lambda: caplog.records or not writer.is_alive())
        writer.join(0.5)  # it waits longer than a deadline
        waited = writer.is_alive()
        other.kill()
        writer.join(60)
    assert waited
    assert [view.name for view in store.describe()] == ["weather"]
    (said,) = [record.message for record in caplog.records]
    assert "waiting" in said and str(tmp_path) in said


def test_a_reader_does_not_wait(tmp_path: Path) -> None:
    """For one that materializes, which changes the registry, but no definition."""
    context = Context(project=tmp_path, state_dir=tmp_path)
    store, other = (FeastFeatureStore(FeastConfig(), context) for _ in range(2))
    store.apply([WEATHER])
    store.write("weather", weather())
    before = store.describe()
    with other._registry.locked(), other._registry.call("change") as feast:
        feast.apply(feast.list_feature_views())
        assert store._registry.views_without_feast() is None
        reader = ThreadPoolExecutor()
        assert reader.submit(store.describe).result(10) == before
        asked = questions(["JFK"], [3])
        joined = reader.submit(store.historical, asked, ["weather:temp"], timestamp="at").result(10)
        reader.shutdown()
    assert plain(joined["temp"]) == [3.0]
    assert store.describe() == before


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
