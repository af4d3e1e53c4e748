"""Source of a pipeline whose artifacts have every kind of column, and nested values with sets."""

EVERYTHING = """
import datetime
from typing import Any

import numpy as np
import pandas as pd
from stackyard import pipeline, step


@step
def frame(rows: int = 500) -> pd.DataFrame:
    words = [f"w{n % 17}" if n % 5 else None for n in range(rows)]
    local = pd.date_range("2013-03-09 22:00", periods=rows, freq="h", tz="America/New_York")
    made = pd.DataFrame(
        {
            "whole": np.arange(rows),
            "part": [n / 7 if n % 3 else np.nan for n in range(rows)],
            "text": words,
            "kind": pd.Categorical(words, categories=sorted({w for w in words if w}), ordered=True),
            "local": local,
            "utc": local.tz_convert("UTC").tz_localize(None),
            "lasted": pd.to_timedelta(np.arange(rows), unit="s"),
            "count": pd.array([n if n % 4 else None for n in range(rows)], dtype="Int64"),
            "flag": pd.array([n % 2 == 0 if n % 9 else None for n in range(rows)], dtype="boolean"),
            "chars": pd.array(words, dtype="string"),
        },
    )
    return made[made["whole"] % 10 != 3]


@step
def nested() -> dict[str, Any]:
    return {
        "names": {f"n{i}" for i in range(50)},
        "deep": [{"set": frozenset({1, "a", (2, 3)})}, None, 1.5, float("nan")],
        "when": datetime.datetime(2013, 1, 1, tzinfo=datetime.UTC),
    }


@step
def both(table: pd.DataFrame, values: dict[str, Any], broken: str = "") -> pd.DataFrame:
    import os

    if broken and os.path.exists(broken):
        raise ValueError("broken")
    table["more"] = table["whole"] * len(values["names"])
    return table


@pipeline
def everything(broken: str = ""):
    both(frame(), nested(), broken)
"""

# Every shape of a branch; `scale` and `strict` decide which way it goes.
BRANCHES = """
import os

from stackyard import either, otherwise, pipeline, step, when


@step
def measure(scale: int, broken: str = "") -> int:
    return scale * 2


@step
def large(value: int) -> bool:
    return value > 10


@step
def cut(value: int, broken: str = "") -> int:
    if broken and os.path.exists(broken):
        raise ValueError("broken")
    return value // 10


@step
def audit(value: int) -> str:
    return f"audited {value}"


@step
def pad(value: int) -> int:
    return value + 100


@step
def report(value: int, note: str = "") -> str:
    return f"{value} {note}"


@pipeline
def branches(scale: int = 1, strict: bool = True, broken: str = ""):
    value = measure(scale)
    big = large(value)
    with when(big):
        small = cut(value, broken)
        with when(strict):
            audit(small)
    with otherwise():
        padded = pad(value)
    told = report(either(small, padded, when=big), either("strict", "lax", when=strict))
    audit.named("last").after(small, told)(value)
"""
