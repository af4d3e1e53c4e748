"""The registry keeps its contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stackyard import ModelVersion
from stackyard.testing import RegistryContract

from acme_tools.registry import AcmeRegistry


class TestAcmeRegistry(RegistryContract):
    """Where the registry is reached over a network, add ``silent(address)``."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the registry."""
        return {"flavor": "acme", "folder": "models"}

    def damage(self, registry: AcmeRegistry, version: ModelVersion) -> bool:
        """Change a kept file of a version behind the registry's back."""
        file = Path(version.package.uri) / "model.skops"
        file.write_bytes(file.read_bytes()[:-1])
        return True
