"""The ready-made step ``monitor``: has what a model sees or says drifted."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stackyard.components.monitor import Monitor, Watch
from stackyard.components.monitor_report import MonitorReport, Score, Side
from stackyard.display import plain, plural
from stackyard.execute import current as running
from stackyard.pipeline import step
from stackyard.signature import from_stack

if TYPE_CHECKING:
    import pandas as pd

TITLES = ("of", "column", "method", "score", "threshold", "verdict")


class Drift(NamedTuple):
    """What the step gives: ``drifted`` for ``when``, and the report."""

    drifted: bool
    report: MonitorReport


@dataclass(frozen=True)
class NativePage:
    """The page of the tool that a step kept, in the step's record."""

    digest: str


@step
def monitor(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    inputs: list[str] | None = None,
    predictions: list[str] | None = None,
    label: str = "",
    ignore: list[str] | None = None,
    time: str = "",
    deciding: list[str] | None = None,
    share: float = 0.5,
    minimum: int = 100,
    margin: float = 0.05,
    number: str = "",
    category: str = "",
    methods: dict[str, str] | None = None,
    thresholds: dict[str, float] | None = None,
    native: bool = False,
    *,
    monitor: Monitor = from_stack(),
) -> Drift:
    """Hold what is now against a reference; prints what drifted and what could not be compared.

    Args:
        current: what is held: rows that were served, or new data.
        reference: what it is held against: rows like those that the model learned from. Answers of
            the model and labels are of rows that it did not learn from, or null: of what it learned
            from it is surer than of anything that comes.
        inputs: what the model is given; by default all columns of the reference that are named
            nowhere else here.
        predictions: columns with what it answered; each decides alone.
        label: the column with the truth, where labels have come.
        ignore: columns that are not looked at.
        time: the column with moments, which says the window.
        deciding: inputs of which each decides alone.
        share: of the inputs that have to have drifted.
        minimum: how many values a column needs on either side.
        margin: how much more of a column's rows may be missing, and of its values new or out of
            range, and by which share of itself performance may be worse, beyond what is by chance.
        number: the method for columns of numbers; by default the monitor's choice.
        category: the same for categories.
        methods: method by column.
        thresholds: threshold by method, or by column, of which ``methods`` says the method.
        native: also keep the tool's own page, which may be some megabytes.
        monitor: given by the stack.

    Raises:
        InvalidInput: columns, methods or numbers are named that cannot be.
    """
    watch = as_watch(
        {
            "inputs": inputs,
            "predictions": predictions,
            "label": label,
            "ignore": ignore,
            "time": time,
            "deciding": deciding,
            "share": share,
            "minimum": minimum,
            "margin": margin,
            "number": number,
            "category": category,
            "methods": methods,
            "thresholds": thresholds,
        }
    )
    report = monitor.compare(current, reference, watch)
    print("\n".join(lines(report)))
    if native:
        _keep(monitor.page(current, reference, watch))
    return Drift(report.drifted, report)


def as_watch(given: Mapping[str, Any]) -> Watch:
    """The watch that arguments of the step stand for; others among them are left out."""
    names = {field.name for field in fields(Watch)}
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if name in names and value is not None
    }
    return Watch(**known)


def heading(report: MonitorReport) -> list[str]:
    """The verdict and why, what was compared, the rule, and how much of the quality is ok."""
    quality = report.of("quality")
    sound = sum(score.drifted is False for score in quality)
    told = [f"  quality: {sound} of {plural(len(quality), 'figure')} ok"] if quality else []
    return [
        f"{report.verdict}: {plain(report.reason)}",
        f"  current: {_side(report.current)}",
        f"  reference: {_side(report.reference)}",
        f"  rule: {plain(report.rule)}",
        *told,
    ]


def table(report: MonitorReport) -> list[tuple[str, ...]]:
    """What ``TITLES`` heads, of all scores but those of the quality that are as they were."""
    shown = [s for s in report.scores if s.subject != "quality" or s.drifted is not False]
    return [tuple(map(plain, _row(score))) for score in shown]


def lines(report: MonitorReport) -> list[str]:
    """The report for people: the verdict, and a table."""
    rows = [TITLES, *table(report)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(TITLES))]
    told = ["  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) for cells in rows]
    return [*heading(report), *(line.rstrip() for line in told)]


def _row(score: Score) -> tuple[str, ...]:
    if score.score is None or score.threshold is None:
        text = f"{'not computed' if score.watched else 'left out'}: {score.not_computed}"
        return score.subject, score.column, score.method, "", "", text
    sign = ">" if score.direction == "above" else "<"
    beside = f" (was {figure(score.reference)})" if score.reference is not None else ""
    return (
        score.subject,
        score.column,
        score.method,
        figure(score.score) + beside,
        f"{sign} {figure(score.threshold)}",
        verdict(score),
    )


def verdict(score: Score) -> str:
    """The verdict of a score that was computed, in a word."""
    bad = {"quality": "worse", "performance": "worse"}.get(score.subject, "drifted")
    return bad if score.drifted else "ok"


def figure(value: float) -> str:
    """A figure for people."""
    return f"{value:.3g}"


def moment(text: str) -> str:
    """A moment of a side for people, to the second."""
    from datetime import datetime

    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S %Z").rstrip()


def _side(side: Side) -> str:
    window = f", {moment(side.since)} to {moment(side.until)}" if side.since else ""
    return f"{plural(side.rows, 'row')}{window}"


def _keep(text: str) -> None:
    """Keep the tool's page in the store of the run; outside of one there is none."""
    step = running()
    if step is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "monitor.html"
        path.write_text(text, encoding="utf-8")
        step.note(NativePage(step.keep(path)))
