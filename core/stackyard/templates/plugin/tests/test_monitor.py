"""The monitor keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest
from stackyard.testing import MonitorContract


class TestAcmeMonitor(MonitorContract):
    """Every test of the contract is inherited."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the monitor."""
        return {"flavor": "acme", "bins": 10}
