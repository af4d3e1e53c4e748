"""View definitions as Feast's objects, and Feast's objects as what a join must know."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from stackyard.components.feature_store import ViewDefinition
from stackyard.errors import InvalidInput
from stackyard_feast.parts import WRITTEN
from stackyard_feast.views import KnownView

DIGEST, KEPT = "stackyard.digest", "stackyard.kept"
# Columns that Feast's own queries make or take away.
RESERVED = ("event_timestamp", "event_expire_timestamp", "rn")


def check(new: Iterable[ViewDefinition], known: Mapping[str, KnownView]) -> None:
    """Refuse definitions that Feast cannot have beside one another.

    Raises:
        InvalidInput: a name is Feast's own, two have one name, or a column that names an entity
            has another type in another view.
    """
    seen: set[str] = set()
    types = {c: (k, v.name) for v in known.values() for c, k in v.entity.items()}
    new = list(new)
    for view in new:
        if view.name in seen:
            raise InvalidInput(f"view {view.name!r} is defined twice")
        seen.add(view.name)
        types = {c: found for c, found in types.items() if found[1] != view.name}
        for column in (*view.entity, *view.features):
            if column in RESERVED:
                raise InvalidInput(f"view {view.name!r}: Feast uses the name {column!r} itself")
    for view in new:
        for column, kind in view.entity.items():
            other, name = types.setdefault(column, (kind, view.name))
            if other != kind:
                raise InvalidInput(
                    f"view {view.name!r}: entity {column!r} is {kind}; in view {name!r} it is "
                    f"{other}. One column names one kind of entity"
                )


def made_of(definition: ViewDefinition, source: str, *, kept: bool) -> list[Any]:
    """Feast's entities and the view of a definition."""
    from feast import Entity, FeatureView, Field, FileSource
    from feast.types import Bool, Float64, Int64, String, UnixTimestamp
    from feast.value_type import ValueType

    types = {"int64": Int64, "float64": Float64, "bool": Bool, "string": String,
             "timestamp": UnixTimestamp}  # fmt: skip
    values = {"int64": ValueType.INT64, "string": ValueType.STRING}
    entities = [
        Entity(name=column, join_keys=[column], value_type=values[kind])
        for column, kind in definition.entity.items()
    ]
    columns = {**definition.entity, **definition.features}
    view = FeatureView(
        name=definition.name,
        entities=entities,
        ttl=timedelta(seconds=definition.ttl or 0),
        schema=[Field(name=name, dtype=types[kind]) for name, kind in columns.items()],
        source=FileSource(
            name=f"{definition.name}_source",
            path=source,
            timestamp_field=definition.timestamp,
            created_timestamp_column=WRITTEN if kept else "",
        ),
        description=definition.description,
        tags={DIGEST: definition.digest, KEPT: "yes" if kept else "no"},
    )
    return [*entities, view]


def known(view: Any, folder: Path) -> KnownView:
    """What a join must know of one of Feast's views; relative paths count from ``folder``."""
    from feast import FileSource
    from feast.data_format import ParquetFormat

    features = {field.name: _kind(field.dtype) for field in view.features}
    source = getattr(view, "batch_source", None)
    keys = {f.name: _kind(f.dtype) for f in getattr(view, "entity_columns", ())}
    made = KnownView(view.name, keys, features)
    if not isinstance(source, FileSource):
        made = replace(made, trouble=f"its rows are no files, but {type(source).__name__}")
    elif "://" in source.path.removeprefix("file://"):
        made = replace(made, trouble=f"{source.path} is not on this machine")
    elif not isinstance(source.file_format, ParquetFormat | None):
        made = replace(made, trouble="its files are not Parquet")
    elif not keys or "__dummy_id" in keys:
        made = replace(made, trouble="it has no entity")
    elif set(keys.values()) - {"int64", "string"}:
        made = replace(made, trouble="a key of its entity is neither int64 nor string")
    else:
        mapping = {new: old for old, new in source.field_mapping.items()}
        ttl = view.ttl.total_seconds() if view.ttl else None
        made = replace(
            made,
            timestamp=source.timestamp_field,
            created=source.created_timestamp_column or "",
            ttl=ttl,
            source=os.path.normpath(folder / source.path.removeprefix("file://")),
            kept=view.tags.get(KEPT) == "yes",
            columns={n: mapping[n] for n in (*keys, *features) if n in mapping},
        )
    place = getattr(source, "path", "")  # as it was written: the same on every machine
    return replace(made, digest=view.tags.get(DIGEST) or _digest(replace(made, source=place)))


def _kind(dtype: Any) -> str:
    from feast.types import Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

    kinds = {Int32: "int64", Int64: "int64", Float32: "float64", Float64: "float64",
             Bool: "bool", String: "string", UnixTimestamp: "timestamp"}  # fmt: skip
    found = kinds.get(dtype) if getattr(dtype, "__hash__", None) else None
    return found or str(dtype)


def _digest(view: KnownView) -> str:
    import blake3

    return blake3.blake3(json.dumps(asdict(view), sort_keys=True).encode()).hexdigest()
