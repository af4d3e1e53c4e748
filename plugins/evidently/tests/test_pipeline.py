"""The step ``monitor`` in runs, and the command ``monitor``, on a project with the real tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import document, enter, stackyard, statuses

PIPELINE = """
import numpy as np
import pandas as pd
from stackyard import load_run, monitor, otherwise, pipeline, step, when


@step(cache=True)
def load(seed: int = 0, times: float = 1.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"carrier": random.choice(["UA", "DL"], 1200)})
    frame["delay"] = random.exponential(10, 1200) * times
    return frame


@step
def known() -> pd.DataFrame:
    return load_run(pipeline="learn")["load"]


@step
def act(what: str) -> str:
    return what


@pipeline
def learn():
    load()


@pipeline
def watch(times: float = 1.0, native: bool = False):
    found = monitor(load(1, times), known(), share=0.5, native=native)
    with when(found.drifted):
        act.named("retrain")("retrain")
    with otherwise():
        act.named("wait")("wait")
"""
STACK = """\
components:
  orchestrator: {flavor: local}
  monitor: {flavor: evidently}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, in whose folder commands are run."""
    files = {"dags/flights.py": PIPELINE, "stacks/local.yaml": STACK}
    return enter(tmp_path, monkeypatch, files)


def ran(*words: str) -> dict[str, str]:
    """What became of each step of a run."""
    return statuses(document("run", "watch", *words))


def test_drift_opens_a_branch_and_its_report_is_shown(project: Path) -> None:
    """The reference is the artifact of another run; a cached comparison keeps its report."""
    assert stackyard("run", "learn")[0] == 0
    calm = ran()
    assert (calm["monitor"], calm["retrain"], calm["wait"]) == ("succeeded", "skipped", "succeeded")
    assert "watch, step monitor: not drifted" in stackyard("monitor", "show", "latest")[1]
    assert ran()["monitor"] == "cached"
    assert "not drifted: 0 of 2" in stackyard("monitor", "show", "latest")[1]

    moved = ran("--param", "times=3")
    assert (moved["retrain"], moved["wait"]) == ("succeeded", "skipped")
    scores = document("monitor", "show", "latest")["scores"]
    delay = next(s for s in scores if s["column"] == "delay")
    assert (delay["method"], delay["drifted"], delay["direction"]) == ("ks", True, "below")
    evidence = document("runs", "show", "latest")["evidence"]
    (found,) = [e for e in evidence if e["kind"] == "drift"]
    assert (found["value"], found["name"]) == ("drifted", "monitor")

    # The tool's own page: made anew of the artifacts, or the one that the step kept.
    _, out, _ = stackyard("monitor", "show", "latest", "--native")
    assert "Drift" in Path(out.strip()).read_text()
    ran("--param", "times=3", "--param", "native=true")
    steps = document("runs", "show", "latest")["steps"]
    (step,) = [s for s in steps if s["name"] == "monitor"]
    (digest,) = [r["digest"] for r in step["attempts"][-1]["journal"] if r["type"] == "NativePage"]
    assert step["attempts"][-1]["kept"] == [digest]
    _, out, _ = stackyard("monitor", "show", "latest", "--native", "--out", "own.html")
    assert out.strip() == "own.html"
    assert stackyard("artifact", "get", digest, "kept.html")[0] == 0
    assert Path("own.html").read_bytes() == Path("kept.html").read_bytes()
