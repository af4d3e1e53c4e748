"""scikit-learn models: equal models have equal bytes, and a file cannot name what it likes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from stackyard.errors import StoreError
from stackyard.store.artifacts import Artifacts
from stackyard.store.formats.sklearn import SklearnFormat
from stackyard.store.formats.trusted import TRUSTED
from tests.unit.stores import file_of, opened

ROWS = 300


def data() -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "a": rng.normal(size=ROWS),
        "b": rng.integers(1, 9, ROWS),
        "c": pd.Categorical(rng.choice(list("xyz"), ROWS)),
        "d": pd.Categorical(rng.choice(["p", "q"], ROWS)),
    })  # fmt: skip
    return frame, (frame["a"] + frame["b"] > 4).astype(int).to_numpy()


def text() -> list[str]:
    return [f"word{i} and word{i + 1} the{i % 3}" for i in range(ROWS)]


def numbers(model: Any) -> Any:
    frame, target = data()
    return model.fit(frame[["a", "b"]], target)


def columns(model: Any, output: str = "default") -> Any:
    frame, target = data()
    picked = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector("[ab]")),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["c"]),
        (OrdinalEncoder(), ["d"]),
        remainder="passthrough",
    )
    return make_pipeline(picked, model).set_output(transform=output).fit(frame, target)


MODELS: dict[str, Callable[[], Any]] = {
    "boosting": lambda: numbers(HistGradientBoostingClassifier(max_iter=5, random_state=0)),
    "regression": lambda: numbers(HistGradientBoostingRegressor(max_iter=5, random_state=0)),
    "categories": lambda: HistGradientBoostingClassifier(
        max_iter=5, random_state=0, categorical_features="from_dtype"
    ).fit(*data()),
    "columns": lambda: columns(HistGradientBoostingClassifier(max_iter=5, random_state=0)),
    "output": lambda: columns(LogisticRegression(), output="pandas"),
    "forest": lambda: numbers(RandomForestClassifier(5, random_state=0)),
    "trees": lambda: numbers(GradientBoostingRegressor(n_estimators=5, random_state=0)),
    "neighbours": lambda: numbers(KNeighborsClassifier()),
    "random state": lambda: numbers(
        RandomForestClassifier(2, random_state=np.random.RandomState(7))
    ),
    "ufunc": lambda: numbers(make_pipeline(FunctionTransformer(np.sin), LogisticRegression())),
    "stop words": lambda: TfidfVectorizer(stop_words=["the0", "the1", "and"]).fit(text()),
    "sets": lambda: TfidfVectorizer(vocabulary={f"word{i}" for i in range(20)}).fit(text()),
    "not fitted": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
}


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return opened(tmp_path, pickle_allowed=False)


def without_addresses(model: Any) -> str:
    return re.sub(r"0x[0-9A-Fa-f]+", "", repr(model))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_the_same(store: Artifacts, name: str) -> None:
    model = MODELS[name]()
    ref = store.save(model)
    assert ref.format == "sklearn"
    back = store.load(ref)
    assert without_addresses(back) == without_addresses(model)
    if hasattr(model, "predict") and name != "not fitted":
        frame = data()[0]
        frame = frame if len(model.feature_names_in_) == 4 else frame[["a", "b"]]
        np.testing.assert_array_equal(back.predict(frame), model.predict(frame))
    assert store.save(back) == ref


def test_the_digest_is_the_same_in_other_processes_and_when_trained_again(tmp_path: Path) -> None:
    code = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.stores import opened
from tests.unit.test_formats_sklearn import MODELS
store = opened(Path(sys.argv[2]))
for name, make in MODELS.items():
    ref = store.save(make())
    print(name, ref.format, ref.digest, store.save(make()).digest == ref.digest)
"""
    seen: set[str] = set()
    for seed in "12":
        run = [sys.executable, "-c", code, str(Path(__file__).parents[2]), str(tmp_path / seed)]
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
        done = subprocess.run(run, capture_output=True, text=True, check=True, env=env, timeout=200)
        seen |= set(done.stdout.splitlines())
    assert len(seen) == len(MODELS), "\n".join(sorted(seen))
    assert all(line.endswith("True") and " sklearn " in line for line in seen)


def test_what_was_one_object_stays_one(store: Artifacts) -> None:
    frame, target = data()
    parts = [("a", LogisticRegression()), ("b", HistGradientBoostingClassifier(max_iter=2))]
    model = VotingClassifier(parts).fit(frame[["a", "b"]], target)
    back = store.load(store.save(model))
    assert back.named_estimators_["a"] is back.estimators_[0]
    random = np.random.RandomState(3)
    pair = make_pipeline(
        RandomForestClassifier(random_state=random), RandomForestClassifier(random_state=random)
    )
    back = store.load(store.save(pair))
    assert back[0].random_state is back[1].random_state


