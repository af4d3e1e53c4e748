"""What the tests of the cluster side are made of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_cluster import FakeCluster

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard_kserve import cluster, server

Make = Callable[..., server.KServeServer]

SIGNATURE = Signature((Field("hour", "INT64"),))


class Clock:
    """Time that passes when somebody waits, and then at once, however busy the machine is.

    Args:
        passing: It passes by itself, too: somebody waits in another process.
    """

    def __init__(self, *, passing: bool = False) -> None:
        self._now = 0.0
        self._true = time.monotonic if passing else lambda: 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds that were waited so far, by all threads."""
        return self._now + self._true()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += seconds
        time.sleep(0)  # the others' turn


def go_by(clock: Clock, patch: pytest.MonkeyPatch) -> None:
    """Let the components wait by a clock, as their fake cluster does."""
    for module in (cluster, server):
        patch.setattr(module, "time", clock)


def package(number: int = 1, **changes: Any) -> ModelPackage:
    """A package that only a cluster can read; the fake one does not look at it."""
    made = ModelPackage("mlflow", f"s3://acme-ml/{number}", f"digest-{number}", SIGNATURE)
    return replace(made, **changes)


def predictor(fake: FakeCluster, name: str = "delays") -> dict[str, Any]:
    """What the kept InferenceService says of its predictor."""
    found: dict[str, Any] = fake.service(name)["spec"]["predictor"]
    return found


def annotations(fake: FakeCluster) -> dict[str, str]:
    """Those of the kept InferenceService."""
    found: dict[str, str] = fake.service("delays")["metadata"]["annotations"]
    return found
