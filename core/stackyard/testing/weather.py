"""What the contract of a feature store asks about: the weather of two airports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from stackyard.components.feature_store import ViewDefinition

HOUR = 3600.0
START = pd.Timestamp("2013-01-01", tz="UTC")
WEATHER = ViewDefinition(
    "weather", {"origin": "string"}, {"temp": "float64", "rain": "int64"}, "time", 3 * HOUR
)

TEXTS = (
    "", " ", "null", "NaN", "A", "a", "../etc/passwd", "a'b\"c`d", "line\nbreak", "\\", "%s",
    "'; DROP TABLE weather; --", "naïve ☃ 東京", "x" * 5000,
)  # fmt: skip


def hours(numbers: Sequence[int]) -> pd.Series[Any]:
    """Moments so many hours after the start."""
    return pd.Series([START + pd.Timedelta(hours=n) for n in numbers], dtype="datetime64[ns, UTC]")


def weather() -> pd.DataFrame:
    """Kennedy at one and three o'clock, LaGuardia at two."""
    rows = pd.DataFrame(
        {"origin": ["JFK", "JFK", "LGA"], "temp": [1.0, 3.0, 2.0], "rain": [10, 30, 20]}
    )
    return rows.assign(time=hours([1, 3, 2]))


def questions(origins: Sequence[str | None], at: Sequence[int]) -> pd.DataFrame:
    """What was known of each airport, so many hours after the start?"""
    return pd.DataFrame({"origin": origins, "at": hours(at)})


def plain(values: pd.Series[Any]) -> list[Any]:
    """Values as Python has them, None for every kind of null."""
    return [None if pd.isna(v) else v for v in values.tolist()]


def by_hand(
    known: pd.DataFrame, ttl: float | None, origin: str, at: pd.Timestamp
) -> Mapping[str, Any]:
    """The newest row of an airport at a moment; empty where there is none."""
    best: dict[Any, Any] = {}
    for row in known.to_dict("records"):
        age = (at - row["time"]).total_seconds()
        if row["origin"] == origin and age >= 0 and (ttl is None or age <= ttl):
            best = row if not best or row["time"] > best["time"] else best
    return {key: None if pd.isna(value) else value for key, value in best.items()}
