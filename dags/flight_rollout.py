"""A newly learned model of flights: does it go to its users, to all of them, or back?

The gate asks the days that neither model has seen; then a part of the requests does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flight_delays import (
    CATEGORIES,
    MODEL,
    NUMBERS,
    features,
    join_weather,
    known_before,
    load,
    split,
)

from stackyard import (
    FeatureStore,
    Period,
    Server,
    StackyardError,
    canary,
    candidate,
    champion,
    deploy,
    from_stack,
    gate,
    go_live,
    judge,
    otherwise,
    pipeline,
    promote,
    roll_back,
    step,
    when,
)
from stackyard.inference import encode_request

if TYPE_CHECKING:
    import pandas as pd

ENDPOINT = "flight-delays"
BETTER = "auc - auc_champion > 0 +/- 0.03"
# Two parts of the same days differ by 0.01 by chance; a model of another season is 0.04 worse.
NOT_WORSE = "brier_champion - brier > -0.03 +/- 0.01"
TOGETHER = 20  # flights in a request
FEWEST = 50  # requests that tell; the gate's days have 380, of which a canary gets some 95


@step
def flights_of(period: Period, *, features: FeatureStore = from_stack()) -> pd.DataFrame:
    """The flights of a period that arrived, as the model sees them, and whether they were late."""
    flights = join_weather(load(period), features=features)
    return known_before(flights[flights["arr_delay"].notna()])


@step
def flights_asked(
    newest: pd.DataFrame, asked: Period | None, *, features: FeatureStore = from_stack()
) -> pd.DataFrame:
    """The flights that users ask about: the newest ones, or those of a period."""
    return newest if asked is None else flights_of(asked, features=features)


@step(effect=True)
def ask(rows: pd.DataFrame, most: int = 12_000, *, server: Server = from_stack()) -> pd.DataFrame:
    """Ask the endpoint about flights, as their passengers would; return what came true of them.

    The flights of 2013 have landed, so nobody asks about them any more. Where somebody does ask,
    this step is left out, and the labels are read from where they arrive.
    """
    import pandas as pd

    chosen = rows.sample(min(most, len(rows)), random_state=0).reset_index(drop=True)
    labels = []
    for start in range(0, len(chosen), TOGETHER):
        part = chosen.iloc[start : start + TOGETHER]
        try:
            answer = server.predict(ENDPOINT, encode_request(part[NUMBERS + CATEGORIES]))
        except StackyardError as exc:  # which is in the log: a canary that fails is to be judged
            print(f"no answer: {exc}")
            continue
        numbers = range(len(part))
        labels.append(pd.DataFrame({"id": answer["id"], "row": numbers, "late": part["late"]}))
    none = pd.DataFrame({"id": [], "row": [], "late": []})
    return pd.concat(labels or [none], ignore_index=True)


@pipeline(on="flights.learned", timezone="America/New_York")
def flight_rollout(period: Period, version: str = "", asked: Period | None = None) -> None:
    """Put the model learned from ``period`` into use, if it is better and its users agree.

    Args:
        period: whose flights it was learned from; the last days of it are the gate's.
        version: of the model; by default the candidate.
        asked: when the flights leave that users ask about; by default the gate's days.
    """
    unseen = features(split(join_weather(load(period)))).test
    newest, in_use = candidate(MODEL, version), champion(MODEL)
    better = gate(
        newest, in_use, unseen, BETTER, label="late", first="auc > 0.55 +/- 0.05",
        reliability=0.95,
    )  # fmt: skip
    with when(better.passed):
        served = deploy(newest, ENDPOINT)
        with when(served.alone):
            promote(newest, because=better.report)
        with otherwise():
            trial = canary(newest, 25, ENDPOINT)
            labels = ask(flights_asked(unseen, asked)).after(trial)
            found = judge(trial, labels, NOT_WORSE, label="late", reliability=0.9, minimum=FEWEST)
            with when(found.passed):
                agreed = promote.named("promote_after_trial")(newest, because=found.report)
                go_live(trial, because=found.report).after(agreed)
            with otherwise():
                roll_back(trial, because=found.report)
