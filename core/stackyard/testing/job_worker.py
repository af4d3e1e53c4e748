"""A worker that submits a feature store's job and is killed; imports neither pandas nor pytest."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackyard.claims import RunClaims
from stackyard.components.base import Claims, Context
from stackyard.components.feature_store import FeatureJob, FeatureStore
from stackyard.store.store import open_store
from stackyard.testing.in_stack import context_of, made_of

MOMENTS = ("before the claim", "after the claim", "after submitting")


def claims_in(folder: Path, context: Context) -> RunClaims:
    """The claims of the context's run, in a store of the test's own."""
    assert context.run is not None
    return RunClaims(open_store(folder / "claims").records, context.run)


def submit(store: FeatureStore, rows: Path, target: Path) -> FeatureJob:
    """Ask for the job."""
    return store.submit(rows, ["weather:temp"], timestamp="at", target=target)


class _Dying:
    """Claims of a worker that is killed at a moment, with its whole group of processes."""

    def __init__(self, claims: Claims, moment: str) -> None:
        self._claims = claims
        self._moment = moment

    def claim(self, name: str, value: str) -> str:
        if self._moment == "before the claim":
            _die()
        given = self._claims.claim(name, value)
        if self._moment == "after the claim":
            _die()
        return given

    def get(self, name: str) -> str | None:
        return self._claims.get(name)


def _die() -> None:
    sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)


def _work(given: dict[str, Any]) -> None:
    context = context_of(given["context"])
    claims = _Dying(claims_in(Path(given["claims"]), context), given["moment"])
    store = made_of("feature_store", given["settings"], replace(context, claims=claims))
    assert isinstance(store, FeatureStore)
    job = submit(store, Path(given["rows"]), Path(given["target"]))
    print(job.id, end="")
    _die()


if __name__ == "__main__":
    _work(json.loads(sys.argv[1]))
