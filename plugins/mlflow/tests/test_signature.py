"""Where a package's signature is read, if not in the version's tag."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.registry import Field, Signature
from stackyard.models import package_model
from stackyard.store.records import new_run_id
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.mlmodel import signature_in
from stackyard_mlflow.registry import MlflowRegistry

FLIGHTS = Signature(
    (Field("hour", "INT64"), Field("distance", "FP64")), (Field("predict", "FP64"),)
)

LOG = """
import sys
import mlflow, pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array, DataType
from sklearn.linear_model import LinearRegression
uri, folder, name = sys.argv[1:]
mlflow.set_tracking_uri(uri)
mlflow.set_experiment(experiment_id=mlflow.create_experiment(name, folder))
rows = pd.DataFrame({"hour": [1, 2, 3], "distance": [1.0, 2.0, 3.0]})
model = LinearRegression().fit(rows, [1.0, 2.0, 3.0])
lists = ModelSignature(inputs=Schema([ColSpec(Array(DataType.double), "legs")]))
for signature in (infer_signature(rows, model.predict(rows)), lists):
    mlflow.sklearn.log_model(model, name="model", signature=signature, registered_model_name=name,
                             pip_requirements=["scikit-learn"], serialization_format="skops")
"""


@pytest.fixture
def registry(database: str, tmp_path: Path) -> Iterator[MlflowRegistry]:
    """A registry as a notebook has it."""
    context = Context(name="registry", project=tmp_path, cache_dir=tmp_path / "cache")
    with closing(MlflowRegistry(MlflowRegistryConfig(tracking_uri=database), context)) as made:
        yield made


def test_the_signature_of_a_model_that_mlflow_logged(
    database: str, registry: MlflowRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read from the files; one without a counterpart is left out, and told of."""
    name = f"m-{new_run_id()}"
    argv = [sys.executable, "-c", LOG, database, (tmp_path / "files").as_uri(), name]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    fetched = registry.fetch(registry.get(name, "1"))
    assert fetched.signature == FLIGHTS
    assert registry.register(f"{name}-ours", fetched).package.signature == FLIGHTS
    assert caplog.messages == []
    assert registry.fetch(registry.get(name, "2")).signature is None
    (told,) = caplog.messages
    assert re.search(r"version 2: its signature is of no use: .*no type for 'legs'", told)


def test_a_signature_that_is_too_long_for_a_tag(
    registry: MlflowRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is only among the files."""
    from sklearn.linear_model import LinearRegression

    monkeypatch.setattr("stackyard_mlflow.logged_model.TAG_LIMIT", 100)
    rows = pd.DataFrame({"hour": [1, 2], "distance": [1.0, 2.0]})
    model = LinearRegression().fit(rows, [1.0, 2.0])
    package = package_model(model, example=rows, folder=tmp_path / "package")
    found = registry.get(registry.register(f"m-{new_run_id()}", package).name)
    assert found.package.signature is None
    for _ in ("downloaded", "in the cache"):
        assert registry.fetch(found).signature == package.signature == FLIGHTS


def test_a_signature_without_names(tmp_path: Path) -> None:
    """The fields are called as ``package_model`` calls them."""
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    images = Schema([TensorSpec(np.dtype("uint8"), (-1, 28, 28))])
    outputs = Schema([ColSpec("float"), ColSpec("datetime")])
    Model(signature=ModelSignature(inputs=images, outputs=outputs)).save(str(tmp_path / "MLmodel"))
    assert signature_in(tmp_path, "mlflow") == Signature(
        (Field("input", "UINT8", (-1, 28, 28)),),
        (Field("predict_0", "FP32"), Field("predict_1", "BYTES")),
    )
