"""A gate's question, and the way to its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard.errors import InvalidInput
from stackyard.gating import decide
from stackyard.gating.condition import Condition, read_condition
from stackyard.gating.decide import Answers
from stackyard.gating.metrics import METRICS, OF_NUMBERS
from stackyard.gating.predictions import predictions, truth
from stackyard.gating.report import GateReport, Outcome, SliceReport

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.store.uses import Use


MANY = 1000  # uses: a test set that is asked more often has nothing left to say


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


def ask(
    question: Question,
    challenger: Any,
    champion: Any,
    on: pd.DataFrame,
    spend: Callable[[], Use | None],
) -> GateReport:
    """Answer a question; ``spend`` is called when it can be answered, before anything is told.

    Raises:
        GateRefused: by ``spend``: the uses of the test set are spent.
        InvalidInput: the condition, the test set or a model is one that tells nothing.
    """
    condition = _condition(question, champion)
    if condition is None:
        outcome: Outcome = "pass" if question.first == "pass" else "fail"
        why = f"there is no champion yet: first={question.first!r}"
        return GateReport(question.condition, outcome, why, len(on), question.reliability)
    answers = _answers(condition, question, challenger, champion, on)
    decide.check(condition, answers)
    use = spend()
    # 2 ** uses answers: each yes or no teaches whoever makes the next model.
    error = (1 - question.reliability) / 2.0**question.uses
    found = decide.decide(condition, answers, error)
    parts: tuple[SliceReport, ...] = ()
    if question.slices and answers.champion is not None:
        columns = list(question.slices)
        parts = tuple(decide.slices(condition, answers, on, columns, question.margin, error))
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


def _condition(question: Question, champion: Any) -> Condition | None:
    """What is to be asked; None where ``first`` answers already."""
    condition = read_condition(question.condition, METRICS)
    if not 0 < question.reliability < 1:
        raise InvalidInput(f"reliability is {question.reliability}: it is between 0 and 1")
    if not 1 <= question.uses <= MANY:
        raise InvalidInput(f"uses is {question.uses}: a test set has 1 to {MANY}")
    kinds = {name in OF_NUMBERS for name in condition.metrics}
    if len(kinds) > 1:
        raise InvalidInput(f"condition {condition.text!r}: metrics of classes and of numbers")
    if question.slices and not condition.compares:
        raise InvalidInput("slices: the condition does not name the champion")
    alone = None
    if question.first not in ("pass", "fail"):  # also where a champion makes it needless
        alone = read_condition(question.first, METRICS)
        if alone.compares:
            raise InvalidInput(f"first {question.first!r}: there is no champion to compare with")
    return condition if champion is not None or not condition.compares else alone


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
