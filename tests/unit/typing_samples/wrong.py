"""Each marked line is an error that type checkers must find."""

from __future__ import annotations

from stackyard import Period, Tracker, from_stack, pipeline, step


@step(retries=1)
def load(period: Period, *, tracker: Tracker = from_stack()) -> list[int]:
    return []


@step
def train(rows: list[int], depth: int = 6) -> dict[str, float]:
    return {}


@step(retries="two")  # error
def misspelt() -> None: ...


@pipeline
def flow(period: Period = Period.scheduled()) -> None:
    train(load("2013-01"))  # error
    train(load(period), dept=3)  # error
    train(train([1]))  # error
    train(load(period)).shape  # error
    load(period, tracker=3)  # error
