"""Each plugin keeps its contract alone, with what it declares, at lowest and newest versions."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.e2e.alone import Alone

# What runs the contracts, and what the tests of a plugin need beside it. KServe's model server has
# an environment that the plugin makes, with the versions that the model was made with: KServe
# 0.21.0 takes pandas below 3.
CONTRACTS = {
    "airflow": (("test_airflow_contract.py::TestAirflow",), ()),
    "bentoml": (("test_server.py::TestBentomlServer",), ()),
    "dvc": (
        (
            "test_versioner.py::TestOwnCache",
            "test_versioner.py::TestFolder",
            "test_versioner.py::TestS3",
            "test_versioner.py::TestRepository",
        ),
        ("dvc[s3]", "moto[s3,server]"),
    ),
    "evidently": (("test_monitor.py::TestEvidently",), ()),
    "feast": (("test_feature_store.py::TestFeast",), ()),
    "great-expectations": (("test_validator.py::TestGreatExpectations",), ()),
    "kserve": (
        ("test_server.py::TestKServe", "test_local.py::TestLocalKServe"),
        ("jsonschema", "moto[s3,server]", "pandas<3"),
    ),
    "mlflow": (
        (
            "test_tracker.py::TestDatabase",
            "test_tracker.py::TestServer",
            "test_registry.py::TestDatabase",
            "test_registry.py::TestServer",
        ),
        (),
    ),
}
# The tool itself, where the plugin only talks to it: Airflow gets an environment of its own, with
# what was released soon after it. It does not start with structlog 25.5 and newer.
AIRFLOW = {"STACKYARD_TEST_AIRFLOW": "3.1.0 structlog<25.5", "UV_EXCLUDE_NEWER": "2025-12-15"}
BESIDE = {("airflow", "lowest-direct"): AIRFLOW}
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
    classes, further = CONTRACTS[name]
    alone = Alone(tmp_path / "env", BESIDE.get((name, versions)))
    # Named here, the plugin's requirements are direct ones, which alone are taken at their lowest.
    # What is compiled only when a test imports it counts against that test's deadline.
    alone.install(
        "--compile-bytecode", "--resolution", versions, f"{ROOT}[testing,frames,sklearn]",
        str(ROOT / "plugins" / name), *declared(name),
    )  # fmt: skip
    alone.install(*TOOLS, *further)
    tested = alone.test(*(f"plugins/{name}/tests/{one}" for one in classes))
    assert len(tested) == len(classes)
    for count in tested.values():  # what a component lacks is skipped, the contract is not
        assert count["passed"] > 2 * count["skipped"]
