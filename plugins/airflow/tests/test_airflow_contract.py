"""The orchestrator's contract on the real Airflow, with the real step process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plugins.airflow.tests.conftest import RealAirflow
from stackyard.testing import OrchestratorContract


class TestAirflow(OrchestratorContract):
    """An existing Airflow, reached by its address; it reads the folder that ``run`` writes to."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, airflow: RealAirflow, project: Path) -> Iterator[Mapping[str, Any]]:
        local = airflow.orchestrator._local()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_PASSWORD", local.password())
            yield {
                "flavor": "airflow",
                "url": local.url,
                "username": "admin",
                "password": "${secret:AIRFLOW_PASSWORD}",
                "dags_folder": str(local.dags),
                "project": str(project),
                "python": sys.executable,
            }

    def silent(self, address: str) -> Mapping[str, Any]:
        return {
            "flavor": "airflow",
            "url": f"http://{address}",
            "token": "${secret:AIRFLOW_PASSWORD}",
            "timeout": 1.0,
        }
