"""What the tests of a validator's contract are made of: frames, suites, a vocabulary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.validator import Expectation, Suite, Validator
from stackyard.errors import Unsupported
from stackyard.suites import read_suite, written
from stackyard.testing.stand_ins import Journal

ROWS = 200


def flights(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Sound rows: no carrier is null, a distance is within 100 and 900, ten delays are null."""
    random = np.random.default_rng(seed)
    delays = random.normal(12, 5, rows).round(1)
    delays[random.choice(rows, rows // 20, replace=False)] = np.nan
    return pd.DataFrame(
        {
            "carrier": random.choice(["UA", "DL", "AA"], rows),
            "distance": random.integers(100, 901, rows),
            "delay": delays,
            "day": pd.Timestamp("2013-01-01") + pd.to_timedelta(np.arange(rows) % 31, unit="D"),
        }
    )


class ValidatorCase(ABC):
    """How to make the validator and how its vocabulary spells four expectations."""

    @abstractmethod
    def connect(self, context: Context) -> Validator:
        """Return a new component."""

    @abstractmethod
    def not_null(self, column: str) -> Expectation:
        """No value of the column is null."""

    @abstractmethod
    def between(self, column: str, low: Any, high: Any) -> Expectation:
        """Values of the column that are not null lie within the bounds, which belong to them."""

    @abstractmethod
    def in_set(self, column: str, values: list[Any]) -> Expectation:
        """Values of the column that are not null are among these."""

    @abstractmethod
    def row_count(self, low: int, high: int) -> Expectation:
        """The frame has so many rows."""

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        (tmp_path / "project").mkdir(exist_ok=True)
        folder = tmp_path / "project" / ".stackyard"
        return Context(
            name="validator",
            stack="local",
            project=tmp_path / "project",
            cache_dir=folder / "cache",
            state_dir=folder / "state",
            step="validate",
            journal=Journal(),
        )

    @pytest.fixture
    def validator(self, context: Context) -> Any:
        """The component under test."""
        made = self.connect(context)
        yield made
        made.close()

    def sound(self) -> Suite:
        """What holds of ``flights()``."""
        return suite(
            self.row_count(100, 300),
            self.not_null("carrier"),
            self.between("distance", 100, 900),
            self.in_set("carrier", ["UA", "DL", "AA"]),
        )


def broken(sound: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The five failures that nothing else tells."""
    return {
        "schema": sound.rename(columns={"delay": "delay_min"}),
        "nulls": sound.assign(delay=sound["delay"].mask(sound.index % 2 == 0)),
        "units": sound.assign(delay=sound["delay"] * 60),
        "values": sound.assign(carrier=sound["carrier"].replace("UA", "United")),
        "volume": sound[: len(sound) // 3],
    }


def suite(*expectations: Expectation) -> Suite:
    """A suite of these."""
    return Suite("flights", expectations)


def noted(context: Context) -> list[Any]:
    """What was written into the record of the step."""
    assert isinstance(context.journal, Journal)
    return context.journal.entries


def through_a_file(proposed: Suite, folder: Path) -> Suite:
    """The suite as read back from its file."""
    path = folder / "proposed.suite.yaml"
    path.write_text(written(proposed), encoding="utf-8")
    return Suite.of(read_suite(path))


def capable(validator: Validator, capability: str) -> bool:
    """Whether it has the capability; if not, it must refuse in the words of the contract."""
    if capability in validator.capabilities:
        return True
    with pytest.raises(Unsupported, match=capability):
        getattr(validator, capability)([flights()], "flights")
    return False
