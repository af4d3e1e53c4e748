"""What a gate found, as a value and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stackyard.display import plural
from stackyard.gating.condition import CHAMPION

Outcome: TypeAlias = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class SliceReport:
    """How the challenger does on the rows whose ``column`` has ``value``.

    ``verdict``: ``worse`` where it is shown to be worse and seems so by more than the margin,
    ``unclear`` where only the latter, ``too few`` below 30 rows, else ``ok``.
    """

    column: str
    value: str
    rows: int
    verdict: Literal["ok", "unclear", "worse", "too few"]
    estimate: float | None = None


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
