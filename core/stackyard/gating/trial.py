"""How a version does on requests of its users, beside the champion on theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stackyard.display import plural
from stackyard.errors import InvalidInput
from stackyard.gating import intervals
from stackyard.gating.condition import Condition, read_condition
from stackyard.gating.metrics import METRICS
from stackyard.gating.trial_labels import with_labels
from stackyard.gating.trial_report import Served, TrialReport

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.gating.metrics import Vector


@dataclass(frozen=True)
class Terms:
    """What is asked of a version on trial; see ``judge`` for each part."""

    condition: str
    label: str
    reliability: float
    minimum: int
    failing: float
    slower: float
    looks: int = 1

    @property
    def error(self) -> float:
        """That a finding is wrong, at each look (Bonferroni)."""
        return (1 - self.reliability) / self.looks

    def read(self) -> Condition | None:
        """The condition, if there is one.

        Raises:
            InvalidInput: a part of the terms is one that cannot be.
        """
        if not 0 < self.reliability < 1:
            raise InvalidInput(f"reliability is {self.reliability}: it is between 0 and 1")
        if self.minimum < 1:
            raise InvalidInput(f"minimum is {self.minimum}: nothing is told by no request")
        if self.looks < 1:
            raise InvalidInput(f"looks is {self.looks}: a trial is judged once at least")
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


def sides(
    log: pd.DataFrame, version: str, champion: str, *, watched: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a log that the version on trial answered, and those of the champion.

    Not those of somebody who asked the version by name while it only watched.
    """
    role = "shadow" if watched else "challenger"
    return (
        log[(log["version"] == version) & (log["role"] == role)],
        log[(log["version"] == champion) & (log["role"] == "champion")],
    )


def served(version: str, rows: pd.DataFrame) -> Served:
    """How one side did; an id does not tell requests apart, as clients choose it."""
    import numpy as np

    asked, took = rows[rows["row"] == 0], _took(rows)
    p95 = float(np.quantile(took, 0.95)) if len(took) else None
    return Served(version, len(asked), int(asked["error"].notna().sum()), p95)


def _took(rows: pd.DataFrame) -> Vector:
    """Milliseconds that each answer took."""
    import numpy as np

    answered = rows[(rows["row"] == 0) & rows["error"].isna()]
    found: Vector = np.asarray(answered["latency_ms"], dtype="float64")
    return found


def failing(terms: Terms, mine: Served, other: Served, error: float) -> bool:
    """Whether the version is shown to fail more often; ``error``: that this is said of an equal."""
    if not (mine.requests and other.requests):
        return False
    counts = (mine.failed, mine.requests), (other.failed, other.requests)
    return intervals.share_above(*counts, error) > terms.failing


def hold(
    terms: Terms,
    endpoint: str,
    versions: tuple[str, str],
    log: pd.DataFrame,
    labels: pd.DataFrame | None = None,
    *,
    watched: bool = False,
) -> TrialReport:
    """Hold what the challenger answered against what the champion did.

    Args:
        terms: what is asked.
        endpoint: its name, for the report.
        versions: of the challenger and of the champion.
        log: what both answered, as ``read_answers`` gives it.
        labels: a frame with ``id``, ``row`` unless each request had one, and the label.
        watched: whether the challenger was a shadow, so that both have the same requests.

    Raises:
        InvalidInput: the terms, or the labels, are ones that cannot be.
    """
    condition = terms.read()
    mine, other = sides(log, *versions, watched=watched)
    report = TrialReport(
        endpoint, "pass", "", served(versions[0], mine), served(versions[1], other),
        terms.reliability, terms.condition,
    )  # fmt: skip
    if condition is not None:
        report = with_labels(
            report, condition, terms.label, (mine, other), labels, terms.error, watched=watched
        )
    worse = _worse(terms, report.challenger, report.champion, (mine, other))
    if worse or report.outcome == "fail":
        said = [*worse, *([report.reason] if report.outcome == "fail" else [])]
        return replace(report, outcome="fail", reason="; ".join(said), needed=0)
    for who, side in (("it", report.challenger), ("the champion", report.champion)):
        if side.requests < terms.minimum:
            few = f"{plural(side.requests, 'request')} to {who} of {terms.minimum} needed"
            return replace(report, outcome="inconclusive", reason=few)
    return report


def _worse(
    terms: Terms, mine: Served, other: Served, rows: tuple[pd.DataFrame, pd.DataFrame]
) -> list[str]:
    """In what the challenger is shown to be worse, apart from its answers."""
    found = []
    if failing(terms, mine, other, terms.error):
        found.append(
            f"{mine.failed} of {plural(mine.requests, 'request')} failed, of the champion's "
            f"{other.failed} of {other.requests}"
        )
    if mine.p95_ms is not None and other.p95_ms is not None:
        slow, usual = (intervals.quantile(_took(side), 0.95, terms.error / 2) for side in rows)
        if slow[0] > terms.slower * usual[1]:
            found.append(
                f"95 of 100 answers take {mine.p95_ms:.3g} ms, the champion's {other.p95_ms:.3g} "
                f"ms: more than {terms.slower:g} times as long"
            )
    return found
