"""What the tests of the model registry's contract stand on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage, Registry
from stackyard.models import package_model
from stackyard.store.records import new_run_id


class RegistryCase(ABC):
    """The registry under test and models to register."""

    @abstractmethod
    def connect(self, context: Context) -> Registry:
        """Return a new component on the same backend, whichever test asks."""

    def decide(self, registry: Registry, id: str, grant: bool, reason: str) -> None:
        """Answer a request as the registry's reviewer does; override with ``request``."""
        raise NotImplementedError

    def unreachable(self, context: Context) -> Registry | None:
        """Return a component whose backend does not answer; None where that cannot be."""
        return None

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        return Context(
            name="registry",
            stack="local",
            project=tmp_path,
            cache_dir=tmp_path / "cache",
            pipeline="conformance",
            run=new_run_id(),
            step="register",
            deadline=30.0,
        )

    @pytest.fixture
    def registry(self, context: Context) -> Any:
        """The component under test."""
        made = self.connect(context)
        yield made
        made.close()

    @pytest.fixture
    def name(self) -> str:
        """A model's name that no other test uses."""
        return f"delays-{new_run_id()}"

    @pytest.fixture
    def package(self, tmp_path: Path) -> Callable[..., ModelPackage]:
        """Packages a small model; another number, another model."""

        def make(number: int = 1) -> ModelPackage:
            return package_model(
                _model(number), example=rows(), folder=tmp_path / f"package-{number}"
            )

        return make

    def of_run(self, context: Context) -> Registry:
        """The registry as a step of another run has it."""
        return self.connect(replace(context, run=new_run_id()))


def needs(registry: Registry, capability: str) -> None:
    """Skip the test where the registry does not have the capability."""
    if capability not in registry.capabilities:
        pytest.skip(f"without the capability {capability!r}")


def rows() -> Any:
    """What the models are asked."""
    import pandas as pd

    return pd.DataFrame({"hour": [1, 2, 3, 4, 5, 6] * 5, "carrier": ["UA", "DL", "AA"] * 10})


def _model(number: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    columns = ColumnTransformer([("c", OrdinalEncoder(), ["carrier"])], remainder="passthrough")
    trees = HistGradientBoostingClassifier(
        max_iter=number, min_samples_leaf=1, max_depth=3, random_state=0
    )
    given = rows()
    return make_pipeline(columns, trees).fit(given, given["hour"] > 3)
