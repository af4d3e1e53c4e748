"""Model packages: deterministic, checked before they are read, pinned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.errors import DigestMismatch, InvalidInput, NotFound
from stackyard.model_signature import datatype, infer_signature
from stackyard.models import (
    MODEL,
    folder_digest,
    load_model,
    package_model,
    trusted_types,
    verified_folder,
)
from stackyard.store.artifacts import Artifacts
from stackyard.store.backend import open_backend
from stackyard.store.formats import FormatRegistry, builtin_formats

ROWS = pd.DataFrame({"hour": [1, 2, 3, 4, 5, 6] * 5, "carrier": ["UA", "DL", "AA"] * 10})


@pytest.fixture(scope="module")
def model() -> Any:
    """A pipeline with a type that skops does not trust by itself."""
    columns = ColumnTransformer([("c", OrdinalEncoder(), ["carrier"])], remainder="passthrough")
    trees = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1, random_state=0)
    return make_pipeline(columns, trees).fit(ROWS, ROWS["hour"] > 3)


def test_a_package_is_read_back(model: Any, tmp_path: Path) -> None:
    package = package_model(model, example=ROWS, folder=tmp_path / "package")
    assert package.format == "sklearn-skops"
    assert sorted(p.name for p in Path(package.uri).iterdir()) == [
        "model.skops",
        "package.json",
        "requirements.txt",
        "signature.json",
    ]
    assert (load_model(package).predict(ROWS) == model.predict(ROWS)).all()


def test_requirements_are_pinned_to_what_the_classes_come_from(model: Any, tmp_path: Path) -> None:
    package = package_model(model, example=ROWS, folder=tmp_path / "package")
    expected = {f"{n}=={version(n)}" for n in ("numpy", "pandas", "scikit-learn", "skops")}
    assert set(package.requirements) == expected
    assert Path(package.uri, "requirements.txt").read_text().split() == list(package.requirements)
    given = package_model(model, requirements=["b==2", "a==1"], folder=tmp_path / "given")
    assert given.requirements == ("a==1", "b==2")


def test_the_digest_is_that_of_the_folder_in_the_store(model: Any, tmp_path: Path) -> None:
    """So a package that a step made is found in the store by its digest."""
    package = package_model(model, example=ROWS, folder=tmp_path / "package")
    backend = open_backend(tmp_path / "store", cache_dir=tmp_path / "cache")
    store = Artifacts(backend, FormatRegistry(builtin_formats()), cache_dir=tmp_path / "cache")
    assert store.keep(Path(package.uri)) == package.digest == folder_digest(Path(package.uri))


def test_in_a_step_it_is_kept_in_the_store(model: Any, tmp_path: Path) -> None:
    """Its address holds no path of this machine."""
    backend = open_backend(tmp_path / "store", cache_dir=tmp_path / "cache")
    store = Artifacts(backend, FormatRegistry(builtin_formats()), cache_dir=tmp_path / "cache")
    package = package_model(model, example=ROWS, keep=store.keep)
    assert package.uri == f"artifact:{package.digest}"
    assert (load_model(package, fetch=store.fetch).predict(ROWS) == model.predict(ROWS)).all()
    with pytest.raises(InvalidInput, match="only a step of a run"):
        load_model(package)


MAKE = """
import sys
sys.path.insert(0, sys.argv[1])
from test_models import ROWS, HistGradientBoostingClassifier, package_model
model = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1, random_state=0)
model.fit(ROWS[["hour"]], ROWS["hour"] > 3)
print(package_model(model, example=ROWS[["hour"]]).digest)
"""


def test_equal_models_have_equal_digests_in_other_processes() -> None:
    """Whatever the hash seed and the addresses of the objects."""
    digests = set()
    for seed in ("0", "1"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        argv = [sys.executable, "-c", MAKE, str(Path(__file__).parent)]
        done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd="/")
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1


# Nothing is read that was not checked


def test_a_changed_file_is_not_read(model: Any, tmp_path: Path) -> None:
    package = package_model(model, folder=tmp_path / "package")
    file = Path(package.uri) / MODEL
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DigestMismatch, match="nothing was read"):
        load_model(package)


def test_an_added_file_is_noticed(model: Any, tmp_path: Path) -> None:
    package = package_model(model, folder=tmp_path / "package")
    (Path(package.uri) / "more.py").write_text("")
    with pytest.raises(DigestMismatch):
        verified_folder(package)


def test_packages_that_are_elsewhere(model: Any, tmp_path: Path) -> None:
    package = package_model(model, folder=tmp_path / "package")
    with pytest.raises(InvalidInput, match=r"registry\.fetch"):
        load_model(replace(package, uri="models:/flights/1"))
    with pytest.raises(InvalidInput, match=r"registry\.fetch"):
        load_model(replace(package, uri="s3://bucket/model"))
    with pytest.raises(NotFound):
        load_model(replace(package, uri=str(tmp_path / "gone")))
    assert load_model(replace(package, uri=Path(package.uri).as_uri())) is not None
    with pytest.raises(InvalidInput, match="sklearn-skops"):
        load_model(ModelPackage("onnx", package.uri, package.digest))


class Custom:
    """A class of nobody's list."""

    def __init__(self) -> None:
        self.function = os.system


