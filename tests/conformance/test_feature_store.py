"""The store in memory keeps the contract; so does a small one that is only read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore, FeatureView, ViewDefinition, by_view
from stackyard.feature_rows import check_rows, newest
from stackyard.testing import FeatureStoreContract, MemoryFeatureStore


class TestMemory(FeatureStoreContract):
    """All capabilities."""

    @pytest.fixture(autouse=True)
    def _backend(self) -> None:
        self.backend = MemoryFeatureStore()

    def connect(self, context: Context) -> FeatureStore:
        return self.backend.of(context)

    def submitted(self, store: FeatureStore) -> int:
        return len(self.backend._jobs)


class Frames(FeatureStore):
    """An in-house store: frames that others fill."""

    def __init__(self, config: dict[str, tuple[ViewDefinition, Any]], context: Context) -> None:
        super().__init__(config, context)

    def describe(self) -> Sequence[FeatureView]:
        return tuple(self.config[name][0].view for name in sorted(self.config))

    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        asked = by_view(features, self.describe())
        check_rows(rows, asked, timestamp)
        joined = rows.copy()
        for name, (_, wanted) in asked.items():
            definition, known = self.config[name]
            joined = joined.assign(**newest(rows, known, definition, wanted, timestamp))
        self.note_features(features, self.describe(), joined)
        return joined[[*rows.columns, *(text.partition(":")[2] for text in features)]]


class TestReadOnly(FeatureStoreContract):
    """Only ``describe`` and ``historical``."""

    @pytest.fixture(autouse=True)
    def _backend(self) -> None:
        self.frames: dict[str, tuple[ViewDefinition, Any]] = {}

    def connect(self, context: Context) -> FeatureStore:
        return Frames(self.frames, context)

    def given(self, context: Context, definition: ViewDefinition, rows: pd.DataFrame) -> None:
        self.frames[definition.name] = (definition, rows)
