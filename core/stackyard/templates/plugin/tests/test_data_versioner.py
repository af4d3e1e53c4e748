"""The data versioner keeps its contract."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stackyard.testing import DataVersionerContract

from acme_tools.data_versioner import AcmeDataVersioner


class TestAcmeDataVersioner(DataVersionerContract):
    """Where the data versioner is reached over a network, add ``silent(address)``."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the data versioner."""
        return {"flavor": "acme", "folder": "kept"}

    def damage(self, versioner: AcmeDataVersioner, name: str, version: str, file: str) -> bool:
        """Change what is kept of a file behind the data versioner's back."""
        home = versioner.context.project / "kept"
        note = json.loads((home / "versions" / name / f"{version}.json").read_text())
        (home / "files" / note["parts"][file]).write_bytes(b"damaged")
        return True
