"""The tracker keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest
from stackyard.testing import StoredRun, TrackerContract

from acme_tools.tracker import AcmeTracker


class TestAcmeTracker(TrackerContract):
    """Where the tracker is reached over a network, add ``silent(address)``."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the tracker."""
        return {"flavor": "acme", "folder": "runs"}

    def read(self, tracker: AcmeTracker, tracking_id: str) -> StoredRun:
        """Read a run back through the tool's own interface."""
        run = tracker.read(tracking_id)
        return StoredRun(
            params=run["params"],
            metrics={key: [tuple(p) for p in points] for key, points in run["metrics"].items()},
            tags=run["tags"],
            artifacts=run["files"],
            status=run["status"],
            ended=run.get("ended"),
        )
