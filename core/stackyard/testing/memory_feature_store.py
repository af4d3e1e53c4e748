"""A feature store in memory, whole: for tests of steps, and as the smallest implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.feature_store import (
    FeatureJob,
    FeatureStore,
    FeatureView,
    ViewDefinition,
    by_view,
)
from stackyard.errors import InvalidInput, NotFound
from stackyard.feature_rows import check_rows, newest, to_write

if TYPE_CHECKING:
    import pandas as pd


class MemoryFeatureStore(FeatureStore):
    """Joins frames: ``MemoryFeatureStore(views={"weather": frame}, entities={"weather": [...]})``.

    A frame has the entity's columns, ``timestamp`` and the features. Or define views with
    ``apply`` and fill them with ``write``.
    """

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        views: Mapping[str, pd.DataFrame] | None = None,
        entities: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(config, context or Context(name="feature_store"))
        self._views: dict[str, ViewDefinition] = {}
        self._rows: dict[str, pd.DataFrame] = {}
        self._until: dict[str, pd.Timestamp] = {}
        self._jobs: dict[str, FeatureJob] = {}
        for name, frame in (views or {}).items():
            self.apply([_guessed(name, frame, (entities or {}).get(name, ()))])
            self.write(name, frame)

    def of(self, context: Context) -> MemoryFeatureStore:
        """The same store, as another step or run sees it."""
        other = MemoryFeatureStore(self.config, context)
        other._views, other._rows = self._views, self._rows
        other._until, other._jobs = self._until, self._jobs
        return other

    @property
    def capabilities(self) -> frozenset[str]:
        """All."""
        return frozenset(
            {"apply", "write", "materialize", "online", "teardown", "by_reference", "jobs"}
        )

    def describe(self) -> Sequence[FeatureView]:
        """The views there are."""
        return tuple(self._views[name].view for name in sorted(self._views))

    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join the newest row at or before each moment."""
        asked = by_view(features, self.describe())
        check_rows(rows, asked, timestamp)
        joined = rows.copy()
        for name, (_, wanted) in asked.items():
            known, view = self._rows[name], self._views[name]
            joined = joined.assign(**newest(rows, known, view, wanted, timestamp))
        self.note_features(features, self.describe(), joined)
        return joined[[*rows.columns, *(text.partition(":")[2] for text in features)]]

    def apply(self, definitions: Sequence[ViewDefinition]) -> Sequence[FeatureView]:
        """Define views; rows that are there keep the columns that they had."""
        import pandas as pd

        for view in definitions:
            if view.source:
                raise InvalidInput(f"view {view.name!r}: source: rows are in memory; leave it out")
        for view in definitions:
            empty: dict[str, list[Any]] = {column: [] for column in (*view.entity, *view.features)}
            times = pd.DatetimeIndex([], tz="UTC")
            fresh = to_write(pd.DataFrame({**empty, view.timestamp: times}), view)
            before = self._rows.get(view.name)
            self._rows[view.name] = (
                fresh if before is None else before.reindex(columns=fresh.columns)
            )
            self._views[view.name] = view
        return tuple(view.view for view in definitions)

    def write(self, view: str, rows: pd.DataFrame) -> None:
        """Add rows; of two for one entity and time the one that came later stays."""
        import pandas as pd

        if view not in self._views:
            raise NotFound(f"there is no view {view!r}. Views: {', '.join(self._views) or 'none'}")
        defined = self._views[view]
        there, new = self._rows[view], to_write(rows, defined)
        both = pd.concat([there, new], ignore_index=True) if len(there) else new
        key = [*defined.entity, defined.timestamp]
        self._rows[view] = both.drop_duplicates(key, keep="last", ignore_index=True)

    def materialize(
        self, until: datetime, *, since: datetime | None = None, views: Sequence[str] | None = None
    ) -> Mapping[str, datetime]:
        """Let ``online`` see values up to ``until``."""
        import pandas as pd

        moment = pd.Timestamp(until)
        moment = moment.tz_localize("UTC") if moment.tz is None else moment
        wanted = list(self._views if views is None else views)
        for name in wanted:
            if name not in self._views:
                raise NotFound(f"there is no view {name!r}. Views: {', '.join(self._views)}")
            self._until[name] = max(moment, self._until.get(name, moment))
        return {name: self._until[name].to_pydatetime() for name in wanted}

    def online(self, rows: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        """Join the newest values that were materialized."""
        asked = by_view(features, self.describe())
        check_rows(rows, asked)
        joined = rows.copy()
        for name, (_, wanted) in asked.items():
            known, view, until = self._rows[name], self._views[name], self._until.get(name)
            there = known[known[view.timestamp] <= until] if until else known.iloc[:0]
            joined = joined.assign(**newest(rows, there, view, wanted))
        return joined[[*rows.columns, *(text.partition(":")[2] for text in features)]]

    def teardown(self) -> None:
        """Forget everything."""
        for kept in (self._views, self._rows, self._until):
            kept.clear()

    def submit(
        self, rows: Path, features: Sequence[str], *, timestamp: str, target: Path
    ) -> FeatureJob:
        """Do it at once; a step that asks again gets the same job."""
        job = self.job_id(rows, features, timestamp=timestamp, target=target)
        if job not in self._jobs:
            self.historical_by_reference(rows, features, timestamp=timestamp, target=target)
            self._jobs[job] = FeatureJob(job, "succeeded")
        return self._jobs[job]

    def poll(self, job: str) -> FeatureJob:
        """How it ended."""
        if job not in self._jobs:
            raise NotFound(f"there is no job {job!r}. Jobs: {', '.join(self._jobs) or 'none'}")
        return self._jobs[job]

    def cancel(self, job: str) -> FeatureJob:
        """It has ended already."""
        return self.poll(job)


def _guessed(name: str, frame: pd.DataFrame, entity: Sequence[str]) -> ViewDefinition:
    """A definition for a frame that was given without one."""
    from pandas.api.types import infer_dtype

    kinds: dict[str, Any] = {
        "integer": "int64", "floating": "float64", "boolean": "bool", "string": "string",
        "categorical": "string", "datetime64": "timestamp", "datetime": "timestamp",
    }  # fmt: skip
    types = {
        str(column): kinds.get(infer_dtype(frame[column], skipna=True), "string")
        for column in frame
        if column != "timestamp"
    }
    return ViewDefinition(
        name,
        {column: types[column] for column in entity},
        {column: kind for column, kind in types.items() if column not in entity},
        "timestamp",
    )
