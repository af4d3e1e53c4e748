"""Yesterday's orders: made, checked, and summed up by country."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stackyard import Tracker, from_stack, pipeline, read_suite, step, validate

if TYPE_CHECKING:
    import pandas as pd

SUITE = read_suite(Path(__file__).with_name("orders.suite.yaml"))
COUNTRIES = ("DE", "FR", "NL")


@step
def load(rows: int, twice: int) -> pd.DataFrame:
    """Orders as the shop delivers them; the first ``twice`` come once more."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(7)
    orders = pd.DataFrame(
        {
            "order": [f"A-{number:05}" for number in range(rows)],
            "country": random.choice(COUNTRIES, rows),
            "price": random.uniform(5, 500, rows).round(2),
        }
    )
    return pd.concat([orders, orders.head(twice)], ignore_index=True)


@step
def revenue(orders: pd.DataFrame, *, tracker: Tracker = from_stack()) -> dict[str, float]:
    """What was sold in each country."""
    sums = orders.groupby("country")["price"].sum()
    by_country = {str(country): round(float(price), 2) for country, price in sums.items()}
    tracker.log_params({"countries": len(by_country)})
    tracker.log_metrics({f"revenue.{country}": price for country, price in by_country.items()})
    tracker.log_text(sums.to_csv(), "revenue.csv")
    return by_country


@pipeline
def orders(rows: int = 1000, twice: int = 0) -> None:
    """Nothing is summed up that the suite does not let pass."""
    revenue(validate(load(rows, twice), SUITE))
