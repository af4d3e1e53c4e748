"""The reference pages number exactly the guarantees that the contracts test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackyard.testing import (
    ComponentContract,
    DataVersionerContract,
    FeatureStoreContract,
    FormatContract,
    MonitorContract,
    OrchestratorContract,
    RegistryContract,
    ResourceContract,
    SecretProviderContract,
    ServerContract,
    TrackerContract,
    ValidatorContract,
)

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "contract"),
    [
        ("components.md", ComponentContract),
        ("orchestrator.md", OrchestratorContract),
        ("tracker.md", TrackerContract),
        ("registry.md", RegistryContract),
        ("data-versioner.md", DataVersionerContract),
        ("feature-store.md", FeatureStoreContract),
        ("server.md", ServerContract),
        ("validator.md", ValidatorContract),
        ("monitor.md", MonitorContract),
        ("formats.md", FormatContract),
        ("secret-providers.md", SecretProviderContract),
        ("resources.md", ResourceContract),
    ],
)
def test_every_guarantee_is_numbered_and_tested(page: str, contract: type) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    written = [int(n) for n in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    own = r"test_c(\d+)_" if contract is ComponentContract else r"test_(\d+)_"
    tested = [int(m[1]) for name in dir(contract) if (m := re.match(own, name))]
    assert written == sorted(tested) == list(range(1, len(written) + 1))
