"""The contract of a feature store as tests; numbered in docs/reference/feature-store.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore, FeaturesUsed
from stackyard.errors import Unsupported
from stackyard.testing.feature_store_joins import JoinContract
from stackyard.testing.weather import HOUR, WEATHER, questions, weather

CAPABILITIES = ("apply", "write", "materialize", "online", "teardown", "by_reference", "jobs")


class FeatureStoreContract(JoinContract):
    """Inherit, say how to make the store. A store without ``write`` also says ``given``.

    Tests of a capability that the store does not have are skipped.
    """

    # Describing

    def test_01_views_are_described(self, store: FeatureStore, context: Context) -> None:
        """By name; with entity, features, ttl and a digest that changes with the definition."""
        self.given(context, WEATHER, weather())
        self.given(context, replace(WEATHER, name="sea", ttl=HOUR), weather())
        sea, found = store.describe()
        assert (sea.name, found.name) == ("sea", "weather")
        assert found.entity == ("origin",)
        assert set(found.features) == {"temp", "rain"}
        assert (found.ttl, sea.ttl) == (3 * HOUR, HOUR)
        assert found.digest and found.digest != sea.digest

    def test_16_what_was_joined_is_noted(self, context: Context) -> None:
        """In the record of the step: the features, and the definitions by their digests."""
        self.given(context, WEATHER, weather())
        journal = _Journal()
        store = self.connect(replace(context, journal=journal))
        store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        (view,) = store.describe()
        assert journal.entries == [FeaturesUsed(("weather:temp",), {"weather": view.digest})]

    def test_17_state_tells_of_changes(self, store: FeatureStore, context: Context) -> None:
        """It stays while answers stay, and changes with rows and definitions."""
        if store.state() is None:
            pytest.skip("this store cannot tell")
        seen = [store.state()]
        self.given(context, WEATHER, weather())
        seen.append(store.state())
        store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
        assert store.state() == seen[-1] == self.connect(context).state()
        self.given(context, WEATHER, weather().assign(temp=7.0))
        seen.append(store.state())
        self.given(context, replace(WEATHER, ttl=None), weather())
        seen.append(store.state())
        assert len(set(seen)) == 4

    # Manners

    def test_18_silent_until_used(self, tmp_path: Path, context: Context) -> None:
        """Making and closing the component writes nothing."""
        project = tmp_path / "untouched"
        project.mkdir()
        inside = replace(
            context, project=project, cache_dir=project / "cache", state_dir=project / "state"
        )
        made = self.connect(inside)
        _ = made.capabilities
        made.close()
        made.close()
        assert not list(project.iterdir())

    def test_19_what_it_cannot_is_said(self, store: FeatureStore, tmp_path: Path) -> None:
        """Unsupported, naming the capabilities that there are."""
        assert store.capabilities <= set(CAPABILITIES)
        path, when = tmp_path / "rows.parquet", datetime(2013, 1, 1, tzinfo=UTC)
        calls: dict[str, Callable[[], object]] = {
            "apply": lambda: store.apply([WEATHER]),
            "write": lambda: store.write("weather", weather()),
            "materialize": lambda: store.materialize(when),
            "online": lambda: store.online(questions(["JFK"], [1]), ["weather:temp"]),
            "teardown": store.teardown,
            "by_reference": lambda: store.historical_by_reference(
                path, [], timestamp="at", target=path
            ),
            "jobs": lambda: store.poll("1"),
        }
        for capability in set(CAPABILITIES) - store.capabilities:
            with pytest.raises(Unsupported, match=capability):
                calls[capability]()


class _Journal:
    """Keeps what a component notes."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def add(self, entry: Any) -> None:
        self.entries.append(entry)

    def keep(self, path: Path) -> str:
        raise AssertionError(f"{path}: a feature store keeps no file")
