"""``stackyard init``: what it writes, that it runs, and that it never overwrites."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stackyard.cli.init import project_name
from stackyard.cli.main import main


def test_the_project_has_everything_and_its_name(tmp_path, capsys):
    folder = tmp_path / "My first {{ project }}"
    assert main(["init", str(folder)]) == 0
    out, err = capsys.readouterr()
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names == {
        ".gitignore",
        "README.md",
        "dags/iris.py",
        "pyproject.toml",
        "stacks/local.yaml",
        "tests/test_pipeline.py",
    }
    assert len(out.splitlines()) == len(names)
    assert f"cd '{folder}'" in err
    assert tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"] == (
        "my-first-project"
    )
    about = (folder / "README.md").read_text()
    assert about.startswith("# my-first-project\n")
    assert "pip install 'stackyard[" not in about  # no index has the plugins
    assert not any("PROJECT_NAME" in p.read_text() for p in folder.rglob("*") if p.is_file())


def test_what_the_pipeline_lacks_is_told_first(tmp_path, capsys, monkeypatch):
    assert main(["init", str(tmp_path / "a")]) == 0
    assert "uv pip install" not in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["init", str(tmp_path / "b")]) == 0
    lines = capsys.readouterr().err.splitlines()
    install = lines.index("  uv pip install pandas pyarrow scikit-learn skops")
    assert lines[install + 1].startswith("  stackyard run iris")


@pytest.mark.parametrize("name", ["README.md", "dags/iris.py", ".gitignore"])
def test_nothing_is_overwritten(tmp_path, capsys, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert f"{name} exists already; nothing was written" in capsys.readouterr().err
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    assert path.read_text() == "mine"


def test_a_file_is_no_folder(tmp_path, capsys):
    (tmp_path / "x").touch()
    assert main(["init", str(tmp_path / "x")]) == 2
    assert "is a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "name"), [("Ab c", "ab-c"), ('a"b\n', "a-b"), ("---", "project"), ("ü", "project")]
)
def test_names_of_distributions(folder, name):
    assert project_name(Path("/x") / folder) == name


def test_the_projects_own_test_passes(tmp_path):
    pytest.importorskip("sklearn")
    main(["init", str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_the_project_runs_and_is_all_cached_on_its_second_run(tmp_path):
    pytest.importorskip("sklearn")
    main(["init", str(tmp_path)])
    statuses = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "stackyard.cli.main", "run", "iris", "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        statuses.append({s["status"] for s in json.loads(done.stdout)["steps"]})
    assert statuses == [{"succeeded"}, {"cached"}]
