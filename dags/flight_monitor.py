"""Are the flights that the served model is asked about still like those that it learned from?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flight_delays import CATEGORIES, MODEL, NUMBERS, Features, features, join_weather, load, split
from flight_rollout import ENDPOINT, ask

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


@step
def all_of(parts: Features) -> pd.DataFrame:
    """The flights of a period, as the model sees them, and whether they were late."""
    import pandas as pd

    return pd.concat([parts.train, parts.test], ignore_index=True)


@step
def learned_from(version: ModelVersion) -> Period:
    """Whose flights a model learned from, as it was registered."""
    return Period.parse(version.tags["period"])


@step
def answered(version: ModelVersion, flights: pd.DataFrame) -> pd.DataFrame:
    """The flights with what a model says of them."""
    rows = flights[NUMBERS + CATEGORIES]
    return rows.assign(**{CHANCE: load_model(version.package).predict_proba(rows)[:, 1]})


@step(effect=True)
def served(flights: pd.DataFrame, *, server: Server = from_stack()) -> pd.DataFrame:
    """What the endpoint was asked about these flights and answered, from its inference log."""
    began = datetime.now(UTC)
    ask(flights, server=server)
    log = read_inferences(server.inferences(ENDPOINT), began)
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
    usual = answered(in_use, all_of(features(split(join_weather(load(learned_from(in_use)))))))
    newest = features.named("newest")(
        split.named("split_newest")(
            join_weather.named("join_newest")(load.named("load_newest")(period))
        )
    )
    current = served(all_of.named("all_newest")(newest))
    drift = monitor(current, usual, predictions=[CHANCE])
    why = say_why(drift.report)
    trigger("flights.drifted", drift.drifted, {"period": period}, why=why)
