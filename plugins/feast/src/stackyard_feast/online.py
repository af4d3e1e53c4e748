"""The online side: what was brought there of each view, and reading it.

What was brought is remembered in a table of the same database, which is lost with it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.errors import InvalidInput, NotFound, Unavailable
from stackyard.feature_rows import typed
from stackyard_feast import parts
from stackyard_feast.views import KnownView, files, paths

if TYPE_CHECKING:
    import pandas as pd
    from feast import FeatureStore as Feast

_BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mark:
    """What was materialized of a view: of which definition, made when, and files, up to when."""

    digest: str
    created: str
    files: Sequence[str]
    until: str


def database(feast: Feast) -> Path | None:
    """The file of an online store in SQLite; None where it is another one."""
    from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig

    store = feast.config.online_store
    if not isinstance(store, SqliteOnlineStoreConfig):
        return None
    return Path(feast.config.repo_path or ".") / str(store.path)


@contextmanager
def telling(feast: Feast, marks: Path) -> Iterator[None]:
    """Tell the cure where the database is lost or damaged; ``marks`` where it is not SQLite.

    Raises:
        NotFound: what was materialized is not there.
        Unavailable: the file is no database any more.
    """
    try:
        yield
    except sqlite3.DatabaseError as exc:
        file = database(feast) or marks
        if "no such table" in str(exc):
            raise NotFound(
                f"{file}: {exc}; what was materialized is lost. Materialize again, which brings "
                "all back"
            ) from exc
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Unavailable(
                f"{file}: {exc}. Delete it and materialize again, which brings all back"
            ) from exc
        raise


def materialize(
    feast: Feast, memory: Path, views: Sequence[KnownView], until: datetime, since: datetime | None
) -> Mapping[str, datetime]:
    """Bring the newest values up to ``until`` online; what is there is never replaced by older.

    Returns up to when each of the views is online.

    Begins where the last one ended, or earlier: at the first row that was written since, as it
    may be about an earlier time; at the beginning, where the definition or a file changed. What a
    later ``since`` leaves out is brought by the next one without. Where the online store is not in
    SQLite, the file ``memory`` says what was brought.
    """
    own = database(feast)
    marks = own or memory
    done, moments = _read(marks), {}
    defined = {one.name: one for one in feast.list_all_feature_views()}
    for view in views:
        if view.trouble:
            raise InvalidInput(f"view {view.name!r} cannot be materialized: {view.trouble}")
        _check_unit(view)
        created = str(defined[view.name].created_timestamp)
        last, now = done.get(view.name), files(view)
        if last is not None and last.created != created:
            last = None  # Feast dropped the values with the view
        end = max(until, datetime.fromisoformat(last.until)) if last else until
        moments[view.name] = end
        first = _start(view, last, now)
        start = since or first
        new = Mark(view.digest, created, now, end.isoformat())
        if since is None and new == last:
            continue
        if last is None and own is not None:  # the table is lost with the database
            feast.apply([defined[view.name]])
        if start <= end:
            feast.materialize(start, end, feature_views=[view.name])
        if start > first:
            continue
        _write(marks, view.name, new)
    return moments


_TABLE = "stackyard_materialized"


def _read(marks: Path) -> dict[str, Mark]:
    """What was materialized, by view; nothing where that is not known."""
    marks.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(marks)) as connection, connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (view PRIMARY KEY, mark)")
        rows = connection.execute(f"SELECT view, mark FROM {_TABLE}").fetchall()
    return {view: Mark(**json.loads(mark)) for view, mark in rows}


def _write(marks: Path, view: str, mark: Mark) -> None:
    with closing(sqlite3.connect(marks)) as connection, connection:
        said = json.dumps(asdict(mark))
        connection.execute(f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?)", (view, said))


def values(
    feast: Feast,
    rows: pd.DataFrame,
    view: KnownView,
    features: Sequence[str],
) -> Mapping[str, pd.Series[Any]]:
    """A column for each feature; Feast is asked about each entity once, never about none."""
    import pandas as pd

    keys = pd.DataFrame(
        {column: typed(rows[column], kind, "rows").array for column, kind in view.entity.items()}
    )
    known = keys.dropna()
    asked = known.drop_duplicates()
    answer: dict[str, Sequence[Any]] = {feature: () for feature in features}
    if len(asked):
        entities = {column: asked[column].tolist() for column in asked}
        names = [f"{view.name}:{feature}" for feature in features]
        answer = feast.get_online_features(names, entities).to_dict()
    numbers = asked.assign(number=range(len(asked)))
    places = known.reset_index().merge(numbers, on=list(keys)).set_index("index")["number"]
    places = places.reindex(range(len(rows)), fill_value=-1)
    found = {}
    for feature in features:
        given = [*answer[feature], None]  # the last one is that of rows without an entity
        column = pd.Series([given[n] for n in places], index=rows.index, dtype=object, name=feature)
        kind = view.features[feature]
        if kind == "timestamp":
            column = pd.to_datetime(column, utc=True)
        found[feature] = typed(column, kind, view.name) if kind in parts.KINDS else column
    return found


def _check_unit(view: KnownView) -> None:
    """Say what to do where DuckDB would refuse to materialize nanoseconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in () if view.kept else paths(view):
        schema = pq.read_schema(path)
        place = schema.get_field_index(view.timestamp)
        if place >= 0 and schema.types[place] in (pa.timestamp("ns"), pa.timestamp("ns", tz="UTC")):
            raise InvalidInput(
                f"view {view.name!r}: {path}: column {view.timestamp!r} holds nanoseconds, which "
                "Feast cannot materialize. Write microseconds: "
                "rows.to_parquet(path, coerce_timestamps='us')"
            )


def _start(view: KnownView, last: Mark | None, now: Sequence[str]) -> datetime:
    if last is None or last.digest != view.digest or not set(last.files) <= set(now):
        return _BEGINNING
    start = datetime.fromisoformat(last.until)
    new = sorted(set(now) - set(last.files))
    if not view.kept:
        return _BEGINNING if new else start
    return min([start, *parts.first_times(view.folder, new, view.timestamp)])
