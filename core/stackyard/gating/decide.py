"""What a gate decides: pass, fail, or that more labels are needed to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard.errors import InvalidInput
from stackyard.gating import intervals
from stackyard.gating.condition import CHAMPION, Condition
from stackyard.gating.intervals import Interval
from stackyard.gating.metrics import METRICS
from stackyard.gating.report import Outcome, SliceReport

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from stackyard.gating.metrics import Vector, Weights

LEAST = 30  # rows without which nothing is said of a part of them


@dataclass(frozen=True)
class Answers:
    """The truth of each row, and what the models say of it; ``champion`` is None where none is.

    With ``asked``, each row was answered by one model only: by the challenger where it is true.
    With ``units``, rows of one number belong together and are drawn together, numbered from 0.
    """

    truth: Vector
    challenger: Vector
    champion: Vector | None
    asked: NDArray[np.bool_] | None = None
    units: NDArray[np.intp] | None = None

    def of(self, places: Any) -> Answers:
        """Those of some of the rows."""
        champion = None if self.champion is None else self.champion[places]
        return Answers(self.truth[places], self.challenger[places], champion)


@dataclass(frozen=True)
class Decision:
    """What became of a condition: ``low`` and ``high`` bound the left side of it."""

    outcome: Outcome
    reason: str
    found: Interval
    needed: int = 0  # labels more, where the outcome is inconclusive


def decide(condition: Condition, answers: Answers, error: float) -> Decision:
    """Hold the condition against the bounds between which its left side lies.

    It passes where the lower bound is above the condition's, and fails where the upper one is not.
    In between it fails where the left side is known within the tolerance: then it is not shown to
    be larger (ease.ml/ci's mode free of false positives); else more labels could still tell.
    ``error`` is the probability that the answer is wrong.
    """
    found = interval(condition, answers, error)
    rows = len(answers.truth)
    if found.low > condition.bound:
        return Decision("pass", "", found)
    if found.high <= condition.bound:
        return Decision("fail", "", found)
    if found.half <= condition.tolerance:
        return Decision("fail", f"known to +/- {found.half:.2g}, and not shown", found)
    more = max(1, intervals.rows_needed(found, rows, condition.tolerance) - rows)
    return Decision("inconclusive", f"needs about {more:,} more labels", found, more)


def slices(
    condition: Condition,
    answers: Answers,
    frame: pd.DataFrame,
    columns: list[str],
    margin: float,
    error: float,
) -> Iterator[SliceReport]:
    """Hold challenger and champion against each other on the rows of each value.

    ``error`` is that of all slices together (Bonferroni).
    """
    parts = [
        (column, "missing" if value != value else str(value), places)
        for column in columns
        for value, places in frame.groupby(column, observed=True, dropna=False).indices.items()
    ]
    each = error / max(1, len(parts))
    for column, value, places in parts:
        mine = answers.of(places)
        if len(places) < LEAST or not tells(condition, mine):
            yield SliceReport(column, value, len(places), "too few")
            continue
        found = interval(condition, mine, each)
        seems = found.estimate < -margin
        verdict: Any = "worse" if seems and found.high < 0 else "unclear" if seems else "ok"
        yield SliceReport(column, value, len(places), verdict, found.estimate)


def check(condition: Condition, answers: Answers) -> None:
    """Raise InvalidInput where the rows cannot tell the metric: none, or all of one class."""
    if not len(answers.truth):
        raise InvalidInput("the test set has no rows")
    if not tells(condition, answers):
        raise InvalidInput("all rows of the test set are of one class, so nothing can be compared")


def interval(condition: Condition, answers: Answers, error: float) -> Interval:
    """Where the left side of the condition lies, from its rows: exact for accuracies alone.

    ``error`` is the probability that it lies elsewhere.
    """
    accuracies = dict(condition.terms) == {"accuracy": 1.0, f"accuracy{CHAMPION}": -1.0}
    if accuracies and answers.asked is None and answers.units is None:
        right = [(given >= 0.5) == (answers.truth >= 0.5) for given in _both(answers)]
        better, worse = right[0] & ~right[1], right[1] & ~right[0]
        return intervals.exact(int(better.sum()), int(worse.sum()), len(right[0]), error)

    units, rows = answers.units, len(answers.truth)

    def measure(weights: Weights) -> Vector:
        drawn = weights if units is None else weights[:, units]
        return sum(  # type: ignore[return-value]
            factor * figure(name, answers, drawn) for name, factor in condition.terms.items()
        )

    count = rows if units is None else int(units.max()) + 1
    return intervals.bootstrap(measure, count, error, width=rows)


def figure(name: str, answers: Answers, weights: Weights) -> Vector:
    """A metric of one of the models, for each row of weights."""
    champion = name.endswith(CHAMPION)
    given = _both(answers)[1] if champion else answers.challenger
    metric, rows = METRICS[name.removesuffix(CHAMPION)], _rows(answers, champion=champion)
    return metric(answers.truth[rows], given[rows], weights[:, rows])


def figures(condition: Condition, answers: Answers) -> Mapping[str, float]:
    """The metrics of the condition, of both models where there is a champion."""
    import numpy as np

    once = np.ones((1, len(answers.truth)))
    suffixes = ("",) if answers.champion is None else ("", CHAMPION)
    names = [metric + suffix for metric in condition.metrics for suffix in suffixes]
    return {name: float(figure(name, answers, once)[0]) for name in names}


def tells(condition: Condition, answers: Answers) -> bool:
    """Whether each model has rows of the classes that the metrics need: recall needs positives."""
    for champion in (False, True):
        positive = answers.truth[_rows(answers, champion=champion)] >= 0.5
        if not positive.any() and {"auc", "recall"} & {*condition.metrics}:
            return False
        if positive.all() and "auc" in condition.metrics:
            return False
    return True


def _rows(answers: Answers, *, champion: bool) -> Any:
    """The rows that a model answered."""
    if answers.asked is None:
        return slice(None)
    return ~answers.asked if champion else answers.asked


def _both(answers: Answers) -> tuple[Vector, Vector]:
    assert answers.champion is not None  # the gate asks no question about one that is not there
    return answers.challenger, answers.champion
