"""The store in memory keeps the contract; so does a store of forty lines that is only read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore, FeatureView, ViewDefinition, by_view
from stackyard.feature_rows import check_rows, moments, typed
from stackyard.testing import FeatureStoreContract, MemoryFeatureStore


class TestMemory(FeatureStoreContract):
    """All capabilities."""

    @pytest.fixture(autouse=True)
    def _backend(self) -> None:
        self.backend = MemoryFeatureStore()

    def connect(self, context: Context) -> FeatureStore:
        return self.backend.of(context)


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
            definition, frame = self.config[name]
            entity = list(definition.entity)
            left = rows[entity].assign(at=moments(rows[timestamp], "rows"), row=range(len(rows)))
            right = frame.assign(at=moments(frame[definition.timestamp], name))
            for column, kind in definition.entity.items():
                left[column] = typed(left[column], kind, "rows")
                right[column] = typed(right[column], kind, name)
            found = pd.merge_asof(
                left.dropna().sort_values("at"),
                right[[*entity, "at", *wanted]].sort_values("at"),
                on="at",
                by=entity,
                tolerance=definition.ttl and pd.Timedelta(seconds=definition.ttl),
            )
            for feature in wanted:
                column = found.set_index("row")[feature].convert_dtypes()
                joined[feature] = column.reindex(range(len(rows))).array
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
