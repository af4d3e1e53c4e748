"""A project that was moved or copied with its own MLflow database."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.models import load_model, package_model
from stackyard.store.records import new_run_id
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.registry import MlflowRegistry


def registry(project: Path) -> MlflowRegistry:
    context = Context(
        name="registry", project=project, cache_dir=project / "cache", pipeline="moved",
        run=new_run_id(), step="register", deadline=60.0,
    )  # fmt: skip
    return MlflowRegistry(MlflowRegistryConfig(), context)


def files(project: Path) -> set[str]:
    folder = project / ".stackyard" / "mlflow" / "artifacts"
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_copy_leaves_the_original_alone_and_has_files_of_its_own(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    def package(weight: float) -> Any:
        return package_model(LogisticRegression(C=weight).fit([[0.0], [1.0]], [0, 1]))

    first, copy = tmp_path / "first", tmp_path / "copy"
    version = registry(first).register("delays", package(1.0))
    shutil.copytree(first, copy)
    before = files(first)
    second = registry(copy).register("delays", package(2.0))
    assert second.version == "2"
    assert files(first) == before
    assert len(files(copy)) > len(before)

    shutil.rmtree(first)
    moved = copy.rename(tmp_path / "moved")
    for name in (version, second):
        fetched = registry(moved).fetch(replace(name))
        assert load_model(fetched).predict([[1.0]]).tolist() == [1]
    assert not first.exists() and not copy.exists()
