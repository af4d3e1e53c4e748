"""A gate's question and its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackyard.display import plural
from stackyard.errors import InvalidInput
from stackyard.gating import decide
from stackyard.gating.condition import CHAMPION, Condition, read_condition
from stackyard.gating.decide import Answers, Outcome, SliceReport
from stackyard.gating.metrics import METRICS, OF_NUMBERS
from stackyard.gating.predictions import predictions, truth

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.store.uses import Use


@dataclass(frozen=True)
class Question:
    """What a gate is asked; see ``gate`` for each part."""

    condition: str
    label: str
    first: str
    reliability: float
    slices: tuple[str, ...]
    margin: float
    uses: int


@dataclass(frozen=True)
class GateReport:
    """What a gate found; written into the record of its step.

    Attributes:
        condition: as it was asked.
        outcome: ``pass``, ``fail`` or ``inconclusive``.
        reason: one line for people.
        rows: of the test set.
        reliability: of all answers about this test set together.
        estimate, low, high: the left side of the condition, and between what it lies with the
            reliability; None where there was no champion to compare with.
        method: how the bounds were found.
        needed: labels more, where the outcome is inconclusive.
        metrics: by name, those of the champion ending in ``_champion``.
        slices: the challenger beside the champion on parts of the rows.
        use: which use of the test set this was; 0 where none was counted.
        uses: how many it has.
    """

    condition: str
    outcome: Outcome
    reason: str
    rows: int
    reliability: float
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    needed: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    slices: tuple[SliceReport, ...] = ()
    use: int = 0
    uses: int = 0


def ask(
    question: Question,
    challenger: Any,
    champion: Any,
    on: pd.DataFrame,
    spend: Callable[[], Use | None],
) -> GateReport:
    """Answer a question; ``spend`` is called before anything of the test set is looked at.

    Raises:
        GateRefused: by ``spend``: the uses of the test set are spent.
        InvalidInput: the condition, the test set or a model is one that tells nothing.
    """
    condition = _condition(question, champion)
    if condition is None:
        outcome: Outcome = "pass" if question.first == "pass" else "fail"
        why = f"there is no champion yet: first={question.first!r}"
        return GateReport(question.condition, outcome, why, len(on), question.reliability)
    use = spend()
    answers = _answers(condition, question, challenger, champion, on)
    # 2 ** uses answers: each yes or no teaches whoever makes the next model.
    reliability = 1 - (1 - question.reliability) / 2.0**question.uses
    found = decide.decide(condition, answers, reliability)
    parts: tuple[SliceReport, ...] = ()
    if question.slices and answers.champion is not None:
        columns = list(question.slices)
        parts = tuple(
            decide.slices(condition, answers, on, columns, question.margin, question.reliability)
        )
    worse = [f"{part.column}={part.value}" for part in parts if part.verdict == "worse"]
    outcome, reason = found.outcome, found.reason
    if worse:
        outcome, reason = "fail", f"worse on {', '.join(worse)}"
    return GateReport(
        condition=condition.text,
        outcome=outcome,
        reason=reason,
        rows=len(on),
        reliability=question.reliability,
        estimate=found.found.estimate,
        low=found.found.low,
        high=found.found.high,
        method=found.found.method,
        needed=0 if worse else found.needed,
        metrics=decide.figures(condition, answers),
        slices=parts,
        use=use.number if use is not None else 0,
        uses=question.uses if use is not None else 0,
    )


def lines(report: GateReport) -> list[str]:
    """The report for people."""
    said = f"gate: {report.outcome}: {report.condition}"
    rows = [f"{said}: {report.reason}" if report.reason else said]
    if report.estimate is not None and report.low is not None and report.high is not None:
        rows.append(
            f"  found {report.estimate:.4g}, between {report.low:.4g} and {report.high:.4g} "
            f"({report.method} on {plural(report.rows, 'row')}, reliability {report.reliability:g})"
        )
    names = [name for name in report.metrics if not name.endswith(CHAMPION)]
    for name in names:
        champion = report.metrics.get(name + CHAMPION)
        beside = "" if champion is None else f", champion {champion:.4g}"
        rows.append(f"  {name}: challenger {report.metrics[name]:.4g}{beside}")
    rows += [
        f"  {part.column}={part.value}: {part.verdict}"
        + (
            ""
            if part.estimate is None
            else f" ({part.estimate:+.4g} on {plural(part.rows, 'row')})"
        )
        for part in report.slices
        if part.verdict != "ok"
    ]
    if report.use:
        rows.append(f"  use {report.use} of {report.uses} of this test set")
    return rows


def summary(report: GateReport) -> str:
    """The report in one line."""
    found = ""
    if report.estimate is not None and report.low is not None and report.high is not None:
        found = f": {report.estimate:.3g} ({report.low:.3g} to {report.high:.3g})"
    reason = f"; {report.reason}" if report.reason else ""
    return f"gate: {report.outcome}: {report.condition}{found}{reason}"


def _condition(question: Question, champion: Any) -> Condition | None:
    """What is to be asked; None where ``first`` answers already."""
    condition = read_condition(question.condition, METRICS)
    if not 0 < question.reliability < 1:
        raise InvalidInput(f"reliability is {question.reliability}: it is between 0 and 1")
    if question.uses < 1:
        raise InvalidInput(f"uses is {question.uses}: a test set has at least one")
    kinds = {name in OF_NUMBERS for name in condition.metrics}
    if len(kinds) > 1:
        raise InvalidInput(f"condition {condition.text!r}: metrics of classes and of numbers")
    if question.slices and not condition.compares:
        raise InvalidInput("slices: the condition does not name the champion")
    if champion is not None or not condition.compares:
        return condition
    if question.first in ("pass", "fail"):
        return None
    alone = read_condition(question.first, METRICS)
    if alone.compares:
        raise InvalidInput(f"first {question.first!r}: there is no champion to compare with")
    return alone


def _answers(
    condition: Condition, question: Question, challenger: Any, champion: Any, on: pd.DataFrame
) -> Answers:
    classes = condition.metrics[0] not in OF_NUMBERS
    missing = [column for column in question.slices if column not in on]
    if missing:
        have = ", ".join(map(str, on.columns))
        raise InvalidInput(f"slices: there is no column {missing[0]!r}. Columns: {have}")
    return Answers(
        truth(on, question.label, classes=classes),
        predictions(challenger, on, classes=classes),
        predictions(champion, on, classes=classes) if condition.compares else None,
    )
