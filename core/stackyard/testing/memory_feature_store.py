"""A feature store in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.feature_store import FeatureStore, FeatureView
from stackyard.errors import NotFound

if TYPE_CHECKING:
    import pandas as pd


class MemoryFeatureStore(FeatureStore):
    """Joins frames that were given: ``MemoryFeatureStore(views={"weather": frame})``.

    A frame has the entity's columns, ``timestamp`` and the features. ``entities`` names the
    entity's columns of each view.
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
        self._views = dict(views or {})
        self._entities = {name: tuple(columns) for name, columns in (entities or {}).items()}

    def describe(self) -> Sequence[FeatureView]:
        """The views there are."""
        return tuple(self._view(name) for name in self._views)

    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join the newest row at or before each row's ``timestamp``; keeps rows and order."""
        import pandas as pd

        joined = rows.copy()
        order = rows[timestamp].sort_values(kind="stable").index
        for name in dict.fromkeys(f.partition(":")[0] for f in features):
            view = self._view(name)
            columns = [f.partition(":")[2] for f in features if f.startswith(f"{name}:")]
            unknown = sorted(set(columns) - set(view.features))
            if unknown:
                have = ", ".join(view.features)
                raise NotFound(f"view {name!r} has no feature {unknown[0]!r}. Features: {have}")
            keys = list(view.entity)
            found = pd.merge_asof(
                rows.loc[order, [*keys, timestamp]],
                self._views[name].sort_values("timestamp")[[*keys, "timestamp", *columns]],
                left_on=timestamp,
                right_on="timestamp",
                by=keys,
            )
            found.index = order
            for column in columns:
                joined[column] = found[column].reindex(rows.index)
        return joined

    def _view(self, name: str) -> FeatureView:
        if name not in self._views:
            have = ", ".join(self._views) or "none"
            raise NotFound(f"there is no feature view {name!r}. Views: {have}")
        entity = self._entities.get(name, ())
        columns = [str(c) for c in self._views[name].columns]
        features = tuple(c for c in columns if c != "timestamp" and c not in entity)
        return FeatureView(name, entity, features)