def test_what_cannot_be_stored_safely_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Custom"):
        package_model(Custom(), folder=tmp_path / "package")
    shouting = FunctionTransformer(os.system).fit(ROWS)
    with pytest.raises(InvalidInput, match="system"):
        package_model(shouting, folder=tmp_path / "other")


def test_types_that_are_not_reviewed_are_never_asked_to_be_trusted(tmp_path: Path) -> None:
    """A package made by a forger has a digest that fits, too."""
    file = tmp_path / MODEL
    skops.io.dump(FunctionTransformer(os.system), file)
    with pytest.raises(InvalidInput, match="system"):
        trusted_types(file)
    skops.io.dump(HistGradientBoostingClassifier(max_iter=2).fit(ROWS[["hour"]], ROWS.hour), file)
    assert all(name.startswith("sklearn.") for name in trusted_types(file))


def test_a_folder_in_use_is_refused(model: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="not empty"):
        package_model(model, folder=tmp_path)


# Signatures


def test_signature_of_a_frame(model: Any, tmp_path: Path) -> None:
    package = package_model(model, example=ROWS, folder=tmp_path / "package")
    expected = Signature(
        (Field("hour", "INT64"), Field("carrier", "BYTES")), (Field("predict", "BOOL"),)
    )
    assert package.signature == expected
    stored = json.loads(Path(package.uri, "signature.json").read_text())
    assert stored["inputs"][0] == {"datatype": "INT64", "name": "hour", "shape": [-1]}


def test_signature_of_arrays() -> None:
    """One input of two dimensions; outputs of as many as the model gives."""
    x = np.arange(12, dtype="float32").reshape(4, 3)
    many = LinearRegression().fit(x, x[:, :2])
    expected = Signature((Field("input", "FP32", (-1, 3)),), (Field("predict", "FP32", (-1, 2)),))
    assert infer_signature(many, x) == expected


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bool", "BOOL"),
        ("int8", "INT8"),
        ("uint16", "UINT16"),
        ("float16", "FP16"),
        ("float64", "FP64"),
        ("object", "BYTES"),
        ("str", "BYTES"),
        ("string", "BYTES"),
        ("Int32", "INT32"),
        ("boolean", "BOOL"),
        ("Float64", "FP64"),
        ("category", "BYTES"),
        ("datetime64[ns]", "BYTES"),
    ],
)
def test_datatypes(dtype: str, expected: str) -> None:
    assert datatype(pd.Series([], dtype=dtype).dtype) == expected


def test_categories_of_numbers_are_numbers() -> None:
    assert datatype(pd.Series([1, 2]).astype("category").dtype) == "INT64"


@pytest.mark.parametrize("wrong", [[1, 2], np.zeros(3), np.zeros((0, 2)), pd.Series([1, 2])])
def test_examples_that_say_nothing(model: Any, wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="example"):
        infer_signature(model, wrong)


def test_an_example_that_the_model_refuses(model: Any) -> None:
    with pytest.raises(InvalidInput, match="refuses the example"):
        infer_signature(model, ROWS.rename(columns={"carrier": "airline"}))
