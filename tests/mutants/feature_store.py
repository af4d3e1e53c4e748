"""Broken feature stores, and a sound one whose jobs are processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from acme_tools.feature_store import AcmeFeatureStore, AcmeFeatureStoreConfig

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureJob
from stackyard.errors import ComponentError, NotFound


class SortsRows(AcmeFeatureStore):
    """The answer is in the order of time."""

    caught_by = "test_02_every_row_stays"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        return super().historical(rows, features, timestamp=timestamp).sort_values(timestamp)


class LosesTheUnknown(AcmeFeatureStore):
    """An inner join."""

    caught_by = "test_03_null_where_nothing_is_known"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        joined = super().historical(rows, features, timestamp=timestamp)
        return joined.dropna(subset=[text.partition(":")[2] for text in features])


class LooksAhead(AcmeFeatureStore):
    """Moments are rounded up to microseconds."""

    caught_by = "test_04_nothing_from_the_future"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        late = rows.assign(**{timestamp: rows[timestamp].dt.ceil("us")})
        return super().historical(late, features, timestamp=timestamp)


class RoundsBack(AcmeFeatureStore):
    """Times of rows are cut to microseconds."""

    caught_by = "test_05_a_moment_between_is_not_rounded_back"

    def write(self, view: str, rows: Any) -> None:
        super().write(view, rows.assign(time=rows["time"].dt.floor("us")))


class NeverForgets(AcmeFeatureStore):
    """The ttl is described, and does not count."""

    caught_by = "test_06_old_values_do_not_count"

    def describe(self) -> Any:
        return tuple(view.view for view in super()._views().values())

    def _views(self) -> Any:
        return {name: replace(view, ttl=None) for name, view in super()._views().items()}


class LeavesNullsOut(AcmeFeatureStore):
    """The newest value that is known counts, not the newest row."""

    caught_by = "test_07_the_newest_row_counts"

    def _read(self, view: Any) -> Any:
        return super()._read(view).dropna()


class IsWhereItsAuthorIs(AcmeFeatureStore):
    """A moment without time zone is local."""

    caught_by = "test_09_time_zones"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        if getattr(rows[timestamp].dtype, "tz", None) is None:
            rows = rows.assign(**{timestamp: rows[timestamp].dt.tz_localize("America/New_York")})
        return super().historical(rows, features, timestamp=timestamp)


class CountsInFloats(AcmeFeatureStore):
    """Whole numbers beside nulls are floats."""

    caught_by = "test_10_types_come_back"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        joined = super().historical(rows, features, timestamp=timestamp)
        return joined.astype({c: "float64" for c in joined if str(joined[c].dtype) == "Int64"})


class KnowsEverything(AcmeFeatureStore):
    """A feature that is not there is null."""

    caught_by = "test_13_what_is_not_there"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        try:
            return super().historical(rows, features, timestamp=timestamp)
        except NotFound:
            return rows.assign(**{text.partition(":")[2]: None for text in features})


class TidiesText(AcmeFeatureStore):
    """Blanks around a text are taken away."""

    caught_by = "test_16_any_text_is_an_entity_and_a_value"

    def write(self, view: str, rows: Any) -> None:
        super().write(view, rows.assign(origin=rows["origin"].str.strip()))


class HasColumnsOfItsOwn(AcmeFeatureStore):
    """The index is kept in a column, which a feature may be called like."""

    caught_by = "test_17_columns_of_any_name"

    def historical(self, rows: Any, features: Any, *, timestamp: str) -> Any:
        numbered = rows.reset_index()
        joined = super().historical(numbered, features, timestamp=timestamp)
        return joined.set_index("index")


class NotesNothing(AcmeFeatureStore):
    """The record does not say which features there were."""

    caught_by = "test_18_what_was_joined_is_noted"

    def note(self, entry: Any) -> None:
        pass


class TellsOfRowsOnly(AcmeFeatureStore):
    """A view that is defined anew leaves the state as it is."""

    caught_by = "test_19_state_tells_of_changes"

    def state(self) -> str:
        return json.dumps(json.loads(super().state())[1])


class DefinesHalf(AcmeFeatureStore):
    """What stands before the wrong definition is defined."""

    caught_by = "test_21_a_definition_that_cannot_be"

    def apply(self, definitions: Any) -> Any:
        return [view for one in definitions for view in super(DefinesHalf, self).apply([one])]


class KeepsTheFirst(AcmeFeatureStore):
    """What is written again does not count."""

    caught_by = "test_22_writing"

    def _read(self, view: Any) -> Any:
        import pandas as pd

        files = sorted((self._home / view.name).glob("*.parquet"))
        parts = [pd.read_parquet(file) for file in files] or [super()._read(view)]
        key = [*view.entity, view.timestamp]
        return pd.concat(parts).drop_duplicates(key, keep="first").sort_values(key)


class TakesAnything(AcmeFeatureStore):
    """A row without an entity is one of the entity ''."""

    caught_by = "test_23_rows_that_do_not_fit"

    def write(self, view: str, rows: Any) -> None:
        super().write(view, rows.assign(origin=rows["origin"].fillna("")))


class PromisesToBeOnline(AcmeFeatureStore):
    """What it cannot does nothing."""

    caught_by = "test_32_what_it_cannot_is_said"

    def online(self, rows: Any, features: Any) -> Any:
        return rows


class ImportsAtOnce(AcmeFeatureStore):
    """Making it imports what it joins with."""

    caught_by = "test_c05_the_tool_is_imported_when_it_is_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        import pandas as pd

        self._pandas = pd


class KeepsOneList(AcmeFeatureStore):
    """It reads the list of views, thinks, and writes all of it."""

    caught_by = "test_c09_two_processes_at_once"

    def apply(self, definitions: Any) -> Any:
        views = self._views() | {view.name: view for view in definitions}
        time.sleep(0.5)
        self._home.mkdir(parents=True, exist_ok=True)
        for view in views.values():
            (self._home / view.name).mkdir(exist_ok=True)
        text = json.dumps([view.plain() for view in views.values()])
        (self._home / "views.json").write_text(text, encoding="utf-8")
        return tuple(view.view for view in definitions)

    def _views(self) -> Any:
        from stackyard import ViewDefinition

        file = self._home / "views.json"
        listed = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
        return {one["name"]: ViewDefinition.of(one) for one in listed}


class WithJobs(AcmeFeatureStore):
    """Sound: a job is a process, which begins once however often it is asked for."""

    caught_by = None

    def submitted(self, store: Any) -> int:
        return len((store._home / "submitted.log").read_text(encoding="utf-8").splitlines())

    tested_with: ClassVar = {"submitted": submitted, "only": ("test_29", "test_30", "test_31")}

    @property
    def capabilities(self) -> frozenset[str]:
        return super().capabilities | {"by_reference", "jobs"}

    def submit(self, rows: Path, features: Any, *, timestamp: str, target: Path) -> FeatureJob:
        job = self.job_id(rows, features, timestamp=timestamp, target=target)
        return self._begin(job, [str(rows), list(features), timestamp, str(target)])

    def poll(self, job: str) -> FeatureJob:
        if not self._jobs.is_dir() or job not in os.listdir(self._jobs):
            raise NotFound(f"there is no job {job!r}")
        try:
            text = (self._jobs / job / "ended.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return FeatureJob(job, "running")
        return FeatureJob(job, **json.loads(text))

    def cancel(self, job: str) -> FeatureJob:
        self.poll(job)
        self._end(job, "cancelled")
        return self.poll(job)

    @property
    def _jobs(self) -> Path:
        return self._home / "jobs"

    def _begin(self, job: str, asked: list[Any]) -> FeatureJob:
        try:
            (self._jobs / job).mkdir(parents=True)
        except FileExistsError:
            return self.poll(job)
        with (self._home / "submitted.log").open("a", encoding="utf-8") as log:
            log.write(f"{job}\n")
        self._start(job, asked)
        return FeatureJob(job, "running")

    def _start(self, job: str, asked: list[Any]) -> None:
        said = json.dumps([str(self.context.project), self.config.folder, job, asked])
        code = "import sys, mutants; mutants.work(sys.argv[1])"
        subprocess.Popen([sys.executable, "-c", code, said], start_new_session=True)

    def _end(self, job: str, status: str, error: str = "") -> None:
        mine = self._jobs / job / f"{os.getpid()}.{threading.get_ident()}.tmp"
        mine.write_text(json.dumps({"status": status, "error": error}), encoding="utf-8")
        with contextlib.suppress(FileExistsError):  # the first end stays
            os.link(mine, self._jobs / job / "ended.json")


def work(said: str) -> None:
    """What the process of a job does."""
    project, folder, job, (rows, features, timestamp, target) = json.loads(said)
    store = WithJobs(AcmeFeatureStoreConfig(folder), Context(project=Path(project)))
    try:
        store.historical_by_reference(
            Path(rows), features, timestamp=timestamp, target=Path(target)
        )
    except ComponentError as exc:
        store._end(job, "failed", str(exc))
    else:
        store._end(job, "succeeded")


class AsksAnew(WithJobs):
    """Every try is a job of its own."""

    caught_by = "test_29_a_job_is_found_again"

    def job_id(self, *asked: Any, **more: Any) -> str:
        return f"{time.time_ns()}"


class ClaimsAfterwards(WithJobs):
    """The id is claimed once the job is under way."""

    caught_by = "test_30_a_job_outlives_its_worker[before the claim]"

    def submit(self, rows: Path, features: Any, *, timestamp: str, target: Path) -> FeatureJob:
        asked = [str(rows), list(features), timestamp, str(target)]
        begun = self._begin(f"{time.time_ns()}", asked)
        claims = self.context.claims
        return begun if claims is None else self.poll(claims.claim("features", begun.id))


class TrustsTheClaim(WithJobs):
    """An id that is claimed is taken for a job that is under way."""

    caught_by = "test_30_a_job_outlives_its_worker[after the claim]"

    def submit(self, rows: Path, features: Any, *, timestamp: str, target: Path) -> FeatureJob:
        mine, claims = f"{time.time_ns()}", self.context.claims
        job = mine if claims is None else claims.claim("features", mine)
        asked = [str(rows), list(features), timestamp, str(target)]
        return self._begin(job, asked) if job == mine else self.poll(job)


class DiesWithItsWorker(WithJobs):
    """A job is a thread, which nobody else can look after."""

    caught_by = "test_30_a_job_outlives_its_worker[after submitting]"
    _own: frozenset[str] = frozenset()

    def _start(self, job: str, asked: list[Any]) -> None:
        said = json.dumps([str(self.context.project), self.config.folder, job, asked])
        self._own |= {job}
        threading.Thread(target=work, args=(said,), daemon=True).start()

    def poll(self, job: str) -> FeatureJob:
        if job not in self._own:
            raise NotFound(f"there is no job {job!r}")
        return super().poll(job)


class ForgetsWhatEnded(WithJobs):
    """A job that was cancelled is gone."""

    caught_by = "test_31_a_job_stays_as_it_ended"

    def poll(self, job: str) -> FeatureJob:
        found = super().poll(job)
        if found.status == "cancelled":
            raise NotFound(f"there is no job {job!r}")
        return found
