"""The part of a feature store's contract that is about jobs, which outlive the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.claims import RunClaims
from stackyard.components.base import Claims, Context
from stackyard.components.feature_store import FeatureJob, FeatureStore
from stackyard.errors import InvalidInput, NotFound
from stackyard.store.store import open_store
from stackyard.testing.feature_store_joins import JoinContract
from stackyard.testing.in_stack import made_of
from stackyard.testing.manners import until
from stackyard.testing.processes import WAIT
from stackyard.testing.weather import WEATHER, plain, questions, weather

FEATURES = ["weather:temp"]
MOMENTS = ("before the claim", "after the claim", "after submitting")


class JobContract(JoinContract):
    """Inherited by ``FeatureStoreContract``."""

    def submitted(self, store: FeatureStore) -> int:
        """How many jobs the backend was ever given; for stores with ``jobs``."""
        raise NotImplementedError(f"{type(self).__name__}: override 'submitted'")

    def test_29_a_job_is_found_again(
        self, store: FeatureStore, context: Context, tmp_path: Path
    ) -> None:
        """A step that is tried again gets the job that is under way; for another, another."""
        able(store, "jobs")
        rows, target = self._asked(context, tmp_path)
        within = replace(context, claims=claims_in(tmp_path, context))
        jobs = [submit(self.connect(within), rows, target) for _ in range(2)]
        assert jobs[0].id == jobs[1].id
        assert ended(store, jobs[0].id).status == "succeeded"
        assert plain(pd.read_parquet(target)["temp"]) == [2.0]
        other = submit(self.connect(within), rows, tmp_path / "other.parquet")
        assert other.id != jobs[0].id
        assert ended(store, other.id).status == "succeeded"
        assert self.submitted(store) == 2

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_30_a_job_outlives_its_worker(
        self,
        stated: Mapping[str, Any],
        store: FeatureStore,
        context: Context,
        tmp_path: Path,
        moment: str,
    ) -> None:
        """Whenever the worker is killed: the step that is tried again gets the one job."""
        able(store, "jobs")
        rows, target = self._asked(context, tmp_path)
        folders = {n: str(getattr(context, n)) for n in ("project", "cache_dir", "state_dir")}
        said = {
            "settings": dict(stated), "rows": str(rows), "target": str(target), "moment": moment,
            "context": {**folders, "name": context.name, "run": context.run, "step": context.step},
            "claims": str(tmp_path),
        }  # fmt: skip
        killed = subprocess.run(
            [sys.executable, "-m", __name__, json.dumps(said)],
            capture_output=True, text=True, timeout=WAIT, check=False, start_new_session=True,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        within = replace(context, claims=claims_in(tmp_path, context))
        job = submit(self.connect(within), rows, target)
        assert killed.stdout in ("", job.id)
        assert ended(store, job.id).status == "succeeded"
        assert plain(pd.read_parquet(target)["temp"]) == [2.0]
        assert self.submitted(store) == 1

    def test_31_a_job_stays_as_it_ended(
        self, store: FeatureStore, context: Context, tmp_path: Path
    ) -> None:
        """Cancelled, done or failed, which says why; an unknown one is NotFound."""
        able(store, "jobs")
        rows, target = self._asked(context, tmp_path)
        first = submit(store, rows, target)
        store.cancel(first.id)
        job = ended(store, first.id)
        assert job.status in ("cancelled", "succeeded")
        assert store.cancel(first.id) == job == store.poll(first.id)
        questions(["LGA"], [3]).drop(columns="origin").to_parquet(rows)
        try:
            failed = ended(store, submit(store, rows, tmp_path / "failed.parquet").id)
        except InvalidInput as exc:
            assert "origin" in str(exc)
        else:
            assert failed.status == "failed" and "origin" in failed.error
        for odd in ("no such job", "", "../jobs", "a\nb", "j" * 300):
            for look in (store.poll, store.cancel):
                with pytest.raises(NotFound):
                    look(odd)

    def _asked(self, context: Context, folder: Path) -> tuple[Path, Path]:
        self.given(context, WEATHER, weather())
        questions(["LGA"], [3]).to_parquet(folder / "rows.parquet")
        return folder / "rows.parquet", folder / "joined.parquet"


def able(store: FeatureStore, capability: str) -> None:
    """Skip the test where the store cannot do what it is about."""
    if capability not in store.capabilities:
        pytest.skip(f"this store cannot {capability}")


def claims_in(folder: Path, context: Context) -> RunClaims:
    """The claims of the context's run, in a store of the test's own."""
    assert context.run is not None
    return RunClaims(open_store(folder / "claims").records, context.run)


def submit(store: FeatureStore, rows: Path, target: Path) -> FeatureJob:
    """Ask for the job."""
    return store.submit(rows, FEATURES, timestamp="at", target=target)


def ended(store: FeatureStore, job: str) -> FeatureJob:
    """The job once it is no longer running."""

    def look() -> FeatureJob | None:
        found = store.poll(job)
        return None if found.status == "running" else found

    found = until(look)
    assert found is not None
    return found


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


def _work(arguments: Sequence[str]) -> None:
    given = json.loads(arguments[0])
    fields: dict[str, Any] = dict(given["context"])
    for name in ("project", "cache_dir", "state_dir"):
        fields[name] = Path(fields[name])
    context = Context(**fields)
    claims = _Dying(claims_in(Path(given["claims"]), context), given["moment"])
    store = made_of("feature_store", given["settings"], replace(context, claims=claims))
    assert isinstance(store, FeatureStore)
    job = submit(store, Path(given["rows"]), Path(given["target"]))
    print(job.id, end="")
    _die()


if __name__ == "__main__":
    _work(sys.argv[1:])
