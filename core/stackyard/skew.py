"""Whether a model is served the features that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stackyard.components.feature_store import FeatureStore, by_view
from stackyard.errors import InvalidInput
from stackyard.feature_rows import moments

if TYPE_CHECKING:
    import pandas as pd


EXAMPLES = 5
_MOMENT = "moment of the question"


@dataclass(frozen=True)
class FeatureSkew:
    """One feature: how the values served differ from those joined.

    Attributes:
        feature: ``view:feature``.
        compared: Number of entities that were compared.
        equal: Of these, how many have equal values; two nulls are equal.
        largest: The largest difference of two numbers, in seconds for timestamps; None where no
            two numbers differ.
        examples: Up to five entities whose values differ, by the columns that name them. The
            values themselves are not kept.
    """

    feature: str
    compared: int
    equal: int
    largest: float | None = None
    examples: Sequence[Mapping[str, Any]] = ()

    @property
    def ok(self) -> bool:
        """Whether no value differs; also where none could be compared."""
        return self.compared == self.equal


@dataclass(frozen=True)
class SkewReport:
    """What ``skew`` found, by feature."""

    features: Sequence[FeatureSkew]

    @property
    def ok(self) -> bool:
        """Whether values were compared, and none differs."""
        return all(f.ok for f in self.features) and any(f.compared for f in self.features)

    def __str__(self) -> str:
        return "\n".join(
            f"{f.feature}: {f.equal} of {f.compared} equal"
            + (f", largest difference {f.largest:g}" if f.largest is not None else "")
            + (f", e.g. {dict(f.examples[0])}" if f.examples else "")
            for f in self.features
        )


def skew(
    store: FeatureStore,
    joined: pd.DataFrame,
    features: Sequence[str],
    *,
    timestamp: str,
    until: datetime | None = None,
    sample: int = 1000,
    tolerance: float = 1e-9,
    seed: int = 0,
) -> SkewReport:
    """Compare what ``online`` serves with what ``historical`` joined.

    The online side has one value for each entity: the newest one as of the last materialization.
    So of each entity the newest row of ``joined`` is compared, and only where the store answers
    the same for the row's moment and for ``until``: elsewhere a newer value came in between, or the
    value has become too old. A value that the store answers otherwise now than when ``joined`` was
    made is a difference too.

    Args:
        store: A feature store with the capability ``online``.
        joined: What ``historical`` returned, with the columns of the entities.
        features: ``view:feature``, as they were joined.
        timestamp: The column of ``joined`` with the moments.
        until: The end of the last materialization; the newest moment of ``joined`` if left out.
        sample: How many entities of each view to compare at most.
        tolerance: Numbers that differ by no more than this share of the larger are equal: an
            online store may keep fewer digits.
        seed: Chooses the entities.

    Raises:
        Unsupported: the store has no ``online``.
        NotFound, InvalidInput: as ``historical``.
    """
    import pandas as pd

    store.require("online")
    asked = by_view(features, store.describe())
    names = [name for view, wanted in asked.values() for name in (*view.entity, *wanted)]
    for column in (timestamp, *names):
        if column not in joined:
            have = ", ".join(map(str, joined.columns))
            raise InvalidInput(f"joined: there is no column {column!r}. Columns: {have}")
    when = moments(joined[timestamp], "joined")
    end = when.max() if until is None else moments(pd.Series([until]), "until")[0]
    found: dict[str, FeatureSkew] = {}
    for view, wanted in asked.values():
        keys = list(view.entity)
        rows = joined[[*keys, *wanted]].assign(**{_MOMENT: when})[when <= end].dropna(subset=keys)
        rows = rows.sort_values(_MOMENT, kind="stable").drop_duplicates(keys, keep="last")
        rows = rows.sample(min(sample, len(rows)), random_state=seed).reset_index(drop=True)
        names = [f"{view.name}:{feature}" for feature in wanted]
        then = store.historical(rows[[*keys, _MOMENT]], names, timestamp=_MOMENT)
        now = store.historical(rows[keys].assign(**{_MOMENT: end}), names, timestamp=_MOMENT)
        served = store.online(rows[keys], names)
        for name, feature in zip(names, wanted, strict=True):
            still = _differences(then[feature], now[feature], 0.0)
            differs = _differences(rows[feature], served[feature], tolerance)
            compared = [place for place, other in enumerate(still) if other is None]
            unequal = [place for place in compared if differs[place] is not None]
            sizes = [size for p in unequal if (size := differs[p]) is not None and size >= 0]
            found[name] = FeatureSkew(
                name,
                len(compared),
                len(compared) - len(unequal),
                max(sizes, default=None),
                tuple(rows.loc[unequal[:EXAMPLES], keys].to_dict("records")),
            )
    return SkewReport(tuple(found[feature] for feature in features))


def _differences(left: Any, right: Any, tolerance: float) -> list[float | None]:
    """For each pair None where they are equal, else how far apart; -1 where that is no number."""
    return [_difference(a, b, tolerance) for a, b in zip(left, right, strict=True)]


def _difference(a: Any, b: Any, tolerance: float) -> float | None:
    import pandas as pd

    if pd.isna(a) or pd.isna(b):
        return None if pd.isna(a) and pd.isna(b) else -1.0
    if isinstance(a, pd.Timestamp) and isinstance(b, pd.Timestamp):
        return abs((a - b).total_seconds()) or None
    if a == b:
        return None
    import numpy as np

    if isinstance(a, str | bool | np.bool_) or isinstance(b, str | bool | np.bool_):
        return -1.0
    size = abs(float(a - b))
    return size if size > tolerance * max(abs(float(a)), abs(float(b))) else None
