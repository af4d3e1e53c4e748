"""Secrets are looked up in the environment, a private file and providers, and never shown."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from stackyard import secrets
from stackyard.errors import SecretError
from stackyard.flavors import SecretProvider
from stackyard.secrets import Secrets, from_file

FILE = SecretProvider("file", "stackyard.secrets:from_file")
VAULT = SecretProvider("vault", f"{__name__}:vault")


def vault(name: str, project: Path) -> str | None:
    if name == "BROKEN":
        raise RuntimeError("hunter2 was refused")
    return f"vault:{name}" if name.startswith("team/") else None


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(secrets.FILE, raising=False)
    path = tmp_path / ".stackyard" / "secrets.env"
    path.parent.mkdir()
    path.write_text(
        "# a comment\n\nTOKEN=hunter2\nexport QUOTED='a b#c'\nEMPTY=\nEQUALS=a=b==\nSPACE = x y \n"
    )
    path.chmod(0o600)
    return path


def test_the_file_is_read(file: Path, tmp_path: Path) -> None:
    expected = {"TOKEN": "hunter2", "QUOTED": "a b#c", "EQUALS": "a=b==", "SPACE": "x y"}
    assert {n: from_file(n, tmp_path) for n in expected} == expected
    assert from_file("NOWHERE", tmp_path) is None
    assert from_file("X", tmp_path / "elsewhere") is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(file: Path, tmp_path: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(SecretError) as caught:
        from_file("TOKEN", tmp_path)
    assert str(caught.value).endswith(f"(mode 0{mode:o}). Type: chmod 600 {file}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_refused(file: Path, tmp_path: Path) -> None:
    os.chown(file, 12345, -1)
    with pytest.raises(SecretError, match="belongs to another user"):
        from_file("TOKEN", tmp_path)


def test_a_wrong_line_is_named_and_not_shown(file: Path, tmp_path: Path) -> None:
    file.write_text("A=1\nhunter2\n")
    with pytest.raises(SecretError) as caught:
        from_file("B", tmp_path)
    assert str(caught.value) == ".stackyard/secrets.env:2:1 is not NAME=value"


def test_another_file_can_be_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    monkeypatch.setenv(secrets.FILE, str(other))
    with pytest.raises(SecretError, match=r"STACKYARD_SECRETS_FILE: .*other does not exist"):
        from_file("TOKEN", tmp_path)
    other.write_text("TOKEN=elsewhere\n")
    other.chmod(0o600)
    assert from_file("TOKEN", tmp_path) == "elsewhere"


def test_the_environment_rules_then_the_file_then_plugins(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Secrets(tmp_path, (FILE, VAULT))
    assert found.lookup("TOKEN") == "hunter2"
    monkeypatch.setenv("TOKEN", "from environment")
    assert found.lookup("TOKEN") == "from environment"
    monkeypatch.setenv("TOKEN", "")
    assert found.lookup("TOKEN") == "hunter2", "an empty variable is not set"
    assert found.lookup("team/db") == "vault:team/db"
    with pytest.raises(SecretError) as caught:
        found.lookup("EMPTY")
    assert str(caught.value) == (
        "secret 'EMPTY' is not set. Looked in: the environment, .stackyard/secrets.env, vault. "
        "Set the environment variable, or write EMPTY=... into .stackyard/secrets.env"
    )


def test_what_a_provider_says_is_not_repeated(file: Path, tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        Secrets(tmp_path, (FILE, VAULT)).lookup("BROKEN")
    line = vault.__code__.co_firstlineno + 2
    assert str(caught.value) == (
        f"secret 'BROKEN': provider 'vault' failed with RuntimeError at {__file__}:{line}"
    )
    stored = traceback.format_exception(caught.value)  # as of a step that fails by it
    assert "hunter2" not in "".join(stored)


def test_whether_a_secret_is_known(file: Path, tmp_path: Path) -> None:
    assert Secrets(tmp_path, (FILE,)).known("TOKEN") is True
    assert Secrets(tmp_path, (FILE,)).known("NOWHERE") is False
    assert Secrets(tmp_path, (FILE, VAULT)).known("NOWHERE") is None, "only the vault could tell"