def test_equal_parameters_are_equal_whether_or_not_they_are_one_object(store: Artifacts) -> None:
    names, weights = ["a", "b"], {0: 1.0, 1: 2.5}
    one = [StandardScaler(), LogisticRegression(class_weight=weights, max_iter=12345)]
    shared = make_column_transformer((one[0], names), (one[1], names))
    other = make_column_transformer(
        (StandardScaler(), list("ab")),
        (LogisticRegression(class_weight=dict(weights), max_iter=int("12345")), list("ab")),
    )
    assert store.save(shared) == store.save(other)


def test_a_search_keeps_its_splitter_and_scorer(store: Artifacts) -> None:
    model = GridSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, scoring="roc_auc", cv=TimeSeriesSplit(3)
    )
    back = store.load(store.save(numbers(model)))
    assert back.best_params_ == model.best_params_
    assert isinstance(back.cv, TimeSeriesSplit)


class Doubling(BaseEstimator):
    def __init__(self, by: float = 2.0) -> None:
        self.by = by

    def fit(self, rows: Any, target: Any = None) -> Doubling:
        return self

    def transform(self, rows: Any) -> Any:
        return rows * self.by


class Louder(LogisticRegression):
    pass


def shout(rows: Any) -> Any:
    return rows


FOREIGN: dict[str, Callable[[], Any]] = {
    "Doubling": lambda: Doubling(3.0),
    "Louder": lambda: numbers(Louder()),
    "test_formats_sklearn.shout": lambda: numbers(
        make_pipeline(FunctionTransformer(shout), LogisticRegression())
    ),
    "test_formats_sklearn.Doubling": lambda: numbers(
        make_pipeline(Doubling(), LogisticRegression())
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_scikit_learns_own_is_pickled_or_refused_by_name(
    tmp_path: Path, name: str
) -> None:
    model = FOREIGN[name]()
    ref = opened(tmp_path).save(model)
    assert ref.format == "pickle"
    assert repr(opened(tmp_path).load(ref)) == repr(model)
    with pytest.raises(StoreError, match=rf"{name}[, ].*pickle: forbid.*Formats: .*sklearn"):
        opened(tmp_path, pickle_allowed=False).save(model)


def forged(store: Artifacts, change: Callable[[Any], None], folder: Path) -> Path:
    """The file of a model whose schema was changed."""
    with zipfile.ZipFile(file_of(store, store.save(LogisticRegression()).digest)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    (folder / "forged").write_bytes(buffer.getvalue())
    return folder / "forged"


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("pathlib", "Path"),
     ("sklearn.datasets._openml", "fetch_openml"), ("joblib.memory", "Memory"),
     ("numpy", "fromfile"), ("builtins", "open")],
)  # fmt: skip
@pytest.mark.parametrize("loader", ["ConstructorFromReduceNode", "ObjectNode", "FunctionNode"])
def test_a_forged_model_is_refused_before_anything_is_built(
    store: Artifacts, tmp_path: Path, module: str, name: str, loader: str
) -> None:
    target = tmp_path / "made"
    argument = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(f"touch {target}"),
    }

    def change(schema: Any) -> None:
        schema["content"]["content"]["C"] = {
            "__class__": name, "__module__": module, "__loader__": loader,
            "content": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode",
                        "content": [argument]},
        }  # fmt: skip

    with pytest.raises(StoreError, match=rf"Untrusted types.*{name}"):
        SklearnFormat().read(forged(store, change, tmp_path))
    assert not target.exists()


def test_no_trusted_name_opens_runs_or_evaluates_anything() -> None:
    harmful = (
        "open",
        "exec",
        "eval",
        "load",
        "fetch",
        "read",
        "system",
        "import",
        "memory",
        "file",
    )
    for name in TRUSTED:
        assert not any(word in name.rpartition(".")[2].lower() for word in harmful), name
        assert name.partition(".")[0] in (
            "sklearn", "numpy", "scipy", "builtins", "collections", "functools"
        )  # fmt: skip


def test_an_archive_of_skops_itself_is_another_format(tmp_path: Path) -> None:
    import skops.io

    skops.io.dump(LogisticRegression(), tmp_path / "x")
    with pytest.raises(StoreError, match="not of format sklearn/1"):
        SklearnFormat().read(tmp_path / "x")
