"""What is registered is an MLflow model like any other, and belongs to the tracking run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import ModelVersion
from stackyard.components.tracker import RunFacts
from stackyard.models import load_model, package_model
from stackyard.store.records import new_run_id
from stackyard_mlflow.config import MlflowRegistryConfig, MlflowTrackerConfig
from stackyard_mlflow.registry import MlflowRegistry
from stackyard_mlflow.tracker import MlflowTracker

LOAD = """
import sys, json
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
rows = pd.read_json(sys.argv[3], orient="records")
rows["carrier"] = rows["carrier"].astype(sys.argv[4])
uri = f"models:/{sys.argv[2]}@champion"
by_pyfunc, by_sklearn = mlflow.pyfunc.load_model(uri), mlflow.sklearn.load_model(uri)
print(json.dumps({
    "pyfunc": by_pyfunc.predict(rows).tolist(),
    "sklearn": by_sklearn.predict(rows).tolist(),
    "inputs": [c.to_dict() for c in by_pyfunc.metadata.signature.inputs],
    "outputs": [c.to_dict() for c in by_pyfunc.metadata.signature.outputs],
    "run": by_pyfunc.metadata.run_id,
    "dependencies": open(mlflow.pyfunc.get_model_dependencies(uri)).read().split(),
}))
"""


@pytest.fixture(params=["database", pytest.param("server", marks=pytest.mark.full)])
def uri(request: pytest.FixtureRequest) -> str:
    """Both backends."""
    found = request.getfixturevalue(request.param)
    return str(getattr(found, "uri", found))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """What surrounds a step that registers."""
    return Context(
        name="registry",
        stack="local",
        project=tmp_path,
        cache_dir=tmp_path / "cache",
        pipeline="flights",
        run=new_run_id(),
        actor="me",
    )


def rows(kind: str) -> Any:
    """Some flights; carriers as text or as categories."""
    import pandas as pd

    frame = pd.DataFrame({"hour": [1, 2, 3, 4, 5, 6] * 5, "carrier": ["UA", "DL", "AA"] * 10})
    return frame.astype({"carrier": kind})


@pytest.fixture
def model() -> Any:
    """A pipeline with a type that skops does not trust by itself."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    columns = ColumnTransformer([("c", OrdinalEncoder(), ["carrier"])], remainder="passthrough")
    trees = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=1, random_state=0)
    frame = rows("object")
    return make_pipeline(columns, trees).fit(frame, frame["hour"] > 3)


@pytest.fixture
def registry(uri: str, context: Context) -> Iterator[MlflowRegistry]:
    """A registry as a step has it."""
    made = MlflowRegistry(MlflowRegistryConfig(tracking_uri=uri), context)
    yield made
    made.close()


def register(registry: MlflowRegistry, model: Any, folder: Path) -> ModelVersion:
    """Register a model under a name of its own."""
    package = package_model(model, example=rows("object"), folder=folder)
    return registry.register(f"m-{new_run_id()}", package, alias="champion")


@pytest.mark.parametrize("kind", ["object", "str"])
def test_mlflow_loads_it_in_another_process(
    uri: str, registry: MlflowRegistry, model: Any, tmp_path: Path, kind: str
) -> None:
    version = register(registry, model, tmp_path / "package")
    rows("object").to_json(tmp_path / "rows.json", orient="records")
    there = tmp_path / "there"
    there.mkdir()
    argv = [sys.executable, "-c", LOAD, uri, version.name, str(tmp_path / "rows.json"), kind]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=there)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = model.predict(rows("object")).tolist()
    assert found["pyfunc"] == found["sklearn"] == expected
    assert found["inputs"] == [
        {"type": "long", "name": "hour", "required": True},
        {"type": "string", "name": "carrier", "required": True},
    ]
    assert found["outputs"][0]["tensor-spec"] == {"dtype": "bool", "shape": [-1]}
    assert set(version.package.requirements) <= set(found["dependencies"])
    assert all("==" in line for line in version.package.requirements)


def test_it_belongs_to_the_tracking_run(
    uri: str, registry: MlflowRegistry, context: Context, model: Any, tmp_path: Path
) -> None:
    """The run that the registry made is the one that the tracker finds when the run ends."""
    from mlflow import MlflowClient

    version = register(registry, model, tmp_path / "package")
    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=uri), replace(context, name="tracker"))
    run = RunFacts(str(context.run), "flights", "local", "succeeded", 1767225600.0, 1767225660.0)
    opened = tracker.open(run, None)
    tracker.finish(opened.id, run)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    found = client.get_run(opened.id)
    mlflow_version = client.get_model_version(version.name, version.version)
    assert mlflow_version.run_id == opened.id
    (output,) = found.outputs.model_outputs
    assert (found.info.status, found.info.end_time) == ("FINISHED", 1767225660000)
    logged = client.get_logged_model(output.model_id)
    assert (logged.source_run_id, str(logged.status)) == (opened.id, "READY")
    assert json.loads(logged.tags["mlflow.modelVersions"])[0]["name"] == version.name


