"""The feature store keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest
from stackyard.testing import FeatureStoreContract


class TestAcmeFeatureStore(FeatureStoreContract):
    """Where the feature store is reached over a network, add ``silent(address)``."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the feature store: one that is empty in every test."""
        return {"flavor": "acme", "folder": "features"}
