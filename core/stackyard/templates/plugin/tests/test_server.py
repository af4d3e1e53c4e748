"""The model server keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest
from stackyard.testing import ServerContract


class TestAcmeServer(ServerContract):
    """Where the server is reached over a network, add ``silent(address)``."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> dict[str, Any]:
        """What a stack says of the server; of the class, as endpoints are made once for all."""
        return {"flavor": "acme", "folder": "endpoints"}
