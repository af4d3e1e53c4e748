"""The orchestrator that is built in keeps the contract that every plugin's is held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from stackyard.testing import OrchestratorContract


class TestLocal(OrchestratorContract):
    """In this process, and in workers."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Mapping[str, Any]:
        return {"flavor": "local"}
