"""The validator keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest
from stackyard.testing import ValidatorContract


class TestAcmeValidator(ValidatorContract):
    """Every test is inherited; override ``not_null`` and its like for a vocabulary of its own."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the validator."""
        return {"flavor": "acme", "folder": "reports"}
