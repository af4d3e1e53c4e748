"""Puts this folder on the path; a fake cluster, which holds what it gets against KServe's CRD."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import inference_service_crd
from cluster_case import Clock, Make, go_by
from fake_cluster import FakeCluster
from inference_service_crd import CRD, Schema

from stackyard.components.base import Context
from stackyard_kserve import server
from stackyard_kserve.config import KServeConfig
from tests.conftest import s3_endpoint as s3_endpoint
from tests.conftest import s3_url as s3_url


@pytest.fixture(scope="session")
def schema() -> Schema:
    """What KServe's real CRD says of an InferenceService."""
    if not CRD.is_file():
        pytest.skip(f"KServe's CRD is not at {CRD}; say where it is in STACKYARD_TEST_KSERVE_CRD")
    return inference_service_crd.read()


@pytest.fixture
def clock() -> Clock:
    """The time of a test with ``fake``."""
    return Clock()


@pytest.fixture
def fake(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Iterator[FakeCluster]:
    """A fake cluster; it refuses what the CRD refuses, where the CRD is at hand.

    It and the components that speak to it go by ``clock``.
    """
    go_by(clock, monkeypatch)
    schema = request.getfixturevalue("schema") if CRD.is_file() else lambda body: []
    made = FakeCluster(schema, clock)
    yield made
    made.stop()


@pytest.fixture
def make(fake: FakeCluster, tmp_path: Path) -> Iterator[Make]:
    """Makes components that speak to the fake cluster."""
    made: list[server.KServeServer] = []

    def of(deadline: float = 30.0, **keys: Any) -> server.KServeServer:
        keys = {"kubeconfig": fake.kubeconfig(tmp_path), "ready_within": 20.0} | keys
        context = Context(name="server", deadline=deadline)
        made.append(server.KServeServer(KServeConfig(namespace="models", **keys), context))
        return made[-1]

    yield of
    for one in made:
        one.close()
