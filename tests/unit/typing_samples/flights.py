"""A pipeline as a user writes it: type checkers must be content, and know every type in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_type

from stackyard import (
    FeatureStore,
    ModelPackage,
    ModelVersion,
    Period,
    Pipeline,
    Registry,
    Resource,
    Tracker,
    either,
    from_stack,
    otherwise,
    pipeline,
    step,
    when,
)

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import ClassifierMixin


class Warehouse(Resource):
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def query(self, sql: str, **params: object) -> pd.DataFrame:
        raise NotImplementedError


class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


@step(retries=2, timeout="20m", cache="1d")
def load(period: Period, *, warehouse: Warehouse = from_stack()) -> pd.DataFrame:
    return warehouse.query("select * from flights", start=period.start, end=period.end)


@step
def split(rows: pd.DataFrame, share: float = 0.25) -> Split:
    cut = int(len(rows) * share)
    return Split(rows.iloc[cut:], rows.iloc[:cut])


@step(resources={"cpu": 4, "memory": "8Gi"})
def train(
    rows: pd.DataFrame,
    depth: int = 6,
    *,
    tracker: Tracker = from_stack(),
    store: FeatureStore | None = from_stack("inhouse"),
) -> ClassifierMixin:
    tracker.log_params({"depth": depth})
    if store is not None:
        store.describe()
    raise NotImplementedError


@step
def better(model: ClassifierMixin, rows: pd.DataFrame) -> bool:
    return len(rows) > 0


@step(effect=True)
def register(
    model: ClassifierMixin, name: str, *, registry: Registry = from_stack()
) -> ModelVersion:
    return registry.register(name, ModelPackage("sklearn-skops", "", ""))


@pipeline(schedule="@monthly", start="2013-01-01", timezone="America/New_York")
def flight_delays(period: Period = Period.scheduled(), depth: int = 6) -> None:
    parts = split(load(period))
    assert_type(parts, Split)
    model = train.named("deep")(parts.train, depth=depth)
    good = better(model, parts.test)
    assert_type(good, bool)
    version = register.after(good)(model, "flight_delays")
    assert_type(version, ModelVersion)
    with when(good):
        name = either("flight_delays", None, when=good)
        assert_type(name, str | None)
        one = register.named("one")(model, "flight_delays")
    with otherwise():
        other = better(model, parts.train)
    assert_type(either(one, other, when=good), ModelVersion | bool)


assert_type(flight_delays, Pipeline)


def by_hand(rows: pd.DataFrame, tracker: Tracker) -> ClassifierMixin:
    return train(rows, 3, tracker=tracker)
