"""The secret provider keeps its contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from stackyard.testing import SecretProviderContract

from acme_tools.secret_provider import FILE


class TestAcmeSecretProvider(SecretProviderContract):
    """Every test of the contract is inherited."""

    provider = "acme"

    def keep(self, values: Mapping[str, str], project: Path, patch: pytest.MonkeyPatch) -> None:
        """Make these the secrets that there are."""
        file = project / FILE
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(dict(values)), encoding="utf-8")

    def damage(self, project: Path) -> bool:
        """Make what is kept unreadable, with its values still in it."""
        file = project / FILE
        file.write_text(file.read_text(encoding="utf-8")[:-1], encoding="utf-8")
        return True
