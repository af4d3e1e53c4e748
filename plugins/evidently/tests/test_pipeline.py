"""The step ``monitor`` in runs, and the command ``monitor``, on a project with the real tool."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from stackyard.cli.main import main

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
    for name, text in (
        ("dags/flights.py", PIPELINE),
        ("stacks/local.yaml", STACK),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("STACKYARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "flights", raising=False)
    return tmp_path


def stackyard(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    sys.modules.pop("flights", None)
    code = main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def statuses(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """What became of each step of a run."""
    code, out, said = stackyard(capsys, "run", "watch", "--json", *words)
    assert code == 0, said
    return {s["name"]: s["status"] for s in json.loads(out)["steps"]}


def test_drift_opens_a_branch_and_its_report_is_shown(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference is the artifact of another run; a cached comparison keeps its report."""
    assert stackyard(capsys, "run", "learn")[0] == 0
    calm = statuses(capsys)
    assert (calm["monitor"], calm["retrain"], calm["wait"]) == ("succeeded", "skipped", "succeeded")
    assert "watch, step monitor: not drifted" in stackyard(capsys, "monitor", "show", "latest")[1]
    assert statuses(capsys)["monitor"] == "cached"
    assert "not drifted: 0 of 2" in stackyard(capsys, "monitor", "show", "latest")[1]

    moved = statuses(capsys, "--param", "times=3")
    assert (moved["retrain"], moved["wait"]) == ("succeeded", "skipped")
    _, out, _ = stackyard(capsys, "monitor", "show", "latest", "--json")
    delay = next(s for s in json.loads(out)["scores"] if s["column"] == "delay")
    assert (delay["method"], delay["drifted"], delay["direction"]) == ("wasserstein", True, "above")
    _, out, _ = stackyard(capsys, "runs", "show", "latest", "--json")
    (found,) = [e for e in json.loads(out)["evidence"] if e["kind"] == "drift"]
    assert (found["value"], found["name"]) == ("drifted", "monitor")

    # The tool's own page: made anew of the artifacts, or the one that the step kept.
    _, out, _ = stackyard(capsys, "monitor", "show", "latest", "--native")
    assert "Drift" in Path(out.strip()).read_text()
    statuses(capsys, "--param", "times=3", "--param", "native=true")
    _, out, _ = stackyard(capsys, "runs", "show", "latest", "--json")
    (step,) = [s for s in json.loads(out)["steps"] if s["name"] == "monitor"]
    (digest,) = [r["digest"] for r in step["attempts"][-1]["journal"] if r["type"] == "NativePage"]
    assert step["attempts"][-1]["kept"] == [digest]
    _, out, _ = stackyard(capsys, "monitor", "show", "latest", "--native", "--out", "own.html")
    assert out.strip() == "own.html"
    assert stackyard(capsys, "artifact", "get", digest, "kept.html")[0] == 0
    assert Path("own.html").read_bytes() == Path("kept.html").read_bytes()
