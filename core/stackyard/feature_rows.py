"""Rows that a feature store is asked about or given, checked and in one form for every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.feature_store import FeatureView, ViewDefinition
from stackyard.errors import InvalidInput, suggest

if TYPE_CHECKING:
    import pandas as pd

_DTYPES: Mapping[str, str] = {
    "int64": "Int64", "float64": "float64", "bool": "boolean", "string": "object",
    "timestamp": "datetime64[us, UTC]",
}  # fmt: skip
_MOMENT, _ROW = "#moment", "#row"  # no column of a view is called so


def check_rows(
    rows: pd.DataFrame,
    asked: Mapping[str, tuple[FeatureView, Sequence[str]]],
    timestamp: str | None = None,
) -> None:
    """Refuse rows to which the features of ``by_view`` cannot be joined.

    Raises:
        InvalidInput: a column is missing or stands twice, or a feature has the name of one.
    """
    columns = [str(column) for column in rows.columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise InvalidInput(f"rows: column {twice[0]!r} stands twice")
    if timestamp is not None and timestamp not in columns:
        raise InvalidInput(_no_column(timestamp, columns, "the moments of the questions"))
    for view, features in asked.values():
        for column in view.entity:
            if column not in columns:
                raise InvalidInput(_no_column(column, columns, f"an entity of view {view.name!r}"))
        for feature in features:
            if feature in columns:
                raise InvalidInput(
                    f"rows: there is a column {feature!r} already, as feature "
                    f"'{view.name}:{feature}' is called. Rename or drop it"
                )


def moments(values: Any, what: str) -> Any:
    """Datetimes in UTC with nanoseconds; those without a time zone are in UTC.

    ``what`` begins the message of an error: ``rows of view 'weather'``.

    Raises:
        InvalidInput: they are no datetimes, or beyond the years 1678 to 2261.
    """
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        raise InvalidInput(
            f"{what}: column {values.name!r} holds {values.dtype}, no datetimes. "
            f"Convert it: pd.to_datetime(rows[{values.name!r}], utc=True)"
        )
    try:
        exact = values.dt.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime as exc:
        raise InvalidInput(f"{what}: column {values.name!r}: {exc}") from exc
    return exact.dt.tz_localize("UTC") if exact.dt.tz is None else exact.dt.tz_convert("UTC")


def typed(values: Any, kind: str, what: str) -> Any:
    """Values in the one dtype of their type, whatever they came in; nulls stay nulls.

    ``int64`` becomes ``Int64``, ``bool`` ``boolean``, ``string`` objects, ``timestamp``
    ``datetime64[us, UTC]``.

    Raises:
        InvalidInput: a value is of another type.
    """
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if kind == "timestamp" and values.notna().any():
        return moments(values, what).dt.floor("us").dt.as_unit("us")
    if values.isna().all():
        return pd.Series(None, index=values.index, name=values.name, dtype=_DTYPES[kind])
    found = pd.api.types.infer_dtype(values, skipna=True)
    fits = {
        "int64": found == "integer" or (found == "floating" and _whole(values)),
        "float64": found in ("floating", "integer", "mixed-integer-float"),
        "bool": found == "boolean",
        "string": found == "string",
    }[kind]
    if not fits:
        raise InvalidInput(f"{what}: column {values.name!r} holds {found} values, not {kind}")
    if kind == "string":
        return values.astype(object).where(values.notna(), None)
    if kind == "float64":
        return pd.to_numeric(values.astype("Float64")).astype("float64")
    try:
        return values.astype(_DTYPES[kind])
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidInput(f"{what}: column {values.name!r}: {exc}") from exc


def to_write(rows: pd.DataFrame, view: ViewDefinition) -> pd.DataFrame:
    """The view's columns of ``rows`` as a store keeps them, one row for each entity and time.

    Of several the last counts. A time between two microseconds becomes the later one, so that no
    row is known before it is true.

    Raises:
        InvalidInput: a column is missing or of another type, or an entity or time is null.
    """
    import pandas as pd

    what = f"rows of view {view.name!r}"
    given = [str(column) for column in rows.columns]
    types = {**view.entity, view.timestamp: "timestamp", **view.features}
    for column in types:
        if given.count(column) != 1:
            raise InvalidInput(_no_column(column, given, f"a column of view {view.name!r}"))
    made = {
        column: typed(rows[column], kind, what)
        for column, kind in {**view.entity, **view.features}.items()
    }
    times = moments(rows[view.timestamp], what).dt.ceil("us").dt.as_unit("us")
    key = [*view.entity, view.timestamp]
    kept = pd.DataFrame({**{column: made[column] for column in view.entity},
                         view.timestamp: times,
                         **{column: made[column] for column in view.features}})  # fmt: skip
    for column in key:
        nulls = int(kept[column].isna().sum())
        if nulls:
            raise InvalidInput(f"{what}: column {column!r} is null in {nulls} of {len(kept)} rows")
    return kept.drop_duplicates(key, keep="last").sort_values(key, ignore_index=True)


def newest(
    rows: pd.DataFrame,
    known: pd.DataFrame,
    view: ViewDefinition,
    features: Sequence[str],
    timestamp: str | None = None,
) -> dict[str, Any]:
    """The value of each feature in the newest of ``known`` at each row's moment.

    The join of a store that has a view's rows as a frame, with pandas' ``merge_asof``.

    Args:
        rows: what is asked about, as ``check_rows`` lets it pass.
        known: rows of the view; of two for one entity and time the last counts.
        view: its definition.
        features: names of its features.
        timestamp: the column of ``rows`` with the moments; None for the newest of all, however old.

    Returns:
        An array for each feature, with nulls where nothing is known; for ``rows.assign``.

    Raises:
        InvalidInput: a column is of another type.
    """
    import pandas as pd

    def columns(frame: pd.DataFrame, kinds: Mapping[str, str], what: str) -> dict[str, Any]:
        return {c: typed(frame[c], k, what).reset_index(drop=True) for c, k in kinds.items()}

    when: Any = pd.Timestamp.max.tz_localize("UTC")
    if timestamp is not None:
        when = moments(rows[timestamp], "rows").array
    questions = pd.DataFrame(columns(rows, view.entity, "rows"), index=range(len(rows)))
    questions = questions.assign(**{_ROW: range(len(rows)), _MOMENT: when})
    types = {**view.entity, **{name: view.features[name] for name in features}}
    what = f"rows of view {view.name!r}"
    answers = pd.DataFrame(columns(known, types, what), index=range(len(known)))
    answers[_MOMENT] = moments(known[view.timestamp], what).array
    found = pd.merge_asof(
        questions.dropna().sort_values(_MOMENT),
        answers.dropna(subset=[_MOMENT]).sort_values(_MOMENT, kind="stable"),
        on=_MOMENT,
        by=list(view.entity),
        tolerance=pd.Timedelta(seconds=view.ttl) if view.ttl and timestamp is not None else None,
    ).set_index(_ROW)
    return {name: found[name].reindex(range(len(rows))).array for name in features}


def _whole(values: Any) -> bool:
    known = values.dropna()
    return bool(((known % 1 == 0) & (known.abs() <= 2**53)).all())


def _no_column(name: str, columns: list[str], role: str) -> str:
    have = ", ".join(columns) or "none"
    return f"rows: there is no column {name!r}, {role}. Columns: {have}.{suggest(name, columns)}"
