"""``stackyard demo`` as a new user starts it."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest

from stackyard.cli.demo import FILES
from stackyard.report import read_report
from stackyard.store.store import open_store
from tests.e2e.conftest import Place, environment
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def demo(folder: Path, *options: str) -> str:
    """What the demo says; it must end well."""
    script = Path(sys.executable).with_name("stackyard")
    done = subprocess.run(
        [str(script), "demo", str(folder), *options],
        cwd=folder.parent,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def left(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has just ended, or is another user's
            words = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(str(folder) in word for word in words):
                found.append(process)
    return found


def test_the_pipeline_uses_nothing_that_pandas_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "dags"))
    pipeline = importlib.import_module("flight_delays")
    del sys.modules["flight_delays"]  # a test of a project has one of its own
    days = pd.DataFrame({"year": 2013, "month": 1, "day": [6, 7], "sched_dep_time": 1730})
    flights = days.assign(distance=100, arr_delay=0.0, carrier="UA", origin="EWR", dest="BOS")
    flights = flights.assign(**dict.fromkeys(pipeline.WEATHER, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = pipeline.known_before(flights)
    assert known["weekday"].tolist() == [6, 0]  # a Sunday, a Monday


def test_the_demo_without_airflow(tmp_path: Path) -> None:
    said = demo(tmp_path / "shown", "--no-airflow", "--no-serving")
    weather, first, second, *_ = re.findall(
        r"^\d/4 .*?(?=^\d/4|\Z)", said, re.MULTILINE | re.DOTALL
    )
    for step in ("observe", "validate", "publish", "refresh", "compare"):
        assert re.search(rf"^{step} +succeeded", weather, re.MULTILINE)
    for step in ("load", "validate", "join_weather", "split", "features", "train", "evaluate"):
        assert re.search(rf"^{step} +succeeded", first, re.MULTILINE)
        assert re.search(rf"^{step} +cached +nothing it depends on changed", second, re.MULTILINE)
    for step in ("keep", "register"):
        assert re.search(f"^{step} +succeeded .* so it runs in every run", second, re.MULTILINE)
    for name in ("flight_delays", "flight_features"):
        assert (tmp_path / f"shown/dags/generated/dev/{name}.py").is_file()
    again = demo(tmp_path / "shown", "--no-airflow", "--no-serving")  # in the folder that is there
    assert not re.search("^train +succeeded", again, re.MULTILINE)


@pytest.mark.full
@pytest.mark.timeout(600)  # its budget is 6 minutes
def test_the_demo(tmp_path: Path) -> None:
    said = demo(tmp_path / "shown")
    assert "9 of 9 artifacts have the same digest as in process" in said
    # What Airflow learned was served, drifted, and another version took its place.
    assert re.search(r"EV 4322 to PWM, .*\n +\d\d% likely to .* late, says version 3 ", said)
    assert "   drifted: 8 of 13 inputs drifted: " in said
    assert re.search("^ +4 +2013-07  candidate, champion  100 %$", said, re.MULTILINE)
    assert re.search("^ +3 +2013-01 +0 %, ready for a rollback$", said, re.MULTILINE)
    assert "flight-delays is stopped" in said
    assert not left(tmp_path)
    # Stack dev names a second data versioner.
    store = open_store(".stackyard/store", root=tmp_path / "shown")
    (run,) = [r for r in store.records.runs(limit=10) if r.orchestrator == "airflow"]
    report = read_report(store, run.run_id)
    kept = {one.component: one.value for one in report.evidence if one.kind == "data"}
    assert set(kept) == {"data_versioner", "data_versioner.archive"}
    assert len(set(kept.values())) == 1
    archived = [p for p in (tmp_path / "shown/.stackyard/archive").rglob("*") if p.is_file()]
    assert kept["data_versioner"] in [p.parent.name + p.name for p in archived]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_served_model_can_be_kept(tmp_path: Path) -> None:
    project = Place(tmp_path / "shown")
    said = demo(project.root, "--no-airflow", "--keep")
    shown = re.search(r"(\d\d)% likely", said)
    assert shown is not None and "stackyard serve undeploy flight-delays" in said
    asked = ("serve", "predict", "flight-delays", "flight.csv", "--version", "2")
    (first,) = [o["data"] for o in project.json(*asked)["outputs"] if o["name"] == "probability"]
    assert f"{first[0]:.0%}" == f"{shown[1]}%"
    again = demo(project.root, "--no-airflow")
    assert "version 3 of flight_delays is in use already: serving is left out" in again
    assert project.json("serve", "status")["endpoints"][0]["status"] == "ready"
    project.run("serve", "undeploy", "flight-delays")
    assert not left(tmp_path)


@pytest.mark.full
def test_a_demo_that_is_cut_stops_what_it_served(tmp_path: Path) -> None:
    """Also where it was to be kept: nobody has seen yet what that would be."""
    project = Place(tmp_path / "shown")
    words = project.command("demo", str(project.root), "--no-airflow", "--keep")
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True) as cut:
        assert cut.stderr is not None
        for line in cut.stderr:
            if "served at http" in line:
                assert [p for p in left(tmp_path) if p.pid != cut.pid]
                cut.send_signal(signal.SIGINT)
                break
        said = cut.stderr.read()
    assert cut.returncode == 1 and "flight-delays is stopped" in said, said
    assert not left(tmp_path)


@pytest.mark.full
def test_the_weather_of_a_day_on_airflow(tmp_path: Path) -> None:
    """The second pipeline, unchanged, on the demo's Airflow: what it kept fresh is joined here."""
    demo(tmp_path / "shown", "--no-airflow", "--no-serving")
    project = Place(tmp_path / "shown")
    port = {"STACKYARD_AIRFLOW_PORT": str(free_port())}
    month = "period=2013-02"
    lacks = project.run("run", "flight_delays", "--param", month, check=False)
    assert lacks.returncode == 1 and "weather is known for 0% of the flights" in lacks.stderr
    try:
        project.run("stack", "up", "--stack", "dev", env=port)
        words = ("run", "flight_features", "--stack", "dev", "--param", month)
        made = project.json(*words, env=port)
    finally:
        project.run("stack", "down", "--stack", "dev", env=port)
    assert made["status"] == "succeeded"
    now = project.steps("flight_delays", "--param", month)
    assert (now["validate"], now["join_weather"], now["register"]) == (
        "cached", "succeeded", "succeeded"
    )  # fmt: skip


def test_a_wheel_has_the_files_of_the_demo() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {name: f"stackyard/demo_project/{name}" for name in FILES}
    assert all((ROOT / name).is_file() for name in FILES)


@pytest.mark.full
def test_a_wheel_that_was_built_has_the_files_of_the_demo(tmp_path: Path) -> None:
    own = ROOT / ".uv/bin/uv"
    uv = str(own) if own.is_file() else shutil.which("uv")
    if uv is None:
        pytest.skip("a wheel is built with uv, which is not installed")
    subprocess.run(
        [uv, "build", "--wheel", "--out-dir", str(tmp_path), str(ROOT)], check=True, timeout=600
    )
    (wheel,) = tmp_path.glob("stackyard-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        for name in FILES:
            assert packed.read(f"stackyard/demo_project/{name}") == (ROOT / name).read_bytes()
