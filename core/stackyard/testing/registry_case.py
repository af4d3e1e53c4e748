"""What the tests of the model registry's contract stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage, ModelVersion, Registry
from stackyard.models import SKLEARN, folder_digest, package_model
from stackyard.store.records import new_run_id
from stackyard.testing.component import ComponentContract
from stackyard.testing.stand_ins import context_in


class RegistryCase(ComponentContract):
    """The registry under test and models to register."""

    kind = "registry"

    def decide(self, registry: Registry, id: str, grant: bool, reason: str) -> None:
        """Answer a request as the registry's reviewer does; override with ``request``."""
        raise NotImplementedError

    def damage(self, registry: Registry, version: ModelVersion) -> bool:
        """Change a kept file of ``version`` behind the registry's back; False where none can be."""
        return False

    def ask(self, component: Registry) -> object:
        """List all versions."""
        return component.list()

    def before_at_once(self, component: Registry, token: str) -> None:
        """A package for both processes, and one for each."""
        for number, part in enumerate(("both", "own-0", "own-1")):
            folder = component.context.project / token / part
            package_model(_model(number + 1), example=rows(), folder=folder)

    @classmethod
    def do_at_once(cls, component: Registry, number: int, token: str) -> Any:
        """Register, as steps of one run, the same package and another; move an alias."""
        made = []
        for part in ("both", f"own-{number}"):
            folder = component.context.project / token / part
            package = ModelPackage(SKLEARN, str(folder), folder_digest(folder))
            made.append(component.register(_at_once(component), package).version)
        if "alias" in component.capabilities:
            component.set_alias(_at_once(component), f"of-{number}", made[1])
        return made

    def check_at_once(self, component: Registry, results: list[Any], token: str) -> None:
        """Both have the same version of the same package, and nothing is lost."""
        name = _at_once(component)
        made = {version for versions in results for version in versions}
        assert results[0][0] == results[1][0], "a package of one run was registered twice"
        assert sorted(v.version for v in component.list(name)) == sorted(made)
        assert len(made) == 3
        if "alias" in component.capabilities:
            for number, (_, own) in enumerate(results):
                assert component.pointed(name, f"of-{number}") == own

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        return context_in(tmp_path / "project", "registry", "register")

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
        made: Registry = self.connect(replace(context, run=new_run_id()))
        return made


def _at_once(registry: Registry) -> str:
    """A model's name that only the processes of one test use."""
    return f"delays-{registry.context.run}"


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
