"""What somebody is told who adds Stackyard to a folder of their own, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackyard.cli.main import main

PIPELINE = """
from cleaning import tidy
from stackyard import pipeline, step

@step
def load() -> int:
    return tidy(1)

@pipeline
def demand() -> None:
    load()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with somebody's code, and with a project's usual files."""
    monkeypatch.chdir(tmp_path)
    for name in ("STACKYARD_PROJECT", "STACKYARD_STACK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "README.md").write_text("# Mine\n")
    (tmp_path / "cleaning.py").write_text("def tidy(x):\n    return x\n")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command that ends with 2 says."""
    capsys.readouterr()
    assert main(list(words)) == 2
    return capsys.readouterr().err


def test_each_message_leads_to_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "stackyard init" in refused(capsys, "stack", "list")
    said = refused(capsys, "init")
    assert "README.md exists already" in said
    cure = "a file stacks/local.yaml with the line '"
    _, found, line = said.partition(cure)
    assert found
    (folder / "stacks").mkdir()
    for words in (("stack", "list"), ("stack", "show")):
        assert cure in refused(capsys, *words)
    (folder / "stacks/local.yaml").write_text(line.partition("'")[0])
    assert main(["stack", "check"]) == 0
    (folder / "dags").mkdir()
    (folder / "dags/demand.py").write_text(PIPELINE)
    said = refused(capsys, "run", "demand")
    assert (
        "dags/demand.py:2: ModuleNotFoundError: No module named 'cleaning'. cleaning lies" in said
    )
    assert "Move it into src/" in said
    (folder / "src").mkdir()
    (folder / "cleaning.py").rename(folder / "src/cleaning.py")
    assert main(["run", "demand"]) == 0


def test_a_package_in_the_root_is_named_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "stacks").mkdir()
    (folder / "stacks/local.yaml").write_text("components: {orchestrator: {flavor: local}}")
    (folder / "dags").mkdir()
    (folder / "dags/demand.py").write_text(PIPELINE.replace("cleaning", "bikes.cleaning"))
    (folder / "bikes").mkdir()
    assert "bikes lies in the project's root" in refused(capsys, "run", "demand")
    (folder / "bikes").rmdir()
    assert "Install it into this environment" in refused(capsys, "run", "demand")
