"""What earlier runs know of a run's steps: the runs that it continues, and the cache."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from stackyard.errors import ArtifactNotFound, StoreError, UsageError
from stackyard.graph import Graph, Step
from stackyard.store import cachekey
from stackyard.store.backend import artifact_key
from stackyard.store.records import AttemptRecord, RunRecord

if TYPE_CHECKING:
    from stackyard.store.run_records import Records

Latest = dict[str, AttemptRecord]


class Earlier:
    """The attempts of earlier runs, read when they are first asked for."""

    def __init__(self, run: RunRecord, records: Records) -> None:
        self._run = run
        self._records = records
        self._latest: dict[str, Latest] = {}
        self._there: set[str] = set()  # digests that the store was seen to have
        self.gone: set[str] = set()  # steps whose results are known, but not in the store

    def known(self, step: Step, key: str) -> tuple[AttemptRecord, str] | None:
        """Return an attempt whose result stands for ``step`` under ``key``, and why it may."""
        if step.name == self._run.only:
            return None
        for attempts in self.lineage:
            done = attempts.get(step.name)
            if done is None or not done.finished or done.key != key:
                continue
            if self._whole(step.name, done):
                return done, f"finished in run {done.run_id}, which this one resumes"
        if not self._run.cache or not cachekey.reusable(step):
            return None
        hit = self._records.cache_get(key, cachekey.max_age(step))
        if hit is None or not self._whole(step.name, hit):
            return None
        return hit, f"nothing it depends on changed since run {hit.run_id}"

    def _whole(self, step: str, attempt: AttemptRecord) -> bool:
        """Whether the store still has what an attempt made: somebody may have deleted files."""
        for digest in (*(ref.digest for ref in attempt.outputs.values()), *attempt.kept):
            if digest in self._there:
                continue
            if not self._records.backend.exists(artifact_key(digest)):
                self.gone.add(step)
                return False
            self._there.add(digest)
        return True

    @cached_property
    def first(self) -> str:
        """The run that the chain of resumed runs began with; this one, if it resumes none."""
        run, seen = self._run, {self._run.run_id}
        while run.resume is not None and run.resume not in seen:
            seen.add(run.resume)
            run = self._records.run(run.resume)
        return run.run_id

    @cached_property
    def lineage(self) -> list[Latest]:
        """Latest attempts of the runs that this one continues, nearest first."""
        found = []
        seen, resumed = {self._run.run_id}, self._run.resume
        while resumed is not None and resumed not in seen:
            seen.add(resumed)
            found.append(self._read(resumed))
            resumed = self._records.run(resumed).resume
        return found

    def for_only(self, graph: Graph, only: str) -> Latest:
        """The results that stand for the other steps where the run is of one step alone.

        Raises:
            UsageError: there is none of a step that it reads.
        """
        found: Latest = {}
        for attempts in reversed(self.lineage):
            found.update({n: a for n, a in attempts.items() if a.status != "failed"})
        for before in graph.step(only).upstream:
            if before not in found:
                raise UsageError(
                    f"--only {only}: the last run has no result of {before!r}, which it reads. "
                    f"Run the whole pipeline first: stackyard run {graph.name}"
                )
        return found

    def previous(self, step: str) -> AttemptRecord | None:
        """The step's newest successful attempt in the last five runs of the same pipeline."""
        for run_id in self._before:
            try:
                attempt = self._read(run_id).get(step)
            except StoreError:  # a damaged record: this only tells people why a step runs
                continue
            if attempt is not None and attempt.finished:
                return attempt
        return None

    def took(self, step: str) -> float:
        """Seconds that the step took when its result was last made, 0 where that is not known."""
        before = self.previous(step)
        if before is not None and before.reused is not None:
            made = before.reused
            try:
                before = self._records.read_attempt(made.run_id, made.step, made.attempt)
            except ArtifactNotFound:
                return 0.0
        return before.seconds if before is not None else 0.0

    @cached_property
    def _before(self) -> list[str]:
        runs = self._records.run_ids(self._run.pipeline)
        return [run_id for run_id in runs if run_id != self._run.run_id][:5]

    def _read(self, run_id: str) -> Latest:
        if run_id not in self._latest:
            self._latest[run_id] = self._records.latest(run_id)
        return self._latest[run_id]
