"""A DVC repository in git; the S3 API of the store's tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import s3_endpoint as s3_endpoint
from tests.conftest import s3_url as s3_url


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As ``git init`` and ``dvc init`` leave it, but for the seconds that they take."""
    for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG"):
        monkeypatch.setenv(f"DVC_{name}_DIR", str(tmp_path.with_name(f"{tmp_path.name}-dvc")))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("")
    (tmp_path / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    return tmp_path
