"""What a version on trial answered, held to the labels that have come."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from stackyard.display import plural
from stackyard.errors import InvalidInput
from stackyard.gating import decide
from stackyard.gating.condition import Condition
from stackyard.gating.decide import Answers
from stackyard.gating.metrics import OF_NUMBERS
from stackyard.gating.predictions import truth
from stackyard.gating.trial_report import TrialReport
from stackyard.inference_log import label_keys

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.gating.metrics import Vector

ROW = ["id", "row"]
PROBABILITY, PREDICTION = "output:probability", "output:predict"


def with_labels(
    report: TrialReport,
    condition: Condition,
    label: str,
    sides: tuple[pd.DataFrame, pd.DataFrame],
    labels: pd.DataFrame | None,
    error: float,
    *,
    watched: bool,
) -> TrialReport:
    """The report with what the condition says of the rows whose labels are known.

    ``error`` is the probability that it says what is wrong.

    Raises:
        InvalidInput: the labels cannot be joined, or the answers are none that a metric is of.
    """
    if labels is None or not len(labels):
        return _unknown(report, "no label has come")
    classes = condition.metrics[0] not in OF_NUMBERS
    output = _output(sides, classes=classes)
    mine, other = (_joined(side, labels, label, output) for side in sides)
    if watched:  # the rows that both answered
        pairs = mine[ROW].merge(other[ROW], on=ROW)
        mine, other = (pairs.merge(side, on=ROW) for side in (mine, other))
    report = replace(
        report,
        challenger=replace(report.challenger, labels=len(mine)),
        champion=replace(report.champion, labels=len(other)),
    )
    few, asked = min(
        (side["id"].nunique(), served.requests)
        for side, served in ((mine, report.challenger), (other, report.champion))
    )
    if few < decide.LEAST:  # requests, which are what is drawn
        both = asked if watched else report.challenger.requests + report.champion.requests
        needed = math.ceil((decide.LEAST - few) * both / max(1, asked))
        said = f"labels of {plural(few, 'request')} of {decide.LEAST} needed of either version"
        return _unknown(report, said if few else "no label has come", needed)
    answers = _answers(mine, other, label, output, watched=watched, classes=classes)
    if answers is None or not decide.tells(condition, answers):
        return _unknown(report, "all labels are of one class")
    found = decide.decide(condition, answers, error)
    return replace(
        report,
        outcome=found.outcome,
        reason=found.reason or ("it does not hold" if found.outcome == "fail" else ""),
        estimate=found.found.estimate,
        low=found.found.low,
        high=found.found.high,
        needed=found.needed,
        metrics=decide.figures(condition, answers),
    )


def _unknown(report: TrialReport, reason: str, needed: int = 0) -> TrialReport:
    return replace(report, outcome="inconclusive", reason=reason, needed=needed)


def _output(sides: tuple[pd.DataFrame, pd.DataFrame], *, classes: bool) -> str:
    """The column with the answers: probabilities where both versions give them."""
    if classes and all(PROBABILITY in side and side[PROBABILITY].notna().any() for side in sides):
        return PROBABILITY
    return PREDICTION


def _joined(side: pd.DataFrame, labels: pd.DataFrame, label: str, output: str) -> pd.DataFrame:
    """The answered rows whose label is known, and of which the id tells which one is meant."""
    keys = label_keys(labels, [*side.columns], many=bool((side["row"] > 0).any()))
    if label not in labels:
        have = ", ".join(map(str, labels.columns))
        raise InvalidInput(f"labels: there is no column {label!r}. Columns: {have}")
    answered = side[side["error"].isna()].drop_duplicates(ROW, keep=False)
    answered = answered.reindex(columns=[*ROW, output]).dropna(subset=[output])
    return answered.merge(labels[[*keys, label]], on=keys).dropna(subset=[label])


def _answers(
    mine: pd.DataFrame,
    other: pd.DataFrame,
    label: str,
    output: str,
    *,
    watched: bool,
    classes: bool,
) -> Answers | None:
    """Both sides in one; None where nobody can say which class the labels are of.

    The rows of a request belong together: what they are about may have much in common.
    """
    import numpy as np
    import pandas as pd

    rows = mine if watched else pd.concat([mine, other], ignore_index=True)
    values = rows[label]
    if classes and values.nunique() < 2 and not {*values.unique()} <= {0, 1}:
        return None
    known = truth(rows, label, classes=classes)
    units, _ = pd.factorize(rows["id"])
    given = _numbers(rows[output], output, classes=classes)
    if watched:
        theirs = _numbers(other[output], output, classes=classes)
        return Answers(known, given, theirs, units=units)
    return Answers(known, given, given, np.arange(len(rows)) < len(mine), units)


def _numbers(values: pd.Series[float], output: str, *, classes: bool) -> Vector:
    """Answers as numbers.

    Raises:
        InvalidInput: classes are told by other words than 0 and 1.
    """
    import numpy as np

    if classes and output == PREDICTION and not {*values.unique()} <= {0, 1}:
        raise InvalidInput(
            f"the inference log has classes other than 0 and 1 in {PREDICTION!r}, and no "
            f"{PROBABILITY!r} of both versions, so they cannot be held to labels"
        )
    found: Vector = np.asarray(values, dtype="float64")
    return found
