"""``stackyard serve render``: what GitOps applies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from stackyard.cli.main import main
from stackyard.components.base import Context
from stackyard.models import package_model
from stackyard.testing.server_case import model, rows
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.registry import MlflowRegistry

pytestmark = pytest.mark.full  # a registry of MLflow's takes a while to make

STACK = """\
components:
  orchestrator: {{flavor: local}}
  registry: {{flavor: mlflow}}
  server: {{flavor: {server}}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions of a model in its registry."""
    root = tmp_path_factory.mktemp("project")
    (root / "stacks").mkdir()
    kserve = f'kserve, storage: "file://{root}/storage", images: {{sklearn-skops: "a.example/b:1"}}'
    (root / "stacks" / "local.yaml").write_text(STACK.format(server=kserve))
    (root / "stacks" / "here.yaml").write_text(STACK.format(server="kserve_local"))
    registry = MlflowRegistry(MlflowRegistryConfig(), Context(name="registry", project=root))
    for number in (1, 2):
        package = package_model(model(number), example=rows(), folder=root / f"{number}")
        registry.register("late_flights", package)
    registry.close()
    return root


def test_the_manifest_is_shown_or_written(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["serve", "render", "late_flights", "--version", "1"]) == 0
    shown = capsys.readouterr().out
    made = yaml.safe_load(shown)
    assert made["metadata"]["name"] == "late-flights"
    assert made["metadata"]["annotations"]["stackyard/version"] == "1"
    (env,) = (one["env"] for one in made["spec"]["predictor"]["containers"])
    (uri,) = (one["value"] for one in env if one["name"] == "STORAGE_URI")
    assert (Path(uri.removeprefix("file://")) / "model.skops").is_file()
    assert main(["serve", "render", "late_flights", "--version", "1", "--out", "deploy/a"]) == 0
    assert "wrote deploy/a/late-flights.yaml" in capsys.readouterr().out
    assert yaml.safe_load((project / "deploy/a/late-flights.yaml").read_text()) == made
    assert main(["serve", "render", "late_flights", "--to", "other", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    newest = yaml.safe_load(files["other.yaml"])
    assert newest["metadata"]["annotations"]["stackyard/version"] == "2"


def test_what_cannot_be_rendered(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["serve", "render", "late_flights", "--stack", "here"]) == 2
    assert "LocalKServe cannot 'render'" in capsys.readouterr().err
    (project / "file").touch()
    assert main(["serve", "render", "late_flights", "--out", "file"]) == 2
    assert "--out file: cannot be written to" in capsys.readouterr().err
