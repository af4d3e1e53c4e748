"""The contract of a model registry as tests; numbered in docs/reference/registry.md."""

from __future__ import annotations

import shutil
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import Registry
from stackyard.errors import DigestMismatch, InvalidInput, NotFound, Unsupported
from stackyard.models import MODEL, load_model
from stackyard.testing.registry_aliases import RegistryAliases
from stackyard.testing.registry_case import rows


class RegistryContract(RegistryAliases):
    """Inherit, say what a stack says of the registry. Needs scikit-learn and pandas."""

    # Registering

    def test_01_what_is_registered_is_got(
        self, registry: Registry, context: Context, name: str, package: Any
    ) -> None:
        """The version is text; digest, format, signature, requirements, tags and run come back."""
        given, tags = package(), {"auc": "0.7", "note": "größe 大小 'a' \"b\" {c}\nd"}
        made = registry.register(name, given, tags=tags)
        assert (made.name, made.version, made.run) == (name, "1", context.run)
        assert made.tags == tags
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
        with closing(self.connect(context)) as again, closing(self.of_run(context)) as other:
            assert again.register(name, two).version == "2"
            assert again.register(name, one).version == "1"
            assert other.register(name, one).version == "3"

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
            with closing(self.of_run(context)) as other:
                other.register(name, given)
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
        elsewhere.close()

    def test_13_fetching_what_is_gone(self, registry: Registry, name: str, package: Any) -> None:
        """NotFound."""
        version = registry.register(name, package())
        with pytest.raises(NotFound):
            registry.fetch(replace(version, version="7"))

    def test_14_what_is_damaged_is_not_fetched(
        self, registry: Registry, context: Context, name: str, package: Any
    ) -> None:
        """DigestMismatch, and nothing is given."""
        version = registry.register(name, package())
        if not self.damage(registry, version):
            pytest.skip("without damage(): nothing that is kept can be changed")
        with closing(self.connect(context)) as later, pytest.raises(DigestMismatch):
            later.fetch(version)

    # What is asked for wrongly

    def test_15_what_is_asked_for_leads_nowhere_else(
        self, registry: Registry, name: str, package: Any
    ) -> None:
        """What a version or an alias cannot be is NotFound, what a model cannot be InvalidInput."""
        other = registry.register(f"{name}-other", package(2))
        made = registry.register(name, package())
        ways = (f"../{other.name}/1", "../1", "1/../1", "", "-1", "1\n", "1' or '1'='1", "9" * 300)
        for wrong in ways:
            with pytest.raises(NotFound):
                registry.get(name, wrong)
            with pytest.raises(NotFound):
                registry.get(name, alias=wrong)
            with pytest.raises(NotFound):
                registry.fetch(replace(made, version=wrong))
        for wrong in (f"{name}/../{other.name}", "..", "", "a\nb", "a' or 'a'='a", "x" * 300):
            with pytest.raises((NotFound, InvalidInput)):
                registry.get(wrong)
            with suppress(InvalidInput):
                assert list(registry.list(wrong)) == []

    def test_16_what_it_cannot_do_it_says(
        self, registry: Registry, name: str, package: Any
    ) -> None:
        """Unsupported for each capability that it does not have, with those that it has."""
        made = registry.register(name, package()).version
        calls = {
            "alias": (
                lambda: registry.set_alias(name, "champion", made),
                lambda: registry.delete_alias(name, "champion"),
                lambda: registry.register(name, package(2), alias="champion"),
            ),
            "request": (
                lambda: registry.request_alias(name, "champion", made),
                lambda: registry.promotion("1"),
            ),
        }
        lacking = calls.keys() - registry.capabilities
        if not lacking:
            pytest.skip("has all capabilities")
        have = ", ".join(sorted(registry.capabilities)) or "none"
        for capability in lacking:
            for call in calls[capability]:
                with pytest.raises(Unsupported, match=f"{capability}.*Capabilities: {have}"):
                    call()
        assert [v.version for v in registry.list(name)] == [made]
