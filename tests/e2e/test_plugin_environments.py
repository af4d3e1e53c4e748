"""Each plugin keeps its contract alone, with what it declares, at lowest and newest versions."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from stackyard.environments import find_uv
from tests.docs.pages import ROOT, environment

# What runs the contract, and what the tests of a plugin need beside it.
CONTRACTS = {
    "airflow": ("test_airflow_contract.py", "", ()),
    "bentoml": ("test_server.py", "TestBentomlServer", ()),
    "dvc": (
        "test_versioner.py",
        "TestOwnCache or TestFolder or TestRepository",
        ("moto[s3,server]",),
    ),
    "evidently": ("test_monitor.py", "TestEvidently", ()),
    "feast": ("test_feature_store.py", "TestFeast", ()),
    "great-expectations": ("test_validator.py", "TestGreatExpectations", ()),
    "kserve": ("test_server.py", "TestKServe", ("jsonschema", "moto[s3,server]")),
    "mlflow": ("test_tracker.py test_registry.py", "TestDatabase", ()),
}
# The tool itself, where the plugin only talks to it: Airflow gets an environment of its own.
BESIDE = {("airflow", "lowest-direct"): {"STACKYARD_TEST_AIRFLOW": "3.1.0"}}
TOOLS = ("pytest-timeout", "pytest-xdist")


def declared(name: str) -> list[str]:
    """The plugin's own requirements but Stackyard itself, which is here."""
    text = (ROOT / "plugins" / name / "pyproject.toml").read_text(encoding="utf-8")
    found: list[str] = tomllib.loads(text)["project"]["dependencies"]
    return [line for line in found if not line.startswith("stackyard")]


@pytest.mark.full
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("versions", ["lowest-direct", "highest"])
@pytest.mark.parametrize("name", CONTRACTS)
def test_a_plugin_keeps_its_contract_alone(name: str, versions: str, tmp_path: Path) -> None:
    tool = find_uv()
    assert tool is not None, "uv is not installed"
    home = tmp_path / "env"
    files, chosen, further = CONTRACTS[name]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]

    def run(*words: str) -> str:
        env = environment({"VIRTUAL_ENV": str(home), **BESIDE.get((name, versions), {})})
        done = subprocess.run(
            words, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=1400, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    run(tool, "venv", "-q", str(home))
    install = (tool, "pip", "install", "-q", "--exclude-newer", settings["exclude-newer"])
    # Named here, the plugin's requirements are direct ones, which alone are taken at their lowest.
    run(
        *install, "--resolution", versions, f"{ROOT}[testing,frames,sklearn]",
        str(ROOT / "plugins" / name), *declared(name),
    )  # fmt: skip
    run(*install, *TOOLS, *further)
    tests = [f"plugins/{name}/tests/{file}" for file in files.split()]
    word = ["-k", chosen] if chosen else []
    python = str(home / "bin/python")
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *word, *tests)
    assert " passed" in said.splitlines()[-1]
