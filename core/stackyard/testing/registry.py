"""The contract of a model registry as tests; numbered in docs/reference/registry.md."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import Registry
from stackyard.errors import DigestMismatch, InvalidInput, NotFound, Unavailable
from stackyard.models import MODEL, load_model
from stackyard.testing.manners import silent_until_used
from stackyard.testing.registry_aliases import RegistryAliases
from stackyard.testing.registry_case import rows


class RegistryContract(RegistryAliases):
    """Inherit, say how to make the registry. Needs scikit-learn and pandas."""

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

    # Using

    def test_12_a_fetched_model_predicts_the_same(
        self, registry: Registry, context: Context, name: str, package: Any, tmp_path: Path
    ) -> None:
        """Elsewhere, after the registered folder is gone, with a checked digest."""
        given = package()
        expected = load_model(given).predict(rows())
        version = registry.register(name, given)
        shutil.rmtree(given.uri)
        elsewhere = self.connect(replace(context, cache_dir=tmp_path / "elsewhere"))
        fetched = elsewhere.fetch(version)
        assert fetched.digest == given.digest
        assert Path(fetched.uri).is_dir()
        assert (load_model(fetched).predict(rows()) == expected).all()
        assert elsewhere.fetch(version) == fetched

    def test_13_fetching_what_is_gone(self, registry: Registry, name: str, package: Any) -> None:
        """NotFound."""
        version = registry.register(name, package())
        with pytest.raises(NotFound):
            registry.fetch(replace(version, version="7"))

    # Manners

    def test_14_silent_until_used(self, tmp_path: Path, context: Context) -> None:
        """Making and closing the component writes nothing and connects to nothing."""
        silent_until_used(self.connect, context, tmp_path / "untouched")

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
