"""``import stackyard`` stays cheap, and its public names are what they say."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import stackyard

REPORT = """
import json, sys
standard = set(sys.stdlib_module_names)
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
tops = {name for name in tops if not name.startswith("_sysconfigdata")}
print(json.dumps(sorted(tops - standard - {"__main__", "pipeline_file"})))
"""
PIPELINE = """
from __future__ import annotations
from typing import TYPE_CHECKING, NamedTuple
from stackyard import ModelVersion, Period, Registry, Resource, Tracker, from_stack, pipeline, step
if TYPE_CHECKING:
    import pandas as pd

class Warehouse(Resource): ...

class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame

@step(retries=2, timeout="20m", cache="1d")
def load(period: Period, *, warehouse: Warehouse = from_stack()) -> pd.DataFrame: ...

@step
def split(rows: pd.DataFrame) -> Split: ...

@step
def train(rows: pd.DataFrame, depth: int = 6, *, tracker: Tracker = from_stack()) -> object: ...

@step(effect=True)
def register(model: object, *, registry: Registry = from_stack()) -> ModelVersion: ...

@pipeline(schedule="@monthly", timezone="America/New_York")
def flow(period: Period = Period.scheduled(), depth: int = 6) -> None:
    register(train(split(load(period)).train, depth))
"""


def third_party(code: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; before = set(sys.modules)\n{code}\n{REPORT}"],
        capture_output=True, text=True, cwd=folder, check=True,
    )  # fmt: skip
    found: list[str] = json.loads(done.stdout)
    return found


def cpu_seconds(code: str) -> float:
    """CPU time of the cheapest of seven processes that run ``code``."""
    times = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_importing_brings_no_third_party_module(tmp_path: Path) -> None:
    assert third_party("import stackyard", tmp_path) == ["stackyard"]


def test_writing_a_pipeline_brings_no_third_party_module(tmp_path: Path) -> None:
    (tmp_path / "pipeline_file.py").write_text(PIPELINE)
    code = "sys.path.insert(0, ''); import pipeline_file"
    assert third_party(code, tmp_path) == ["stackyard"]


def test_building_its_graph_brings_only_the_cron_simulator(tmp_path: Path) -> None:
    (tmp_path / "pipeline_file.py").write_text(PIPELINE)
    code = "sys.path.insert(0, ''); import pipeline_file; pipeline_file.flow.graph()"
    assert third_party(code, tmp_path) == ["cronsim", "stackyard"]


def test_importing_stays_within_its_budget() -> None:
    cost = cpu_seconds("import stackyard") - cpu_seconds("pass")
    assert cost < 0.05, f"import stackyard costs {cost * 1000:.0f} ms"


def test_a_step_is_cheap_to_mark() -> None:
    code = (
        "from stackyard import step\n"
        "for n in range({}):\n"
        "    @step(retries=2, timeout='20m')\n"
        "    def f(a: int, b: str = 'x') -> int: ...\n"
    )
    cost = cpu_seconds(code.format(5000)) - cpu_seconds(code.format(0))
    assert cost < 0.25, f"5000 steps cost {cost * 1000:.0f} ms"


@pytest.mark.parametrize("name", stackyard.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(stackyard, name)
    assert value.__doc__
    assert name in dir(stackyard)


def test_public_names_are_sorted_and_typed() -> None:
    assert stackyard.__all__ == sorted(stackyard.__all__)
    source = Path(stackyard.__file__).read_text()
    for name in stackyard.__all__:
        assert f" {name} as {name}\n" in source, f"{name} is not re-exported for type checkers"
    with pytest.raises(AttributeError, match="module 'stackyard' has no attribute 'nothing'"):
        _ = stackyard.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("first", ["stackyard.pipeline", "stackyard.step", "stackyard.params"])
def test_modules_do_not_take_the_place_of_decorators(first: str) -> None:
    code = (
        f"import importlib; importlib.import_module({first!r})\n"
        "from stackyard import pipeline, step\n"
        "assert callable(step) and callable(pipeline), (step, pipeline)\n"
        "import stackyard, stackyard.pipeline\n"
        "assert stackyard.pipeline is pipeline and stackyard.step is step\n"
        "from stackyard.pipeline import Pipeline\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
    assert callable(importlib.import_module("stackyard").step)
