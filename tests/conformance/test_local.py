"""The orchestrator that is built in keeps the contract that every plugin's is held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from stackyard.testing import OrchestratorContract


class TestLocal(OrchestratorContract):
    """In this process, but for a step that has to be stopped."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Mapping[str, Any]:
        return {"flavor": "local"}


class TestWorkers(OrchestratorContract):
    """In workers, wherever two steps are ready."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Mapping[str, Any]:
        return {"flavor": "local", "parallel": "always", "workers": 2}
