"""The registry's contract on a real MLflow: an SQLite database, and a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackyard.components.registry import ModelVersion, Registry
from stackyard.testing import RegistryContract

TOKEN = "${secret:MLFLOW_TOKEN}"


class MlflowContract(RegistryContract):
    """What both backends share."""

    files: Path

    def damage(self, registry: Registry, version: ModelVersion) -> bool:
        from mlflow import MlflowClient

        uri = registry.config.tracking_uri
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        model = Path(client.get_model_version(version.name, version.version).source).parent.name
        (file,) = self.files.rglob(f"{model}/**/model.skops")
        file.write_bytes(file.read_bytes()[:-1])
        return True


class TestDatabase(MlflowContract):
    """On SQLite."""

    @pytest.fixture
    def settings(self, database: str) -> dict[str, Any]:
        self.files = Path(database.removeprefix("sqlite:///")).parent
        return {"flavor": "mlflow", "tracking_uri": database, "token": TOKEN}


class TestServer(MlflowContract):
    """On a server over REST, files proxied by it."""

    @pytest.fixture
    def settings(self, server: Any) -> dict[str, Any]:
        self.files = server.folder
        return {"flavor": "mlflow", "tracking_uri": server.uri, "token": TOKEN}

    def silent(self, address: str) -> dict[str, Any]:
        return {"flavor": "mlflow", "tracking_uri": f"http://{address}", "token": TOKEN}
