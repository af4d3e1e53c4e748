"""Feast as feature store: definitions, registry and online values are Feast's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context, Finding
from stackyard.components.feature_store import (
    FeatureStore,
    FeatureView,
    ViewDefinition,
    by_view,
)
from stackyard.errors import ComponentError, InvalidInput, NotFound, suggest
from stackyard.feature_rows import check_rows
from stackyard_feast import objects, online, parts
from stackyard_feast.config import FeastConfig
from stackyard_feast.registry import Registry
from stackyard_feast.views import KnownView, files

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
        """All but ``jobs``; views of an existing repository are defined and filled there."""
        own = ("apply", "write", "teardown") if self.config.repo is None else ()
        return frozenset({"materialize", "online", "by_reference", *own})

    def instead_of(self, capability: str) -> str:
        """Where the views of an existing repository are defined and filled."""
        if self.config.repo is None or capability == "jobs":
            return ""
        return f"The views of repo {self.config.repo!r} are defined there, by: feast apply"

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
        _check_usable(known, asked)
        columns: dict[str, pd.Series[Any]] = {}
        for name, (_, wanted) in asked.items():
            columns |= join(rows, known[name], wanted, timestamp)
        joined = _with_columns(rows, columns, features)
        self.note_features(features, described, joined)
        return joined

    def apply(self, definitions: Sequence[ViewDefinition]) -> Sequence[FeatureView]:
        """Define views; Feast is imported only where a definition is new."""
        self.require("apply")
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
                            for made in objects.made_of(
                                d, self._registry.within(sources[d.name]), kept=not d.source
                            )
                        ]
                    )
                    known = self._registry.refresh(feast)
        return tuple(known[view.name].view for view in definitions)

    def write(self, view: str, rows: pd.DataFrame) -> None:
        """Add rows to a view without ``source``, as one Parquet file; never imports Feast."""
        self.require("write")
        with self._registry.locked():
            found = self._view(view)
            if not found.kept:
                raise InvalidInput(f"view {view!r}: its rows are those of {found.source}")
            parts.write(found.folder, found.definition, rows)

    def materialize(
        self, until: datetime, *, since: datetime | None = None, views: Sequence[str] | None = None
    ) -> Mapping[str, datetime]:
        """Bring the newest values to SQLite: see the contract.

        Rows written late are found, also where they are about a time before the last one.
        """
        end, begin = _aware(until), _aware(since) if since else None
        with self._registry.locked():
            known = self._registry.views()
            wanted = [self._view(name) for name in (known if views is None else views)]
            marks = self._registry.marks
            with self._registry.call("materialize") as feast, online.telling(feast, marks):
                done = online.materialize(feast, marks, wanted, end, begin)
                self._registry.refresh(feast)
        return done

    def online(self, rows: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        """Join the newest materialized values; of timestamps, Feast keeps whole seconds."""
        known = self._registry.views()
        asked = by_view(features, [view.view for view in known.values()])
        check_rows(rows, asked)
        _check_usable(known, asked)
        columns: dict[str, pd.Series[Any]] = {}
        marks = self._registry.marks
        with self._registry.call("online") as feast, online.telling(feast, marks):
            for name, (_, wanted) in asked.items():
                columns |= online.values(feast, rows, known[name], wanted)
        return _with_columns(rows, columns, features)

    def teardown(self) -> None:
        """Remove views, their own rows, and what was materialized."""
        self.require("teardown")
        with self._registry.locked():
            if self._registry.views():
                with self._registry.call("teardown") as feast:
                    feast.teardown()
            self._registry.remove()

    def state(self) -> str | None:
        """A digest of definitions and rows; of files that others write, their sizes and times."""
        known = self._registry.views_without_feast()
        if known is None:
            return None
        import blake3

        try:
            said = [[view.digest, *_state(view)] for view in known.values() if not view.trouble]
        except OSError:  # a file went while it was looked at
            return None
        return blake3.blake3(json.dumps(said).encode()).hexdigest()

    def check(self) -> Sequence[Finding]:
        """Whether the registry can be read, which views it has, and whose files are missing."""
        try:
            known = self._registry.views()
        except ComponentError as exc:
            cure = "stackyard stack show --resolved says where 'path' and 'repo' come from"
            return (Finding(False, str(exc), cure),)
        lost = [view for view in known.values() if view.source and not files(view)]
        where = self._registry.repo or self._registry.folder
        return (
            Finding(True, f"{where}: {', '.join(known) or 'no view'}"),
            *(
                Finding(
                    False, f"view {view.name!r}: there is no file {view.source}", "apply it again"
                )
                for view in lost
            ),
        )

    def _view(self, name: str) -> KnownView:
        known = self._registry.views()
        if name not in known:
            have = ", ".join(known) or "none"
            raise NotFound(
                f"there is no view {name!r}. Views: {have}.{suggest(name, tuple(known))}"
            )
        return known[name]

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


def _state(view: KnownView) -> list[str]:
    """What the rows are; of the store's own rows the same on every machine."""
    return [parts.digest_of(Path(n)) for n in files(view)] if view.kept else files(view)


def _check_usable(known: Mapping[str, KnownView], names: Iterable[str]) -> None:
    for name in names:
        if known[name].trouble:
            raise InvalidInput(f"view {name!r} cannot be joined: {known[name].trouble}")


def _same(definition: ViewDefinition, known: KnownView | None, source: str) -> bool:
    return known is not None and (known.digest, known.source) == (definition.digest, source)


def _with_columns(
    rows: pd.DataFrame, columns: Mapping[str, pd.Series[Any]], features: Sequence[str]
) -> pd.DataFrame:
    """``rows`` with the columns in the order in which they were asked for."""
    return rows.assign(**{name: columns[name] for name in (f.partition(":")[2] for f in features)})


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
