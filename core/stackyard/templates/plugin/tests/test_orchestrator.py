"""The orchestrator keeps Stackyard's contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from stackyard.testing import OrchestratorContract


class TestAcmeOrchestrator(OrchestratorContract):
    """Where the scheduler is reached over a network, add ``silent(address)``."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Mapping[str, Any]:
        return {"flavor": "acme"}
