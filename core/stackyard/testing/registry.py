"""The contract of a model registry as tests; numbered in docs/reference/registry.md."""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage, Registry
from stackyard.errors import DigestMismatch, InvalidInput, NotFound, Unavailable
from stackyard.models import MODEL, load_model, package_model
from stackyard.store.records import new_run_id


class RegistryContract(ABC):
    """Inherit, say how to make the registry. Needs scikit-learn and pandas."""

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
                _model(number), example=_rows(), folder=tmp_path / f"package-{number}"
            )

        return make

    def of_run(self, context: Context) -> Registry:
        """The registry as a step of another run has it."""
        return self.connect(replace(context, run=new_run_id()))

    # Registering

    def test_01_what_is_registered_is_got(
        self, registry: Registry, context: Context, name: str, package: Any
    ) -> None:
        """The version is text; digest, format, signature, requirements, tags and run come back."""
        given = package()
        made = registry.register(name, given, tags={"auc": "0.7"})
        assert (made.name, made.version, made.run) == (name, "1", context.run)
        assert made.tags == {"auc": "0.7"}
        assert replace(made.package, uri=given.uri) == given
        assert registry.get(name) == made == registry.get(name, "1")

    def test_02_another_model_is_the_next_version(
        self, registry: Registry, name: str, package: Any
    ) -> None:
        """Numbers grow; without a number, the newest is meant."""
        registry.register(name, package(1))
        second = registry.register(name, package(2))
        assert second.version == "2"
        assert registry.get(name) == second
        assert registry.get(name, "1").version == "1"

    def test_03_a_step_tried_again_registers_once(
        self, registry: Registry, context: Context, name: str, package: Any
    ) -> None:
        """Same name, digest and run: the same version. Another run: another version."""
        one, two = package(1), package(2)
        assert registry.register(name, one).version == "1"
        assert self.connect(context).register(name, two).version == "2"
        assert self.connect(context).register(name, one).version == "1"
        assert self.of_run(context).register(name, one).version == "3"

    def test_04_a_damaged_package_is_refused(
        self, registry: Registry, name: str, package: Any
    ) -> None:
        """Before anything is registered or deserialised."""
        given = package()
        file = Path(given.uri) / MODEL
        file.chmod(0o644)
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(DigestMismatch):
            registry.register(name, given)
        with pytest.raises(NotFound):
            registry.register(name, replace(given, uri=given.uri + "-gone"))
        assert list(registry.list(name)) == []

    @pytest.mark.parametrize(
        "wrong", ["", "a/b", "a:b", "../a", "a\nb", "a'b", "{{ a }}", "x" * 300]
    )
    def test_05_names_are_checked(self, registry: Registry, package: Any, wrong: str) -> None:
        """Names reach paths and addresses."""
        with pytest.raises(InvalidInput):
            registry.register(wrong, package())

    # Finding

    def test_06_what_is_not_there(self, registry: Registry, name: str, package: Any) -> None:
        """NotFound for model, version and alias, naming what there is."""
        with pytest.raises(NotFound):
            registry.get(name)
        assert list(registry.list(name)) == []
        registry.register(name, package())
        with pytest.raises(NotFound, match="1"):
            registry.get(name, "7")
        with pytest.raises(NotFound, match="challenger"):
            registry.get(name, alias="challenger")

    def test_07_newest_first(
        self, registry: Registry, context: Context, name: str, package: Any
    ) -> None:
        """By number, not by text; one model or all."""
        given = package()
        for _ in range(11):
            self.of_run(context).register(name, given)
        listed = registry.list(name)
        assert [v.version for v in listed] == [str(n) for n in range(11, 0, -1)]
        assert {v.version for v in registry.list() if v.name == name} == {v.version for v in listed}

    # Aliases

    def test_08_an_alias_moves(self, registry: Registry, name: str, package: Any) -> None:
        """One version at a time has it; it is shown with the version; it can be removed."""
        _needs(registry, "alias")
        first = registry.register(name, package(1), alias="champion")
        assert first.aliases == ("champion",)
        two = package(2)
        second = registry.register(name, two, alias="champion")
        assert registry.get(name, alias="champion") == second
        assert registry.get(name, "1").aliases == ()
        registry.set_alias(name, "champion", "1")
        registry.set_alias(name, "candidate", "1")
        assert registry.get(name, alias="champion").aliases == ("candidate", "champion")
        assert [v.aliases for v in registry.list(name)] == [(), ("candidate", "champion")]
        again = registry.register(name, two, alias="candidate")  # a step that is tried again
        assert (again.version, again.aliases) == ("2", ("candidate",))
        with pytest.raises(NotFound, match="champion"):
            registry.get(name, alias="challenger")
        with pytest.raises(NotFound):
            registry.set_alias(name, "champion", "7")
        registry.delete_alias(name, "champion")
        registry.delete_alias(name, "champion")
        with pytest.raises(NotFound):
            registry.get(name, alias="champion")

    @pytest.mark.parametrize("wrong", ["", "a/b", "latest", "Latest", "v1", "a b", "a\n"])
    def test_09_aliases_are_checked(
        self, registry: Registry, name: str, package: Any, wrong: str
    ) -> None:
        """An alias must not be taken for a version; nothing is registered with a wrong one."""
        _needs(registry, "alias")
        with pytest.raises(InvalidInput):
            registry.register(name, package(), alias=wrong)
        assert list(registry.list(name)) == []

    def test_10_a_change_of_an_alias_is_written_down(
        self, context: Context, name: str, package: Any
    ) -> None:
        """Who, when, from, to and why, whichever way it was changed; no change, no entry."""
        history = _History()
        registry = self.connect(replace(context, actor="anna", history=history))
        _needs(registry, "alias")
        before = time.time()
        registry.register(name, package(1), alias="champion")
        registry.register(name, package(2))
        registry.set_alias(name, "champion", "2", why="gate: pass")
        registry.set_alias(name, "champion", "2", why="again")
        registry.delete_alias(name, "champion", why="retired")
        registry.delete_alias(name, "champion", why="again")
        with pytest.raises(NotFound):
            registry.set_alias(name, "champion", "7")
        changes = history.entries
        assert [(c.before, c.after) for c in changes] == [(None, "1"), ("1", "2"), ("2", None)]
        assert [c.why for c in changes[1:]] == ["gate: pass", "retired"]
        assert {(c.name, c.alias, c.actor) for c in changes} == {(name, "champion", "anna")}
        assert {(c.run, c.step) for c in changes} == {(context.run, "register")}
        assert all(before <= c.time <= time.time() for c in changes)
        registry.close()

    @pytest.mark.parametrize("grant", [True, False])
    def test_11_a_request_is_pending_until_it_is_decided(
        self, registry: Registry, name: str, package: Any, grant: bool
    ) -> None:
        """Granted, the alias is at the version; refused, it stays, and the reason is told."""
        _needs(registry, "request")
        version = registry.register(name, package()).version
        asked = registry.request_alias(name, "champion", version, why="gate: pass")
        assert asked.status == "pending"
        assert registry.request_alias(name, "champion", version, why="again") == asked
        assert registry.pointed(name, "champion") is None
        self.decide(registry, asked.id, grant, "as it is")
        decided = registry.promotion(asked.id)
        assert (decided.status, decided.reason) == ("granted" if grant else "refused", "as it is")
        assert registry.pointed(name, "champion") == (version if grant else None)
        with pytest.raises(NotFound):
            registry.request_alias(name, "champion", "7")
        with pytest.raises(NotFound):
            registry.promotion("no-such-request")

    # Using

    def test_12_a_fetched_model_predicts_the_same(
        self, registry: Registry, context: Context, name: str, package: Any, tmp_path: Path
    ) -> None:
        """Elsewhere, after the registered folder is gone, with a checked digest."""
        given = package()
        expected = load_model(given).predict(_rows())
        version = registry.register(name, given)
        shutil.rmtree(given.uri)
        elsewhere = self.connect(replace(context, cache_dir=tmp_path / "elsewhere"))
        fetched = elsewhere.fetch(version)
        assert fetched.digest == given.digest
        assert Path(fetched.uri).is_dir()
        assert (load_model(fetched).predict(_rows()) == expected).all()
        assert elsewhere.fetch(version) == fetched

    def test_13_fetching_what_is_gone(self, registry: Registry, name: str, package: Any) -> None:
        """NotFound."""
        version = registry.register(name, package())
        with pytest.raises(NotFound):
            registry.fetch(replace(version, version="7"))

    # Manners

    def test_14_silent_until_used(self, tmp_path: Path, context: Context) -> None:
        """Making and closing the component writes nothing."""
        project = tmp_path / "untouched"
        project.mkdir()
        made = self.connect(replace(context, project=project, cache_dir=project / "cache"))
        _ = made.capabilities
        made.close()
        made.close()
        assert not list(project.iterdir())

    def test_15_an_unreachable_backend_is_unavailable_in_time(
        self, context: Context, name: str
    ) -> None:
        """Every call ends within the deadline."""
        deadline = 6.0
        made = self.unreachable(replace(context, deadline=deadline))
        if made is None:
            pytest.skip("this backend is always there")
        start = time.monotonic()
        with pytest.raises(Unavailable):
            made.get(name)
        assert time.monotonic() - start < deadline


class _History:
    """A history that is a list."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def add(self, entry: Any) -> None:
        self.entries.append(entry)


def _needs(registry: Registry, capability: str) -> None:
    if capability not in registry.capabilities:
        pytest.skip(f"without the capability {capability!r}")


def _rows() -> Any:
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
    rows = _rows()
    return make_pipeline(columns, trees).fit(rows, rows["hour"] > 3)
