"""The tool's reports on frames of columns whose kinds are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.monitor import Column, Figure, Task, method_named, threshold_of
from stackyard_evidently.methods import METHODS, SMALLEST, blind, chosen, register

if TYPE_CHECKING:
    import pandas as pd

_FIGURES: Mapping[Task, Sequence[tuple[str, str, Any]]] = {
    "number": (("mae", "MAE", "above"), ("rmse", "RMSE", "above")),
    "class": (("accuracy", "Accuracy", "below"),),
    "probability": (("auc", "RocAuc", "below"), ("log_loss", "LogLoss", "above")),
}

# The tool writes names and values into a script as they are: "</script>" among them would end it.
_DATA = re.compile(r"^ +var (additional_graphs_)?metric_[0-9a-f]+ = \{.*\};$", re.MULTILINE)


def drift(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    columns: Sequence[Column],
    thresholds: Mapping[str, float],
) -> dict[str, tuple[str, float] | str]:
    """Score the columns in one report; where that fails, each in its own."""
    from evidently.metrics import ValueDrift

    names = _names(current, reference, columns)
    found: dict[str, tuple[str, float] | str] = {
        name: f"{method}: the reference's standard deviation is below {SMALLEST}, or infinite"
        for name, method in names.items()
        if blind(method, reference[name])
    }
    columns = [column for column in columns if column.name not in found]

    def ask(some: Sequence[Column]) -> dict[str, tuple[str, float] | str]:
        metrics = {
            c.name: ValueDrift(
                column=c.name,
                method=names[c.name],
                threshold=_threshold(c.name, names[c.name], thresholds),
            )
            for c in some
        }
        results = _run(metrics.values(), current, reference, some).metric_results
        return {
            name: (names[name], float(results[metric.metric_id].value))
            for name, metric in metrics.items()
        }

    try:
        found |= ask(columns)
    except Exception:  # a method raises anything on a column that it was not made for
        for column in columns:
            try:
                found |= ask([column])
            except Exception as exc:
                said = " ".join(str(exc).split())[:200]
                found[column.name] = f"{names[column.name]}: {said or type(exc).__name__}"
    return found


def page(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    columns: Sequence[Column],
    thresholds: Mapping[str, float],
) -> str:
    """The page of the preset for drift, of the columns that can be scored."""
    from evidently.presets import DataDriftPreset

    names = _names(current, reference, columns)

    def show(some: Sequence[Column]) -> str:
        methods = {column.name: names[column.name] for column in some}
        preset = DataDriftPreset(
            columns=list(methods),
            per_column_method=methods,
            per_column_threshold={n: _threshold(n, m, thresholds) for n, m in methods.items()},
        )
        made = _run([preset], current, reference, some).get_html_str(as_iframe=False)
        return _DATA.sub(lambda line: line[0].replace("<", r"\u003c"), made)

    seen = [column for column in columns if not blind(names[column.name], reference[column.name])]
    try:
        return show(seen)
    except Exception:  # as above; which columns they are is told by scoring each
        scores = drift(current, reference, seen, thresholds)
        return show([column for column in seen if not isinstance(scores[column.name], str)])


def quality(
    current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[Column]
) -> list[Figure]:
    """Shares of rows."""
    from evidently.metrics import MissingValueCount, OutListValueCount, OutRangeValueCount

    asked: list[tuple[str, str, Any]] = []
    for column in columns:
        name, known = column.name, reference[column.name].dropna()
        asked.append((name, "share missing", MissingValueCount(column=name)))
        if known.empty or not current[name].notna().any():
            continue
        if column.kind == "number":
            bounds = {"left": known.min(), "right": known.max()}
            asked.append((name, "share out of range", OutRangeValueCount(column=name, **bounds)))
        elif column.kind == "category":
            levels = list(known.unique())
            asked.append((name, "share new", OutListValueCount(column=name, values=levels)))
    snapshot = _run([metric for _, _, metric in asked], current, reference, columns)
    found = []
    for name, what, metric in asked:
        mine, base = (float(side.share.value) for side in _sides(snapshot, metric))
        found.append(Figure(name, what, mine, base, "above"))
    return found


def performance(
    current: pd.DataFrame, reference: pd.DataFrame, label: str, prediction: str, task: Task
) -> list[Figure]:
    """The figures of a task."""
    sides = [_figures(frame, label, prediction, task) for frame in (current, reference)]
    return [
        Figure(prediction, name, sides[0][name], sides[1][name], worse)
        for name, _, worse in _FIGURES[task]
    ]


def _figures(frame: pd.DataFrame, label: str, prediction: str, task: Task) -> dict[str, float]:
    """By name, of one side: which of the tool's roles it has depends on the classes there."""
    from evidently import BinaryClassification, MulticlassClassification, Regression, metrics

    role: dict[str, Any]
    if task == "number":
        role = {"regression": [Regression(target=label, prediction=prediction)]}
    elif task == "probability":
        binary = BinaryClassification(target=label, prediction_probas=prediction, pos_label="1")
        role = {"classification": [binary]}
    else:
        classes = {*frame[label], *frame[prediction]}
        given = {"target": label, "prediction_labels": prediction}
        two = len(classes) == 2  # for which the tool wants to know the positive one
        kind = BinaryClassification(**given, pos_label=max(classes)) if two else None
        role = {"classification": [kind or MulticlassClassification(**given)]}
    columns = [
        Column(label, "number" if task == "number" else "category"),
        Column(prediction, "category" if task == "class" else "number"),
    ]
    asked = {name: getattr(metrics, of)() for name, of, _ in _FIGURES[task]}
    results = _run(asked.values(), frame, None, columns, **role).metric_results
    found = {name: results[metric.metric_id] for name, metric in asked.items()}
    return {name: float(getattr(one, "mean", one).value) for name, one in found.items()}


def _run(
    metrics: Iterable[Any],
    current: pd.DataFrame,
    reference: pd.DataFrame | None,
    columns: Sequence[Column],
    **role: Any,
) -> Any:
    """A report on these columns only: the tool copies frames for each of their columns."""
    from evidently import DataDefinition, Dataset, Report

    names = [column.name for column in columns]
    numbers = [column.name for column in columns if column.kind == "number"]
    others = [name for name in names if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others, **role)
    frames = (current,) if reference is None else (current, reference)
    sides = [Dataset.from_pandas(frame[names], definition) for frame in frames]
    return Report(list(metrics)).run(*sides)


def _names(
    current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[Column]
) -> dict[str, str]:
    """The method of each column, all known to the tool."""
    register()
    return {c.name: chosen(c, current[c.name], reference[c.name]) for c in columns}


def _sides(snapshot: Any, metric: Any) -> tuple[Any, Any]:
    """A metric's results on current and reference."""
    key = metric.metric_id
    return snapshot.metric_results[key], snapshot.context.get_reference_metric_result(key)


def _threshold(column: str, method: str, thresholds: Mapping[str, float]) -> float:
    return threshold_of(column, method_named(METHODS, method), thresholds)
