"""Puts this folder on the path; a fake cluster, which holds what it gets against KServe's CRD."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import inference_service_crd
from fake_cluster import FakeCluster
from inference_service_crd import CRD, Schema

from stackyard_kserve import server
from tests.conftest import s3_endpoint as s3_endpoint
from tests.conftest import s3_url as s3_url


@pytest.fixture(scope="session")
def schema() -> Schema:
    """What KServe's real CRD says of an InferenceService."""
    if not CRD.is_file():
        pytest.skip(f"KServe's CRD is not at {CRD}; say where it is in STACKYARD_TEST_KSERVE_CRD")
    return inference_service_crd.read()


@pytest.fixture(autouse=True, scope="session")
def _short() -> Iterator[None]:
    """Failures are believed at once: the fake cluster reports of an older version for one look."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "SETTLED", 0.4)
        yield


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Iterator[FakeCluster]:
    """A fake cluster; it refuses what the CRD refuses, where the CRD is at hand."""
    made = FakeCluster(request.getfixturevalue("schema") if CRD.is_file() else lambda body: [])
    yield made
    made.stop()
