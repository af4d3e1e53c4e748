"""The step ``monitor`` called as a function: what it gives, prints and refuses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from stackyard import join_labels, monitor, read_inferences
from stackyard.components.base import Context
from stackyard.components.monitor import Watch
from stackyard.components.monitor_report import MonitorReport, Score, Side, judge
from stackyard.errors import InvalidInput, PipelineError
from stackyard.monitoring import lines
from stackyard.testing import MemoryDataVersioner, MemoryMonitor
from stackyard.testing.monitor_case import flights, inputs, winter
from stackyard.testing.stand_ins import Journal
from tests.unit.test_inference_log import NOON, request, write


def test_it_tells_what_drifted(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    made = MemoryMonitor(None, Context(name="monitor", journal=journal))
    found = monitor(
        winter(flights(1)).assign(lost=None),
        flights(0).assign(lost=1.0, tail=[f"N{n}" for n in range(1500)]),
        inputs=["carrier", "distance", "delay", "holiday", "lost", "tail"],
        predictions=["predict"],
        label="late",
        share=0.3,
        methods={"distance": "psi"},
        thresholds={"distance": 9.0},
        monitor=made,
    )
    assert found.drifted
    assert journal.entries == [found.report]
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "drifted: 2 of 6 inputs drifted: carrier, delay"
    printed = {line.split()[1]: line for line in out if line.startswith("input")}
    assert printed["delay"].endswith("> 0.2      drifted")
    assert printed["distance"].endswith("> 9        ok")
    assert printed["lost"].endswith("not computed: no values in current; needs 100")
    assert "  quality: 9 of 11 figures ok" in out
    assert all(line.endswith("worse") for line in out if line.startswith("quality"))
    (accuracy,) = [line for line in out if line.startswith("performance")]
    assert "(was 0." in accuracy and accuracy.endswith("ok")


def test_what_it_is_given_is_what_is_watched() -> None:
    """Every argument has its place in the watch, with its default."""
    from dataclasses import fields
    from inspect import signature

    given = signature(monitor.function).parameters
    for field in fields(Watch):
        default = given[field.name].default
        assert (default or ()) == (getattr(Watch(), field.name) or ())


def test_a_data_version_is_held_against_the_inference_log(tmp_path: Path) -> None:
    """With the labels that came; the window is that of the log."""
    versions = MemoryDataVersioner()
    flights(0).rename(columns={"probability": "output:probability"}).to_parquet(tmp_path / "base")
    version = versions.commit(tmp_path / "base", "flights")
    versions.checkout("flights", version.id, tmp_path / "january.parquet")
    now, rows = winter(flights(1)), []
    for number, values in enumerate(now.drop(columns=["late", "predict"]).to_dict("records")):
        asked = {f"input:{name}": value for name, value in values.items()}
        asked["output:probability"] = asked.pop("input:probability")
        rows.append(request(f"r{number}", number / 100, **asked))
    write(tmp_path / "log", "a.parquet", rows)
    labels = pd.DataFrame({"id": [f"r{n}" for n in range(1000)], "late": now["late"][:1000]})
    served = join_labels(
        read_inferences(tmp_path / "log", until=NOON + timedelta(hours=11)), labels
    )
    found = monitor(
        served,
        pd.read_parquet(tmp_path / "january.parquet"),
        inputs=["carrier", "distance", "delay", "holiday"],
        predictions=["output:probability"],
        label="late",
        monitor=MemoryMonitor(),
    )
    assert found.report.reason == "2 of 4 inputs drifted: carrier, delay"
    assert found.report.current.rows == 1100
    assert found.report.current.since == "2026-01-15T12:00:00+00:00"
    figures = {s.method: s.drifted for s in found.report.of("performance")}
    assert figures == {"auc": False, "log_loss": False}


def test_nothing_was_served_yet(tmp_path: Path) -> None:
    """An empty log is no error, and tells nothing."""
    found = monitor(read_inferences(tmp_path), inputs(flights()), monitor=MemoryMonitor())
    assert (found.drifted, found.report.verdict) == (False, "cannot tell")


def test_data_cannot_steer_a_terminal() -> None:
    score = Score("\x1b[31mred", "input", not_computed="\x1b]0;x\n")
    report = MonitorReport("cannot tell", "\x1b[2J", "\x07", (score,), Side(1), Side(1))
    assert all(line.isprintable() for line in lines(report))


def test_the_window_is_printed() -> None:
    side = Side(5, "2013-01-01T05:00:00+00:00", "2013-01-31T23:59:59.123456+00:00")
    report = MonitorReport("cannot tell", "why", "rule", (), side, Side(1))
    assert "  current: 5 rows, 2013-01-01 05:00:00 UTC to 2013-01-31 23:59:59 UTC" in lines(report)
    assert "  reference: 1 row" in lines(report)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'delay'"):
        monitor(inputs(flights()), inputs(flights()), deciding=["dleay"], monitor=MemoryMonitor())
    with pytest.raises(PipelineError, match="'monitor'"):
        monitor(pd.DataFrame(), pd.DataFrame())


def score(drifted: bool | None, column: str = "x", **more: object) -> Score:
    """A score with that verdict."""
    if drifted is None:
        return Score(column, "input", not_computed="why", **more)  # type: ignore[arg-type]
    found = Score(column, "input", "psi", 1.0 if drifted else 0.0, 0.5)
    return found


@pytest.mark.parametrize(
    ("verdicts", "share", "verdict"),
    [
        ([True, True, False, False], 0.5, "drifted"),
        ([True, False, False, False], 0.5, "not drifted"),
        ([True, None, False, False], 0.5, "cannot tell"),
        ([None, None, None, True], 0.25, "drifted"),
        ([None, False, False, False], 0.5, "not drifted"),
        ([False] * 10, 0.01, "not drifted"),
        ([True] + [False] * 9, 0.01, "drifted"),
        ([True] * 3 + [False] * 7, 0.3, "drifted"),  # 0.3 * 10 is a little above 3 in binary
        ([None], 1.0, "cannot tell"),
        ([], 0.5, "cannot tell"),
    ],
)
def test_the_verdict_of_the_whole(verdicts: list[bool | None], share: float, verdict: str) -> None:
    scores = [score(one, f"c{n}") for n, one in enumerate(verdicts)]
    assert judge(scores, share, ())[0] == verdict


def test_what_decides_alone() -> None:
    calm = [score(False, f"c{n}") for n in range(9)]
    alone = Score("p", "prediction", "psi", 1.0, 0.5)
    worse = Score("p", "performance", "auc", 0.6, 0.7, "below", 0.8)
    late = Score("p", "performance", not_computed="no labels")
    lost = Score("p", "prediction", not_computed="why")
    left = Score("id", "prediction", not_computed="an identifier", watched=False)
    bad = Score("x", "quality", "share missing", 0.9, 0.1)
    for more, deciding, verdict in (
        ([alone], (), "drifted"),
        ([worse], (), "drifted"),
        ([late, left, bad], (), "not drifted"),
        ([lost], (), "cannot tell"),
        ([lost, alone], (), "drifted"),
        ([score(True, "d")], ("d",), "drifted"),
        ([score(None, "d")], ("d",), "cannot tell"),
        ([score(True, "d")], (), "not drifted"),
    ):
        assert judge([*calm, *more], 0.5, deciding)[0] == verdict, more
    assert judge([*calm, worse], 0.5, ())[1] == "auc of p drifted; 0 of 9 inputs drifted"
