"""Are the flights that the served model is asked about still like those that it learned from?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flight_delays import CATEGORIES, MODEL, NUMBERS, Features, features, join_weather, load, split
from flight_rollout import ENDPOINT, ask, flights_of

from stackyard import (
    ModelVersion,
    Period,
    Server,
    candidate,
    from_stack,
    load_model,
    monitor,
    pipeline,
    read_inferences,
    step,
    trigger,
)
from stackyard.components.monitor_report import MonitorReport

if TYPE_CHECKING:
    import pandas as pd

CHANCE = "output:probability"  # what the endpoint's log calls the model's answer
# The days that a model has not seen are the last ones of its month, and have a weather of their
# own: their answers are 0.17 away from those of the whole month, which is no drift.
ANSWERS_MOVED = 0.25


@step
def learned_from(version: ModelVersion) -> Period:
    """Whose flights a model learned from, as it was registered."""
    return Period.parse(version.tags["period"])


@step
def usual(version: ModelVersion, parts: Features) -> pd.DataFrame:
    """The flights of a model's period, with what it says of those that it did not learn from.

    Of the others it is surer than it will ever be again, so their answers are left empty.
    """
    import pandas as pd

    seen, unseen = (part[NUMBERS + CATEGORIES] for part in (parts.train, parts.test))
    chance = load_model(version.package).predict_proba(unseen)[:, 1]
    return pd.concat([seen, unseen.assign(**{CHANCE: chance})], ignore_index=True)


@step(effect=True)
def served(
    version: ModelVersion, flights: pd.DataFrame, *, server: Server = from_stack()
) -> pd.DataFrame:
    """What the endpoint was asked about these flights and ``version`` answered, from its log."""
    began = datetime.now(UTC)
    ask(flights, server=server)
    log = read_inferences(server.inferences(ENDPOINT), began, version=version.version)
    return log[[*NUMBERS, *CATEGORIES, CHANCE]].reset_index(drop=True)


@step
def say_why(report: MonitorReport) -> str:
    """Why it drifted, for whoever waits for it."""
    return report.reason


@pipeline(schedule="@monthly", start="2013-01-01", timezone="America/New_York")
def flight_monitor(period: Period = Period.scheduled()) -> None:
    """Compare what was served with the flights that the model learned from; on drift, have another.

    Args:
        period: whose flights the endpoint is asked about.
    """
    in_use = candidate.named("in_use")(MODEL, alias="champion")
    known = usual(in_use, features(split(join_weather(load(learned_from(in_use))))))
    current = served(in_use, flights_of(period))
    drift = monitor(
        current, known, predictions=[CHANCE],
        methods={CHANCE: "wasserstein"}, thresholds={CHANCE: ANSWERS_MOVED},
    )  # fmt: skip
    why = say_why(drift.report)
    trigger("flights.drifted", drift.drifted, {"period": period}, why=why)
