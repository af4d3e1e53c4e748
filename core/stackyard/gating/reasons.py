"""What was found, in one line, for the record of what was done because of it."""

from __future__ import annotations

from stackyard.gating import report, trial_report
from stackyard.gating.report import GateReport
from stackyard.gating.trial_report import TrialReport


def as_reason(because: GateReport | TrialReport | str) -> str:
    """One line of a report; text as it is."""
    if isinstance(because, GateReport):
        return report.summary(because)
    return trial_report.summary(because) if isinstance(because, TrialReport) else because
