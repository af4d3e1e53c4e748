"""Performance: predictions of both sides beside the labels that have come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard.components.monitor import Figure, Kind, Monitor, Task, Watch
from stackyard.components.monitor_columns import WORDS, Values, values
from stackyard.components.monitor_report import Score
from stackyard.errors import StackyardError
from stackyard.gating.intervals import bootstrap
from stackyard.gating.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

BY_CHANCE = 0.01  # probability that what is as good as it was seems worse by more than the margin
SAMPLE = 1000
CLASSES = 20  # so many whole numbers are classes, if the answers are among them


@dataclass(frozen=True)
class _Pairs:
    """Labels and answers of the rows of one side that have both, and what kind they are of."""

    labels: Any
    answers: Any
    kinds: tuple[Kind, Kind]


def performance(
    monitor: Monitor, current: pd.DataFrame, reference: pd.DataFrame, watch: Watch
) -> Iterator[Score]:
    """Scores of each prediction that can be held against the label; why not, of the others."""
    for name in watch.predictions:
        found = _held_against(current, reference, watch, name)
        if isinstance(found, str):
            yield Score(name, "performance", not_computed=found)
            continue
        task, mine, base = found
        one = max(_levels(mine.labels, base.labels)) if task == "probability" else None
        frames = [_frame(side, task, one, watch.label, name) for side in (mine, base)]
        figures = computed(monitor.performance, *frames, watch.label, name, task)
        if isinstance(figures, str):
            yield Score(name, "performance", not_computed=figures)
            continue
        for figure in figures:
            # It may be worse than on the reference by a share of what it is there, and by chance.
            doubts = [_doubt(figure.method, task, one, side) for side in (mine, base)]
            reach = watch.margin * abs(figure.reference) + math.hypot(*doubts)
            sign = 1 if figure.worse == "above" else -1
            yield figure.held("performance", figure.reference + sign * reach)


def computed(figures: Callable[..., Sequence[Figure]], *of: Any) -> Sequence[Figure] | str:
    """What a monitor computes, or why it could not: a tool raises anything on data that is odd."""
    try:
        return figures(*of)
    except StackyardError:
        raise
    except Exception as exc:
        return f"{type(exc).__name__}: {' '.join(str(exc).split())[:200]}"


def _held_against(
    current: pd.DataFrame, reference: pd.DataFrame, watch: Watch, prediction: str
) -> tuple[Task, _Pairs, _Pairs] | str:
    """What the predictions are, and both sides; or why they cannot be held against the label."""
    mine = _pairs(current, "current", watch, prediction)
    if isinstance(mine, str):
        return mine
    base = _pairs(reference, "the reference", watch, prediction)
    if isinstance(base, str):
        return base
    for name, now, then in zip((watch.label, prediction), mine.kinds, base.kinds, strict=True):
        if now != then:
            return f"{name!r}: {WORDS[then]} in the reference, {WORDS[now]} in current"
    task = _task(mine, base)
    for side, where in ((mine, "current"), (base, "the reference")):
        if task != "class" and (side.labels == side.labels[0]).all():
            return f"labels of one value only in {where}"
    if task is None:
        return f"it is neither a number, a class nor a probability of {watch.label!r}"
    return task, mine, base


def _pairs(frame: pd.DataFrame, side: str, watch: Watch, prediction: str) -> _Pairs | str:
    import pandas as pd

    names = [str(name) for name in frame.columns]
    for name in (watch.label, prediction):
        if name not in names:
            return f"{side} has no column {name!r}"
    label, answer = (_read(frame.iloc[:, names.index(n)]) for n in (watch.label, prediction))
    if label.refused or answer.refused:
        return f"{side}: {label.refused or answer.refused}"
    both = pd.notna(label.data) & pd.notna(answer.data)
    count = int(both.sum())
    if count < watch.minimum:
        have = f"{count:,} label{'' if count == 1 else 's'}" if count else "no labels"
        return f"{have} in {side}; needs {watch.minimum:,}"
    assert label.kind and answer.kind  # for there are values
    return _Pairs(label.data[both], answer.data[both], (label.kind, answer.kind))


def _read(series: pd.Series[Any]) -> Values:
    """The values; false and true are 0 and 1, as they are to gates."""
    import pandas as pd

    if pd.api.types.infer_dtype(series, skipna=True) == "boolean":
        series = series.astype("boolean").astype("Int8")
    return values(series)


def _task(mine: _Pairs, base: _Pairs) -> Task | None:
    """What the predictions are, told from both sides."""
    if "time" in mine.kinds:
        return None
    labels = _levels(mine.labels, base.labels)
    answers = _levels(mine.answers, base.answers)
    two = len(labels) == 2 and mine.kinds[1] == "number"
    if two and not answers <= labels and min(answers) >= 0 and max(answers) <= 1:
        return "probability"
    few = len(labels) <= CLASSES or mine.kinds[0] == "category"
    if few and mine.kinds[0] == mine.kinds[1] and answers <= labels:
        return "class"
    return "number" if mine.kinds == ("number", "number") else None


def _doubt(method: str, task: Task, one: Any, side: _Pairs) -> float:
    """By how much a figure may be off, for it is of a sample; 0 for one that is not known here.

    It falls with the root of the number of rows, so that of many a sample is looked at.
    """
    import numpy as np

    if method not in METRICS or (task == "class" and method != "accuracy"):
        return 0.0
    rows = len(side.labels)
    some = np.random.default_rng(0).permutation(rows)[:SAMPLE]
    truth, given = side.labels[some], side.answers[some]
    if task == "probability":
        truth = truth == one
    elif task == "class":
        truth, given = np.ones(len(some)), truth == given
    pairs = truth.astype(float), given.astype(float)
    found = bootstrap(lambda w: METRICS[method](*pairs, w), len(some), 2 * BY_CHANCE)
    return found.half * math.sqrt(len(some) / rows)


def _levels(mine: Any, base: Any) -> set[Any]:
    import numpy as np

    return {*np.unique(mine), *np.unique(base)}


def _frame(side: _Pairs, task: Task, one: Any, label: str, name: str) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    truth, given = side.labels, side.answers
    if task == "class":
        truth, given = truth.astype(str), given.astype(str)
    elif task == "probability":
        truth = np.where(truth == one, "1", "0")
    return pd.DataFrame({label: truth, name: given})
