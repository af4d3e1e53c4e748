"""Feast keeps the contract of a feature store."""

from __future__ import annotations

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore
from stackyard.testing import FeatureStoreContract
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore


class TestFeast(FeatureStoreContract):
    """In a project of its own."""

    def connect(self, context: Context) -> FeatureStore:
        return FeastFeatureStore(FeastConfig(), context)
