"""Feast as feature store: definitions, registry and online values are Feast's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.feature_store import (
    FeatureStore,
    FeatureView,
    ViewDefinition,
    by_view,
)
from stackyard.errors import InvalidInput, NotFound, suggest
from stackyard.feature_rows import check_rows
from stackyard_feast import objects, parts
from stackyard_feast.config import FeastConfig
from stackyard_feast.registry import Registry
from stackyard_feast.views import KnownView

if TYPE_CHECKING:
    import pandas as pd


class FeastFeatureStore(FeatureStore):
    """Feast with DuckDB offline and SQLite online, in the project, or an existing repository."""

    config: FeastConfig

    def __init__(self, config: FeastConfig, context: Context) -> None:
        super().__init__(config, context)
        self._registry = Registry(config, context)

    @property
    def capabilities(self) -> frozenset[str]:
        """What there is besides ``describe`` and ``historical``."""
        return frozenset({"apply", "write"})

    def describe(self) -> Sequence[FeatureView]:
        """The views there are, by name; imports Feast only after others changed the registry."""
        return tuple(view.view for view in self._registry.views().values())

    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join features as they were known: see the contract.

        Times count to the nanosecond. A column's dtype follows the feature's type alone: ``Int64``,
        ``float64``, ``boolean``, text, ``datetime64[us, UTC]``.
        """
        from stackyard_feast.join import join

        known = self._registry.views()
        described = [view.view for view in known.values()]
        asked = by_view(features, described)
        check_rows(rows, asked, timestamp)
        columns: dict[str, pd.Series[Any]] = {}
        for name, (_, wanted) in asked.items():
            if known[name].trouble:
                raise InvalidInput(f"view {name!r} cannot be joined: {known[name].trouble}")
            columns |= join(rows, known[name], wanted, timestamp)
        joined = rows.copy()
        for feature in (text.partition(":")[2] for text in features):
            joined[feature] = columns[feature]
        self.note_features(features, described)
        return joined

    def apply(self, definitions: Sequence[ViewDefinition]) -> Sequence[FeatureView]:
        """Define views; Feast is imported only where a definition is new."""
        self._own("apply")
        with self._registry.locked():
            known = self._registry.views()
            objects.check(definitions, known)
            sources = {view.name: self._source(view) for view in definitions}
            new = [d for d in definitions if not _same(d, known.get(d.name), sources[d.name])]
            if new:
                for definition in new:
                    if not definition.source:
                        before = known.get(definition.name)
                        folder = before.folder if before is not None and before.kept else None
                        parts.begin(Path(sources[definition.name]).parent, definition, folder)
                with self._registry.call("apply") as feast:
                    feast.apply(
                        [
                            made
                            for d in new
                            for made in objects.made_of(d, sources[d.name], kept=not d.source)
                        ]
                    )
                    known = self._registry.refresh(feast)
        return tuple(known[view.name].view for view in definitions)

    def write(self, view: str, rows: pd.DataFrame) -> None:
        """Add rows to a view without ``source``, as one Parquet file; never imports Feast."""
        self._own("write")
        with self._registry.locked():
            found = self._view(view)
            if not found.kept:
                raise InvalidInput(f"view {view!r}: its rows are those of {found.source}")
            parts.write(found.folder, found.definition, rows)

    def _view(self, name: str) -> KnownView:
        known = self._registry.views()
        if name not in known:
            have = ", ".join(known) or "none"
            raise NotFound(
                f"there is no view {name!r}. Views: {have}.{suggest(name, tuple(known))}"
            )
        return known[name]

    def _own(self, what: str) -> None:
        if self._registry.repo is not None:
            raise InvalidInput(
                f"{self.context.name}: cannot {what}: the views are those of the Feast "
                f"repository {self._registry.repo}. Define them there"
            )

    def _source(self, view: ViewDefinition) -> str:
        """The file or pattern of files that a view's rows are in."""
        if not view.source:
            columns = ViewDefinition(view.name, view.entity, view.features, view.timestamp).digest
            return str(self._registry.folder / "rows" / view.name / columns[:16] / parts.PATTERN)
        path = self.context.project.resolve() / view.source
        if path.is_dir():
            return str(path / parts.PATTERN)
        if not path.is_file():
            raise InvalidInput(f"view {view.name!r}: source: there is no file or folder {path}")
        return str(path)


def _same(definition: ViewDefinition, known: KnownView | None, source: str) -> bool:
    return known is not None and (known.digest, known.source) == (definition.digest, source)
