"""``stackyard monitor show``: a run's report as a table, a document and a page."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.cli.main import main
from stackyard.components.monitor import Watch
from stackyard.components.monitor_report import MonitorReport, Score
from stackyard.monitor_page import render
from stackyard.projection import facts
from stackyard.store.store import Store
from stackyard.testing import MemoryMonitor
from stackyard.testing.monitor_case import flights, winter
from tests.unit import run_history as history
from tests.unit.test_html import EVIL, Page


def made(**more: Any) -> MonitorReport:
    """A report with scores of all subjects, one lost and one left out."""
    tails = [f"N{n}" for n in range(1500)]
    return MemoryMonitor().compare(
        winter(flights(1)).assign(lost=None, tail=tails),
        flights(0).assign(lost=1.0, tail=tails),
        Watch(predictions=("probability", "predict"), label="late", **more),
    )


def row(report: MonitorReport) -> dict[str, Any]:
    """The report as the journal of an attempt keeps it."""
    plain = json.loads(json.dumps(asdict(report)))
    return {"component": "monitor", "type": "MonitorReport", **plain}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of a project, with a run that compared in one step and a newer one that did not."""
    store = history.project_store(tmp_path, monkeypatch)
    run = history.run_record(1)
    assert store.records.start(run)
    history.attempt(store, run, "split", journal=(row(made()),))
    history.full_run(store, 2)
    return store


def show(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    code = main(["monitor", "show", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_newest_report_is_told(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, said = show(capsys, "latest")
    assert code == 0
    first, *rest = out.splitlines()
    assert first == "flights, step split: cannot tell: 2 of 5 inputs drifted, 1 not computed: lost"
    assert any(line.split()[:3] == ["input", "delay", "psi"] for line in rest)
    assert "left out: like an identifier: 1,500 values in 1,500 rows" in out
    assert f"stackyard monitor show {history.run_id(1)} --step split --html" in said


def test_programs_get_everything(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = show(capsys, history.run_id(1), "--json")
    document = json.loads(out)
    assert (document["verdict"], document["step"]) == ("cannot tell", "split")
    verdicts = {(s["subject"], s["column"], s["method"]): s["drifted"] for s in document["scores"]}
    assert verdicts["input", "delay", "psi"] is True
    assert verdicts["input", "lost", ""] is None
    assert verdicts["quality", "lost", "share missing"] is True
    assert document["current"]["rows"] == 1500
    assert set(document["histograms"]["carrier"]["labels"]) == {"UA", "DL", "AA"}


def test_a_page_is_written(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own file by default, and no other file is overwritten."""
    _, out, _ = show(capsys, "latest", "--html")
    path = Path(out.strip())
    assert path == tmp_path / ".stackyard/pages" / f"{history.run_id(1)}-split.html"
    assert Page(path.read_text()).text.count("cannot tell") >= 1
    assert show(capsys, "latest", "--html", "--json")[0] == 0
    Path("mine.html").write_text("mine")
    code, _, said = show(capsys, "latest", "--html", "--out", "mine.html")
    assert (code, Path("mine.html").read_text()) == (2, "mine")
    assert "nothing was written" in said
    assert show(capsys, "latest", "--html", "--out", "page.html")[0] == 0
    assert show(capsys, "latest", "--html", "--out", "page.html")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("latest", "--out", "x.html"), "add --html"),
        (("latest", "--html", "--native"), "not allowed with"),
        (("latest", "--step", "splt"), "Did you mean 'split'?"),
        ((history.run_id(2),), f"Runs with a report: {history.run_id(1)} (flights)"),
        (("2013",), "2013"),
        (("latest", "--native"), "cannot be made anew"),
    ],
)
def test_what_is_wrong_is_said(
    store: Store, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, _, told = show(capsys, *words)
    assert (code, said in told, "Traceback" in told) == (2, True, False), told


def test_one_of_several_steps_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run = history.run_record(3)
    assert store.records.start(run)
    for step, share in (("split", 0.5), ("train", 0.4)):
        history.attempt(store, run, step, journal=(row(made(share=share)),))
    code, _, said = show(capsys, "latest")
    assert (code, "split, train" in said) == (2, True)
    assert "step train: drifted: 2 of 5 inputs" in show(capsys, "latest", "--step", "train")[1]


def test_it_is_evidence_of_the_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", history.run_id(1)]) == 0
    assert "2 of 5 inputs drifted" in capsys.readouterr().out
    assert facts(store, history.run_id(1)).tags["drift.split"] == "cannot tell"


def test_the_page_is_self_contained_and_nothing_in_it_runs() -> None:
    """Whatever columns and categories are called."""
    report = made()
    evil = Score(EVIL, "input", EVIL, 1.0, 0.5), Score(EVIL, "quality", not_computed=EVIL)
    odd = replace(
        report,
        scores=(*report.scores, *evil, replace(evil[1], watched=False)),
        reason=EVIL,
        rule=EVIL,
        histograms={EVIL: replace(report.histograms["carrier"], labels=(EVIL,) * 3)},
    )
    for shown in (report, odd):
        text = render(shown, "20260114-093001-00000001", EVIL, "split")
        page = Page(text)
        assert "script" not in page.tags and "img" not in page.tags
        assert not [name for _, name, _ in page.attributes if name in ("src", "href", "onerror")]
        assert "http" not in text.replace("http-equiv", "")
        assert len(text) < 100_000
    assert EVIL in page.text
    for wanted in ("Performance", "Predictions", "Inputs", "Data quality", "Left out", "auc"):
        assert wanted in page.text
