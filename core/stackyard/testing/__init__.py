"""The kit for tests: components that live in memory, and the contract of each kind as test classes.

A step is a plain function, so its test gives it a component of this module::

    tracker = MemoryTracker()
    model = train(rows, depth=3, tracker=tracker)
    assert tracker.metrics["auc"] > 0.6

A plugin's test inherits the contract of its kind (needs pytest)::

    class TestAcmeTracker(TrackerContract):
        @pytest.fixture
        def settings(self): return {"flavor": "acme", "url": ...}

        def read(self, tracker, tracking_id): ...

Never imported by Stackyard itself when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackyard.testing.component import ComponentContract as ComponentContract
    from stackyard.testing.data_versioner import DataVersionerContract as DataVersionerContract
    from stackyard.testing.feature_store import FeatureStoreContract as FeatureStoreContract
    from stackyard.testing.format import FormatContract as FormatContract
    from stackyard.testing.memory_data_versioner import MemoryDataVersioner as MemoryDataVersioner
    from stackyard.testing.memory_feature_store import MemoryFeatureStore as MemoryFeatureStore
    from stackyard.testing.memory_monitor import MemoryMonitor as MemoryMonitor
    from stackyard.testing.memory_registry import MemoryRegistry as MemoryRegistry
    from stackyard.testing.memory_server import MemoryServer as MemoryServer
    from stackyard.testing.memory_tracker import MemoryTracker as MemoryTracker
    from stackyard.testing.memory_validator import MemoryValidator as MemoryValidator
    from stackyard.testing.monitor import MonitorContract as MonitorContract
    from stackyard.testing.orchestrator import OrchestratorContract as OrchestratorContract
    from stackyard.testing.registry import RegistryContract as RegistryContract
    from stackyard.testing.resource import ResourceContract as ResourceContract
    from stackyard.testing.reviewed_registry import ReviewedRegistry as ReviewedRegistry
    from stackyard.testing.secret_provider import SecretProviderContract as SecretProviderContract
    from stackyard.testing.server import ServerContract as ServerContract
    from stackyard.testing.stand_ins import StoredRun as StoredRun
    from stackyard.testing.tracker import TrackerContract as TrackerContract
    from stackyard.testing.validator import ValidatorContract as ValidatorContract

_HOMES = {
    "ComponentContract": "component",
    "DataVersionerContract": "data_versioner",
    "FeatureStoreContract": "feature_store",
    "FormatContract": "format",
    "MemoryDataVersioner": "memory_data_versioner",
    "MemoryFeatureStore": "memory_feature_store",
    "MemoryMonitor": "memory_monitor",
    "MemoryRegistry": "memory_registry",
    "MemoryServer": "memory_server",
    "MemoryTracker": "memory_tracker",
    "MemoryValidator": "memory_validator",
    "MonitorContract": "monitor",
    "OrchestratorContract": "orchestrator",
    "RegistryContract": "registry",
    "ResourceContract": "resource",
    "ReviewedRegistry": "reviewed_registry",
    "SecretProviderContract": "secret_provider",
    "ServerContract": "server",
    "StoredRun": "stand_ins",
    "TrackerContract": "tracker",
    "ValidatorContract": "validator",
}

__all__ = [
    "ComponentContract",
    "DataVersionerContract",
    "FeatureStoreContract",
    "FormatContract",
    "MemoryDataVersioner",
    "MemoryFeatureStore",
    "MemoryMonitor",
    "MemoryRegistry",
    "MemoryServer",
    "MemoryTracker",
    "MemoryValidator",
    "MonitorContract",
    "OrchestratorContract",
    "RegistryContract",
    "ResourceContract",
    "ReviewedRegistry",
    "SecretProviderContract",
    "ServerContract",
    "StoredRun",
    "TrackerContract",
    "ValidatorContract",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'stackyard.testing' has no attribute {name!r}")
    import importlib

    _show_values()
    found = globals()[name] = getattr(importlib.import_module(f"stackyard.testing.{home}"), name)
    return found


def _show_values() -> None:
    """Let a guarantee that fails say what it compared, as the asserts of a test's own file do."""
    import pkgutil
    import sys

    pytest = sys.modules.get("pytest")
    if pytest is not None:
        modules = {f"{__name__}.{found.name}" for found in pkgutil.iter_modules(__path__)}
        pytest.register_assert_rewrite(*modules.difference(sys.modules))


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
