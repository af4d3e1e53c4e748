"""What a model says of rows, as one number a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackyard.components.registry import ModelPackage, ModelVersion
from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.gating.metrics import Vector


def predictions(model: Any, frame: pd.DataFrame, *, classes: bool) -> Vector:
    """The model's answers for ``frame``.

    Args:
        model: an estimator, or a package or version of one that is on this machine.
        frame: rows with the model's columns; others are left out.
        classes: whether it tells two classes apart: then the answer is the probability of the
            second one, or 0 and 1 of a model that gives none.

    Raises:
        InvalidInput: a column is missing, or the model tells more than two classes apart.
    """
    import numpy as np

    if isinstance(model, ModelVersion):
        model = model.package
    if isinstance(model, ModelPackage):
        from stackyard.models import load_model

        model = load_model(model)
    rows = frame[_columns(model, frame)]
    if not classes:
        return np.asarray(model.predict(rows), dtype="float64")
    known = list(getattr(model, "classes_", (0, 1)))
    if len(known) != 2:
        raise InvalidInput(f"a gate compares models of two classes; this one has {len(known)}")
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows)[:, 1], dtype="float64")
    return np.asarray(np.asarray(model.predict(rows)) == known[1], dtype="float64")


def truth(frame: pd.DataFrame, label: str, *, classes: bool) -> Vector:
    """The column ``label`` as numbers; of two classes as 0 and 1.

    Raises:
        InvalidInput: there is no such column, it has nulls, or more than two classes.
    """
    import pandas as pd

    if label not in frame:
        have = ", ".join(map(str, frame.columns))
        raise InvalidInput(f"on: there is no column {label!r} with the truth. Columns: {have}")
    values = frame[label]
    if nulls := int(values.isna().sum()):
        raise InvalidInput(f"on: column {label!r} is null in {nulls} of {len(values)} rows")
    if not classes:
        return pd.to_numeric(values).to_numpy(dtype="float64")
    levels = sorted(values.unique())
    if len(levels) > 2:
        raise InvalidInput(
            f"on: column {label!r} has {len(levels)} values, and the metric is of two classes"
        )
    if {*levels} <= {0, 1}:
        return values.to_numpy(dtype="float64")
    found: Vector = (values == levels[-1]).to_numpy(dtype="float64")
    return found


def _columns(model: Any, frame: pd.DataFrame) -> list[str]:
    wanted = getattr(model, "feature_names_in_", None)
    if wanted is None:
        raise InvalidInput(
            f"{type(model).__name__} does not say which columns it takes. Fit it on a frame"
        )
    missing = [str(name) for name in wanted if name not in frame]
    if missing:
        have = ", ".join(map(str, frame.columns))
        raise InvalidInput(f"on: there is no column {missing[0]!r}. Columns: {have}")
    return list(wanted)
