"""The resource keeps its contract."""

from __future__ import annotations

from typing import Any

import pytest
from stackyard.testing import ResourceContract

from acme_tools.resource import AcmeResource


class TestAcmeResource(ResourceContract):
    """Every test of the contract is inherited."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """What a stack says of the resource."""
        return {
            "class": "acme_tools.resource:AcmeResource",
            "file": "warehouse.db",
            "token": "${secret:ACME_TOKEN}",
        }

    def use(self, resource: AcmeResource) -> object:
        """Use it as a step does."""
        resource.query("create table if not exists delays (minutes integer)")
        resource.query("insert into delays values (?)", 15)
        return resource.query("select max(minutes) from delays")[0][0]
