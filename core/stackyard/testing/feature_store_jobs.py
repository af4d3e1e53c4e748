"""The part of a feature store's contract that is about jobs, which outlive the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureJob, FeatureStore
from stackyard.errors import InvalidInput, NotFound
from stackyard.testing import job_worker
from stackyard.testing.feature_store_joins import JoinContract
from stackyard.testing.in_stack import facts_of
from stackyard.testing.job_worker import MOMENTS, claims_in, submit
from stackyard.testing.manners import needs, until
from stackyard.testing.processes import WAIT
from stackyard.testing.weather import WEATHER, plain, questions, weather


class JobContract(JoinContract):
    """Inherited by ``FeatureStoreContract``."""

    def submitted(self, store: FeatureStore) -> int:
        """How many jobs the backend was ever given; for stores with ``jobs``."""
        raise NotImplementedError(f"{type(self).__name__}: override 'submitted'")

    def test_29_a_job_is_found_again(
        self, store: FeatureStore, context: Context, tmp_path: Path
    ) -> None:
        """A step that is tried again gets the job that is under way; for another, another."""
        needs(store, "jobs")
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
        needs(store, "jobs")
        rows, target = self._asked(context, tmp_path)
        said = {
            "settings": dict(stated), "rows": str(rows), "target": str(target), "moment": moment,
            "context": facts_of(context), "claims": str(tmp_path),
        }  # fmt: skip
        killed = subprocess.run(
            [sys.executable, "-m", job_worker.__name__, json.dumps(said)],
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
        needs(store, "jobs")
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


def ended(store: FeatureStore, job: str) -> FeatureJob:
    """The job once it is no longer running."""

    def look() -> FeatureJob | None:
        found = store.poll(job)
        return None if found.status == "running" else found

    found = until(look)
    assert found is not None
    return found
