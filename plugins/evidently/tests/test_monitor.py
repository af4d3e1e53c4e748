"""Evidently keeps the contract of monitors, and what is its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.monitor import Watch
from stackyard.testing import MonitorContract
from stackyard_evidently import reports
from stackyard_evidently.config import EvidentlyConfig
from stackyard_evidently.monitor import EvidentlyMonitor
from stackyard_evidently.quiet import quiet


class TestEvidently(MonitorContract):
    """The contract."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"flavor": "evidently"}


def test_a_fresh_process_prints_nothing_and_writes_nothing(tmp_path: Path) -> None:
    """Neither when the tool is imported nor by a page; filters of warnings come back."""
    code = """
import os, warnings
import pandas as pd
from stackyard.components.base import Context
from stackyard_evidently.monitor import EvidentlyMonitor
before = list(warnings.filters)
frame = pd.DataFrame({"a": range(200), "b": ["x", "y"] * 100, "late": [0, 1] * 100})
monitor = EvidentlyMonitor(None, Context())
assert monitor.compare(frame, frame).verdict == "not drifted"
assert len(monitor.page(frame, frame)) > 1_000_000
assert os.environ["DO_NOT_TRACK"] and warnings.filters == before
"""
    home = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    kept = {k: v for k, v in os.environ.items() if k != "DO_NOT_TRACK"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, env={**kept, **home}, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("answers", ["class", "number"])
def test_labels_of_one_value_fail_nothing(answers: str) -> None:
    """The tool's regression wants labels that vary."""
    random = np.random.default_rng(0)
    given = random.integers(0, 2, 300) if answers == "class" else random.normal(5, 1, 300)
    base = pd.DataFrame({"p": given, "y": np.zeros(300)})
    watch = Watch(predictions=("p",), label="y")
    (score,) = (
        EvidentlyMonitor(EvidentlyConfig(), Context()).compare(base, base, watch).of("performance")
    )
    assert score.not_computed == "labels of one value only in current"


def test_a_page_scores_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What works is told by the page itself; where it does not, each column is asked."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"letters": random.choice(list("abc"), 120), "n": random.random(120)})
    made = EvidentlyMonitor(EvidentlyConfig(), Context())
    asked: list[object] = []
    own = reports.drift
    monkeypatch.setattr(reports, "drift", lambda *a: asked.append(a) or own(*a))
    assert "letters" in made.page(frame, frame)
    assert asked == []
    assert "letters" not in made.page(frame, frame, Watch(methods={"letters": "fisher_exact"}))
    assert len(asked) == 1


def test_one_thread_at_a_time() -> None:
    """Else the filters of one thread would be restored to those of another."""
    entered = threading.Event()

    def enter() -> None:
        with quiet():
            entered.set()

    with quiet():
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.2)
    other.join(10)
    assert entered.is_set()
