"""How a version does on requests of its users, beside the champion on theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stackyard.display import plural
from stackyard.errors import InvalidInput
from stackyard.gating import decide, intervals
from stackyard.gating.condition import Condition, read_condition
from stackyard.gating.decide import Answers
from stackyard.gating.metrics import METRICS, OF_NUMBERS
from stackyard.gating.predictions import truth
from stackyard.gating.trial_report import Served, TrialReport

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 999


@dataclass(frozen=True)
class Terms:
    """What is asked of a version on trial; see ``judge`` for each part."""

    condition: str
    label: str
    reliability: float
    minimum: int
    failing: float
    slower: float

    def read(self) -> Condition | None:
        """The condition, if there is one.

        Raises:
            InvalidInput: a part of the terms is one that cannot be.
        """
        if not 0 < self.reliability < 1:
            raise InvalidInput(f"reliability is {self.reliability}: it is between 0 and 1")
        if self.minimum < 1:
            raise InvalidInput(f"minimum is {self.minimum}: nothing is told by no request")
        if not 0 <= self.failing < 1:
            raise InvalidInput(f"failing is {self.failing}: it is a share, from 0 to below 1")
        if self.slower < 1:
            raise InvalidInput(f"slower is {self.slower}: it is a factor from 1 on")
        if not self.condition:
            return None
        condition = read_condition(self.condition, METRICS)
        if not self.label:
            raise InvalidInput(f"condition {condition.text!r}: name the column with the label")
        if not condition.compares:
            raise InvalidInput(f"condition {condition.text!r}: it does not name the champion")
        return condition


def hold(
    terms: Terms, endpoint: str, versions: tuple[str, str], log: pd.DataFrame, labels: Any = None
) -> TrialReport:
    """Hold what the challenger answered against what the champion did.

    Args:
        terms: what is asked.
        endpoint: its name, for the report.
        versions: of the challenger and of the champion.
        log: their rows, as ``read_answers`` gives them.
        labels: a frame with ``id``, ``row`` unless each request had one, and the label.

    Raises:
        InvalidInput: the terms, or the labels, are ones that cannot be.
    """
    condition = terms.read()
    mine, other = (log[log["version"] == version] for version in versions)
    sides = [_served(version, side) for version, side in zip(versions, (mine, other), strict=True)]
    report = TrialReport(
        endpoint, "pass", "", sides[0], sides[1], terms.reliability, terms.condition
    )
    worse = _worse(terms, sides[0], sides[1], (mine, other))
    found = report
    if condition is not None:
        found = _labelled(report, condition, terms, mine, other, labels)
    if worse or found.outcome == "fail":
        said = [*worse, *([found.reason] if found.outcome == "fail" else [])]
        return replace(found, outcome="fail", reason="; ".join(said), needed=0)
    if sides[0].requests < terms.minimum:
        few = f"{plural(sides[0].requests, 'request')} of {terms.minimum} needed"
        return replace(found, outcome="inconclusive", reason=few)
    return found


def _served(version: str, side: pd.DataFrame) -> Served:
    asked = side.drop_duplicates("id")
    took = asked.loc[asked["error"].isna(), "latency_ms"]
    p95 = float(took.quantile(0.95)) if len(took) else None
    return Served(version, len(asked), int(asked["error"].notna().sum()), p95)


def _worse(
    terms: Terms, mine: Served, other: Served, rows: tuple[pd.DataFrame, pd.DataFrame]
) -> list[str]:
    """In what the challenger is shown to be worse, apart from its answers."""
    found = []
    if mine.failed:
        counts = (mine.failed, mine.requests), (other.failed, other.requests)
        if intervals.share_above(*counts, 1 - terms.reliability) > terms.failing:
            found.append(
                f"{mine.failed} of {plural(mine.requests, 'request')} failed, of the champion's "
                f"{other.failed} of {other.requests}"
            )
    if mine.p95_ms is not None and other.p95_ms is not None:
        slower = _slower(*rows, terms)
        if slower is not None:
            found.append(
                f"95 of 100 answers take {mine.p95_ms:.3g} ms, the champion's {other.p95_ms:.3g} "
                f"ms: more than {terms.slower:g} times, by {slower:.3g} ms at least"
            )
    return found


def _slower(mine: pd.DataFrame, other: pd.DataFrame, terms: Terms) -> float | None:
    """By how many milliseconds too slow it is at least; None where that is not shown."""
    import numpy as np

    sides = []
    for side in (mine, other):
        took = side.drop_duplicates("id").loc[lambda rows: rows["error"].isna(), "latency_ms"]
        if len(took) < terms.minimum:
            return None
        sides.append(took.to_numpy())
    random = np.random.default_rng(0)
    drawn = [
        np.quantile(took[random.integers(0, len(took), (DRAWS, len(took)))], 0.95, axis=1)
        for took in sides
    ]
    low = float(np.quantile(drawn[0] - terms.slower * drawn[1], 1 - terms.reliability))
    return low if low > 0 else None


def _labelled(
    report: TrialReport,
    condition: Condition,
    terms: Terms,
    mine: pd.DataFrame,
    other: pd.DataFrame,
    labels: Any,
) -> TrialReport:
    """The report with what the condition says of the rows whose labels are known."""
    if labels is None or not len(labels):
        return replace(report, outcome="inconclusive", reason="no label has come")
    keys = [name for name in ("id", "row") if name in labels.columns]
    parts = [
        side[side["error"].isna()].merge(labels, on=keys).dropna(subset=[terms.label])
        for side in (mine, other)
    ]
    report = replace(
        report,
        challenger=replace(report.challenger, labels=len(parts[0])),
        champion=replace(report.champion, labels=len(parts[1])),
    )
    few = min(map(len, parts))
    if few < decide.LEAST:
        said = f"{plural(few, 'label')} of {decide.LEAST} needed of either version"
        return replace(report, outcome="inconclusive", reason=said, needed=2 * (decide.LEAST - few))
    answers = _answers(condition, terms, *parts)
    if not decide.both_classes(condition, answers):
        return replace(report, outcome="inconclusive", reason="all labels are of one class")
    found = decide.decide(condition, answers, 1 - terms.reliability)
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


def _answers(
    condition: Condition, terms: Terms, mine: pd.DataFrame, other: pd.DataFrame
) -> Answers:
    """Paired where the challenger watched: it has the champion's requests; else apart."""
    import pandas as pd

    classes = condition.metrics[0] not in OF_NUMBERS
    if (mine["role"] == "shadow").all():
        at = ["id", "row"]
        pairs = mine[at].merge(other[at], on=at)
        mine, other = (pairs.merge(side, on=at) for side in (mine, other))
        label = truth(mine, terms.label, classes=classes)
        return Answers(label, _given(mine, classes=classes), _given(other, classes=classes))
    both = pd.concat([mine, other], ignore_index=True)
    given = _given(both, classes=classes)
    label = truth(both, terms.label, classes=classes)
    return Answers(label, given, given, (both["role"] == "challenger").to_numpy())


def _given(rows: pd.DataFrame, *, classes: bool) -> Any:
    name = "output:probability" if classes and "output:probability" in rows else "output:predict"
    if name not in rows:
        raise InvalidInput("the inference log has no column output:predict to be held to labels")
    return rows[name].to_numpy(dtype="float64")
