"""What was found of a version on trial, as a value and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackyard.display import plural
from stackyard.gating.report import Outcome


@dataclass(frozen=True)
class Served:
    """How one side did.

    Attributes:
        version: that answered; of the champion's side, the champion.
        requests: that it was asked.
        failed: how many of them it could not answer.
        p95_ms: 95 of 100 answers took no longer; None where there was none.
        labels: rows whose label is known.
    """

    version: str
    requests: int = 0
    failed: int = 0
    p95_ms: float | None = None
    labels: int = 0


@dataclass(frozen=True)
class TrialReport:
    """What was found of a version on trial; written into the record of its step.

    Attributes:
        endpoint: where it is served.
        outcome: ``pass``, ``fail`` or ``inconclusive``.
        reason: one line for people.
        challenger, champion: how both did.
        reliability: that each check which found it worse is right.
        condition: as it was asked; empty where none was.
        estimate, low, high: the left side of the condition, and between what it lies.
        needed: labels more, where they are what is missing.
        metrics: by name, those of the champion ending in ``_champion``.
    """

    endpoint: str
    outcome: Outcome
    reason: str
    challenger: Served
    champion: Served
    reliability: float
    condition: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


def lines(report: TrialReport) -> list[str]:
    """The report for people."""
    rows = [summary(report)]
    for name, side in (("challenger", report.challenger), ("champion", report.champion)):
        took = "" if side.p95_ms is None else f", 95 of 100 within {side.p95_ms:.3g} ms"
        said = f"{plural(side.requests, 'request')}, {side.failed} failed{took}"
        labels = f", {plural(side.labels, 'label')}" if report.condition else ""
        rows.append(f"  {name} {side.version}: {said}{labels}")
    rows += [f"  {name}: {value:.4g}" for name, value in report.metrics.items()]
    return rows


def summary(report: TrialReport) -> str:
    """The report in one line."""
    asked = f": {report.condition}" if report.condition else ""
    found = ""
    if report.estimate is not None and report.low is not None and report.high is not None:
        found = f": {report.estimate:.3g} ({report.low:.3g} to {report.high:.3g})"
    reason = f"; {report.reason}" if report.reason else ""
    return f"trial of version {report.challenger.version}: {report.outcome}{asked}{found}{reason}"
