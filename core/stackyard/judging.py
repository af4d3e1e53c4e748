"""The ready-made step ``judge``: is a version on trial as good as the champion to its users."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from stackyard.components.server import Server
from stackyard.execute import current
from stackyard.gating import trial_report as reports
from stackyard.gating.trial_report import TrialReport
from stackyard.options import seconds
from stackyard.pipeline import step
from stackyard.serving import Trial
from stackyard.signature import from_stack

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.gating.trial import Terms

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two looks whether enough was answered
OFTEN = 1000  # looks at what fails, none of which may be wrong about an equal


class Judgement(NamedTuple):
    """What ``judge`` gives: ``passed`` and ``failed`` for ``when``, and why.

    Neither of them where it is inconclusive.
    """

    passed: bool
    failed: bool
    report: TrialReport


@step(cache=False)  # more is answered while time passes
def judge(
    trial: Trial,
    labels: pd.DataFrame | None = None,
    condition: str = "",
    *,
    label: str = "",
    reliability: float = 0.95,
    minimum: int = 100,
    failing: float = 0.01,
    slower: float = 2.0,
    patience: float | str = 0.0,
    looks: int = 1,
    server: Server = from_stack(),
) -> Judgement:
    """Hold what a version on trial answered against what the champion did, from the inference log.

    It fails where it is shown to answer fewer requests, to be too slow, or that the condition does
    not hold; it is inconclusive where too few requests or labels came to tell, or where the trial
    is over: somebody rolled back, or another version is the champion.

    Args:
        trial: that ``canary`` or ``shadow`` began.
        labels: the truth that came meanwhile: ``id`` of the request, ``row`` unless each had one,
            and the label.
        condition: as of a gate, e.g. ``brier_champion - brier > -0.01 +/- 0.01``. Of a canary each
            version has requests of its own; of a shadow both have the same, so that fewer labels
            tell as much.
        label: the column with the truth.
        reliability: that what is found worse is.
        minimum: requests that either version must have been asked.
        failing: by how much its share of requests without an answer may be above the champion's.
        slower: how many times as long as the champion's 95 of 100 of its answers may take.
        patience: how long to wait for ``minimum`` requests, unless nearly all of them fail.
        looks: how often this trial is judged at most, e.g. 48 by a schedule for two days: the more
            looks, the less may each of them be wrong, so that all together are as reliable.
        server: given by the stack.

    Raises:
        InvalidInput: the terms, or the labels, are ones that cannot be.
        Unsupported: the server keeps no log.
    """
    from stackyard.gating.trial import Terms, hold

    terms = Terms(condition, label, reliability, minimum, failing, slower, looks)
    terms.read()
    log = _enough(trial, terms, time.time() + seconds(patience), server)
    # Looked at once: who looks again and again finds what is as good worse at some moment.
    versions = (trial.version, trial.champion)
    report = hold(terms, trial.endpoint, versions, log, labels, watched=not trial.percent)
    over = _over(trial, server)
    if over:
        report = replace(report, outcome="inconclusive", reason=f"the trial is over: {over}")
    print("\n".join(reports.lines(report)))
    here = current()
    if here is not None:
        here.note(report)
    return Judgement(report.outcome == "pass", report.outcome == "fail", report)


def _enough(trial: Trial, terms: Terms, until: float, server: Server) -> pd.DataFrame:
    """What was answered, once both versions had requests enough, or ``until`` is over.

    A version that fails at nearly every request is not given more of them.
    """
    from stackyard.gating.trial import failing, served, sides
    from stackyard.inference_log import read_answers

    since, pause = dt.datetime.fromtimestamp(trial.since, dt.UTC), FIRST_PAUSE
    while True:
        log = read_answers(server.inferences(trial.endpoint), since, dt.datetime.now(dt.UTC))
        rows = sides(log, trial.version, trial.champion, watched=not trial.percent)
        mine, other = served(trial.version, rows[0]), served(trial.champion, rows[1])
        left = until - time.time()
        if min(mine.requests, other.requests) >= terms.minimum or left <= 0:
            return log
        if failing(terms, mine, other, terms.error / OFTEN):
            return log
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _over(trial: Trial, server: Server) -> str:
    """Why the trial is not under way any more; empty where it is."""
    now = server.status(trial.endpoint)
    if now.champion != trial.champion:
        return f"the champion is version {now.champion}"
    under_way = now.traffic.get(trial.version) if trial.percent else now.shadow == trial.version
    return "" if under_way else f"version {trial.version} gets no requests"
