"""Performance: predictions of both sides beside the labels that have come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackyard.components.monitor import Kind, Monitor, Task, Watch
from stackyard.components.monitor_columns import values
from stackyard.components.monitor_report import Score

if TYPE_CHECKING:
    import pandas as pd

CLASSES = 20  # so many whole numbers are classes, if the answers are among them


@dataclass(frozen=True)
class _Pairs:
    """Labels and answers of the rows of one side that have both, and what kind they are of."""

    labels: Any
    answers: Any
    kinds: tuple[Kind | None, Kind | None]

    def single(self) -> bool:
        """Whether all labels are the same."""
        return bool((self.labels == self.labels[0]).all())


def performance(
    monitor: Monitor, current: pd.DataFrame, reference: pd.DataFrame, watch: Watch
) -> Iterator[Score]:
    """Scores of each prediction that can be held against the label; why not, of the others."""
    for name in watch.predictions:
        mine = _pairs(current, "current", watch, name)
        base = _pairs(reference, "the reference", watch, name)
        wrong = next((side for side in (mine, base) if isinstance(side, str)), "")
        if wrong or isinstance(mine, str) or isinstance(base, str):
            yield Score(name, "performance", not_computed=wrong)
            continue
        task = _task(mine, base)
        single = [w for s, w in ((mine, "current"), (base, "the reference")) if s.single()]
        if task is None:
            wrong = f"it is neither a number, a class nor a probability of {watch.label!r}"
        elif task == "probability" and single:
            wrong = f"labels of one class only in {single[0]}"
        if task is None or wrong:
            yield Score(name, "performance", not_computed=wrong)
            continue
        one = max(_levels(mine.labels, base.labels)) if task == "probability" else None
        frames = [_frame(side, task, one, watch.label, name) for side in (mine, base)]
        for figure in monitor.performance(frames[0], frames[1], watch.label, name, task):
            # It may be worse than on the reference by a share of what it is there.
            factor = 1 + watch.margin if figure.worse == "above" else 1 - watch.margin
            yield figure.held("performance", figure.reference * factor)


def _pairs(frame: pd.DataFrame, side: str, watch: Watch, prediction: str) -> _Pairs | str:
    import pandas as pd

    names = [str(name) for name in frame.columns]
    for name in (watch.label, prediction):
        if name not in names:
            return f"{side} has no column {name!r}"
    label, answer = (values(frame.iloc[:, names.index(n)]) for n in (watch.label, prediction))
    if label.refused or answer.refused:
        return f"{side}: {label.refused or answer.refused}"
    both = pd.notna(label.data) & pd.notna(answer.data)
    count = int(both.sum())
    if count < watch.minimum:
        have = f"{count:,} label{'' if count == 1 else 's'}" if count else "no labels"
        return f"{have} in {side}; needs {watch.minimum:,}"
    return _Pairs(label.data[both], answer.data[both], (label.kind, answer.kind))


def _task(mine: _Pairs, base: _Pairs) -> Task | None:
    """What the predictions are, told from both sides."""
    if mine.kinds != base.kinds or "time" in mine.kinds:
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