def test_it_belongs_to_the_claimed_run(
    uri: str, context: Context, model: Any, tmp_path: Path
) -> None:
    """Where the tracker opened its run before, that one counts; of another server, it does not."""
    tracker = MlflowTracker(MlflowTrackerConfig(tracking_uri=uri, experiment="elsewhere"), context)
    run = RunFacts(str(context.run), "flights", "local", "running", 1767225600.0)
    opened = tracker.open(run, None)

    class Claims:
        def __init__(self, known: str) -> None:
            self.known = known

        def get(self, name: str) -> str | None:
            return self.known if name == "tracking.tracker" else None

        def claim(self, name: str, value: str) -> str:
            assert not name.startswith("tracking."), "that is the tracker's to claim"
            return value

    for known, expected in ((opened.id, True), ("0" * 32, False)):
        config = MlflowRegistryConfig(tracking_uri=uri)
        registry = MlflowRegistry(config, replace(context, claims=Claims(known)))
        version = register(registry, model, tmp_path / known)
        from mlflow import MlflowClient

        found = MlflowClient(tracking_uri=uri, registry_uri=uri).get_model_version(
            version.name, version.version
        )
        assert (found.run_id == opened.id) == expected


def test_outside_of_a_run(uri: str, context: Context, model: Any, tmp_path: Path) -> None:
    """In a notebook, say: no run is invented, and each call is a version."""
    registry = MlflowRegistry(MlflowRegistryConfig(tracking_uri=uri), replace(context, run=None))
    package = package_model(model, folder=tmp_path / "package")
    name = f"m-{new_run_id()}"
    assert [registry.register(name, package).version for _ in range(2)] == ["1", "2"]
    assert registry.get(name).run is None
    fetched = registry.fetch(registry.get(name))
    assert (load_model(fetched).predict(rows("object")) == model.predict(rows("object"))).all()


def test_a_version_made_by_somebody_else(
    uri: str, registry: MlflowRegistry, model: Any, tmp_path: Path
) -> None:
    """It is listed, and fetched as an MLflow model."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    ours = register(registry, model, tmp_path / "package")
    source = client.get_model_version(ours.name, "1")
    (output,) = client.get_run(source.run_id).outputs.model_outputs
    name = f"m-{new_run_id()}"
    client.create_registered_model(name)
    client.create_model_version(name, source.source, source.run_id, model_id=output.model_id)
    found = registry.get(name)
    assert (found.package.format, found.package.digest) == ("mlflow", "")
    fetched = registry.fetch(found)
    assert (Path(fetched.uri) / "MLmodel").is_file()
    assert registry.register(f"{name}-ours", fetched).package.digest == fetched.digest


def test_the_current_folder_stays_clean(uri: str, tmp_path: Path) -> None:
    """MLflow's defaults would make mlflow.db and mlruns in the current folder."""
    code = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from sklearn.linear_model import LogisticRegression
from stackyard.components.base import Context
from stackyard.models import package_model
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.registry import MlflowRegistry
x = np.arange(20.0).reshape(10, 2)
package = package_model(LogisticRegression().fit(x, x[:, 0] > 9), example=x)
folder = Path({str(tmp_path)!r}) / "project"
context = Context(name="registry", project=folder, cache_dir=folder / "c", run="{new_run_id()}")
registry = MlflowRegistry(MlflowRegistryConfig(tracking_uri={uri!r}), context)
version = registry.register("clean-{new_run_id()}", package, alias="a")
registry.fetch(version)
registry.list()
print(sorted(os.listdir(".")))
"""
    here = tmp_path / "here"
    here.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=here, env=env
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
    assert done.stderr == ""


def test_files_that_are_gone_are_not_found(
    registry: MlflowRegistry, model: Any, tmp_path: Path
) -> None:
    """Somebody deleted them behind MLflow's back; or in it they cannot be written."""
    import shutil

    from stackyard.errors import NotFound, Unavailable

    version = register(registry, model, tmp_path / "package")
    with registry._connection.call("the place") as client:
        uri = client.get_model_version_download_uri(version.name, version.version)
    if uri.startswith("mlflow-artifacts:"):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        get_artifact_repository(uri, tracking_uri=registry._connection.uri).delete_artifacts()
    else:
        shutil.rmtree(uri.removeprefix("file://"))
    with pytest.raises(NotFound):
        registry.fetch(version)
    with pytest.raises(Unavailable, match="model x"), registry._connection.call("model x"):
        raise PermissionError(13, "no")
