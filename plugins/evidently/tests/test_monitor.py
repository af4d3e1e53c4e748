"""Evidently keeps the contract of monitors, and what is its own."""

from __future__ import annotations

from stackyard.components.base import Context
from stackyard.components.monitor import Monitor
from stackyard.testing import MonitorContract
from stackyard_evidently.config import EvidentlyConfig
from stackyard_evidently.monitor import EvidentlyMonitor


class TestEvidently(MonitorContract):
    """The contract."""

    def connect(self, context: Context) -> Monitor:
        return EvidentlyMonitor(EvidentlyConfig(), context)
