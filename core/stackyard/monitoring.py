"""The ready-made step ``monitor``: has what a model sees or says drifted."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stackyard.components.monitor import Monitor, Watch
from stackyard.components.monitor_report import MonitorReport, Score
from stackyard.display import plain, plural
from stackyard.execute import current as running
from stackyard.pipeline import from_stack, step

if TYPE_CHECKING:
    import pandas as pd


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
        reference: what it is held against: rows that the model learned from, with its answers.
        inputs: what the model is given; by default all columns of the reference that are named
            nowhere else here.
        predictions: columns with what it answered; each decides alone.
        label: the column with the truth, where labels have come.
        ignore: columns that are not looked at.
        time: the column with moments, which says the window.
        deciding: inputs of which each decides alone.
        share: of the inputs that have to have drifted.
        minimum: how many values a column needs on either side.
        margin: how much more of a column's rows may be missing, new or out of range, and by which
            share of itself performance may be worse.
        number: the method for columns of numbers; by default the monitor's choice.
        category: the same for categories.
        methods: method by column.
        thresholds: threshold by column or by method.
        native: also keep the tool's own page, which may be some megabytes.
        monitor: given by the stack.

    Raises:
        InvalidInput: columns, methods or numbers are named that cannot be.
    """
    watch = Watch(
        inputs=tuple(inputs or ()),
        predictions=tuple(predictions or ()),
        label=label,
        ignore=tuple(ignore or ()),
        time=time,
        deciding=tuple(deciding or ()),
        share=share,
        minimum=minimum,
        margin=margin,
        number=number,
        category=category,
        methods=methods or {},
        thresholds=thresholds or {},
    )
    report = monitor.compare(current, reference, watch)
    print("\n".join(lines(report)))
    if native:
        _keep(monitor.page(current, reference, watch))
    return Drift(report.drifted, report)


def lines(report: MonitorReport) -> list[str]:
    """The report for people: the verdict, and a table of all scores."""
    head = [
        f"{report.verdict}: {plain(report.reason)}",
        f"  current: {_side(report, 'current')}; reference: {_side(report, 'reference')}",
        f"  rule: {plain(report.rule)}",
    ]
    titles = ("", "column", "method", "score", "threshold", "verdict")
    rows = [titles, *(tuple(map(plain, row(score))) for score in report.scores)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(titles))]
    table = ["  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) for cells in rows]
    return [*head, *(line.rstrip() for line in table)]


def row(score: Score) -> tuple[str, ...]:
    """Subject, column, method, score, threshold with its direction, and verdict."""
    if score.score is None or score.threshold is None:
        why = score.not_computed if score.watched else f"left out: {score.not_computed}"
        text = f"not computed: {why}" if score.watched else why
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


def _side(report: MonitorReport, name: str) -> str:
    side = report.current if name == "current" else report.reference
    window = f", {side.since} to {side.until}" if side.since else ""
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
