"""The secrets file keeps the contract that every plugin's secret provider is held to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from stackyard.secrets import DEFAULT_FILE, FILE
from stackyard.testing import SecretProviderContract


class TestSecretsFile(SecretProviderContract):
    """Lines ``NAME=value`` in a file that only its owner can read."""

    provider = "file"
    deviations: ClassVar[dict[str, str]] = {
        "test_02_the_value_as_it_is[lines]": "a secret is one line of the file"
    }

    def keep(self, values: Mapping[str, str], project: Path, patch: pytest.MonkeyPatch) -> None:
        patch.delenv(FILE, raising=False)
        file = project / DEFAULT_FILE
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))

    def damage(self, project: Path) -> bool:
        file = project / DEFAULT_FILE
        file.write_bytes(file.read_bytes().replace(b"=", b"\xff"))
        return True
