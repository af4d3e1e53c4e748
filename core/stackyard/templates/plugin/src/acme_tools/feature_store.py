"""The feature store. Here a view is a folder: put your tool's client in its place.

What a feature store must keep is numbered in Stackyard's docs/reference/feature-store.md.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard import FeatureStore, ViewDefinition
from stackyard.components.feature_store import FeatureView, by_view
from stackyard.errors import InvalidInput, NotFound, suggest
from stackyard.feature_rows import check_rows, newest, to_write

if TYPE_CHECKING:
    import pandas as pd  # a stack is checked without it: import your tool where it is used


@dataclass(frozen=True)
class AcmeFeatureStoreConfig:
    """What a stack may say.

    Attributes:
        folder: Where views and rows are kept; a relative path counts from the project.
    """

    folder: str = ".stackyard/acme-features"


class AcmeFeatureStore(FeatureStore):
    """A view is a folder with its definition, and a Parquet file for each time it was written.

    No file is ever changed, and each appears whole: so several processes may write at once.
    """

    config: AcmeFeatureStoreConfig

    @property
    def capabilities(self) -> frozenset[str]:
        """What the store has beside ``describe`` and ``historical``."""
        return frozenset({"apply", "write"})

    def describe(self) -> Sequence[FeatureView]:
        """The views there are, by name."""
        return tuple(view.view for view in self._views().values())

    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join the newest row at or before each moment.

        A tool that joins itself is asked here in the place of ``newest``.
        """
        views = self._views()
        asked = by_view(features, self.describe())
        check_rows(rows, asked, timestamp)
        joined = rows.copy()
        for name, (_, wanted) in asked.items():
            known = self._read(views[name])
            joined = joined.assign(**newest(rows, known, views[name], wanted, timestamp))
        self.note_features(features, self.describe(), joined)
        return joined[[*rows.columns, *(text.partition(":")[2] for text in features)]]

    def state(self) -> str:
        """Definitions, and names of the files with rows: neither is ever changed in its place."""
        files = sorted(path.name for path in self._home.glob("*/*.parquet"))
        return json.dumps([[view.digest for view in self._views().values()], files])

    def apply(self, definitions: Sequence[ViewDefinition]) -> Sequence[FeatureView]:
        """Write each definition to a file of its own."""
        for view in definitions:
            if view.source:
                raise InvalidInput(f"view {view.name!r}: source: rows are kept here; leave it out")
        for view in definitions:
            folder = self._home / view.name
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"{uuid.uuid4().hex}.tmp"
            temporary.write_text(json.dumps(view.plain()), encoding="utf-8")
            os.replace(temporary, folder / "view.json")
        return tuple(view.view for view in definitions)

    def write(self, view: str, rows: pd.DataFrame) -> None:
        """Add rows as a file, unless they are there."""
        import pandas as pd

        views = self._views()
        if view not in views:
            have = f"Views: {', '.join(views) or 'none'}.{suggest(view, list(views))}"
            raise NotFound(f"there is no view {view!r}. {have}")
        there, new = self._read(views[view]), to_write(rows, views[view])
        if to_write(pd.concat([there, new]), views[view]).equals(there):
            return
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"  # so they sort as they were written
        temporary = self._home / view / f"{name}.tmp"
        new.to_parquet(temporary)
        os.replace(temporary, temporary.with_suffix(".parquet"))

    @property
    def _home(self) -> Path:
        return self.context.project / self.config.folder

    def _views(self) -> dict[str, ViewDefinition]:
        texts = [path.read_text(encoding="utf-8") for path in self._home.glob("*/view.json")]
        views = [ViewDefinition.of(json.loads(text)) for text in texts]
        return {view.name: view for view in sorted(views, key=lambda view: view.name)}

    def _read(self, view: ViewDefinition) -> pd.DataFrame:
        """All rows of a view, with the columns that it has now; the last for one moment counts."""
        import pandas as pd

        columns = [*view.entity, view.timestamp, *view.features]
        none = pd.DataFrame(columns=columns).astype({view.timestamp: "datetime64[us, UTC]"})
        files = sorted((self._home / view.name).glob("*.parquet"))
        parts = [pd.read_parquet(file).reindex(columns=columns) for file in files]
        return to_write(pd.concat([to_write(part, view) for part in (none, *parts)]), view)
