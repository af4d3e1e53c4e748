"""A comparison: what can be compared at all, and what its scores come to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stackyard.components.monitor import (
    Column,
    Method,
    Monitor,
    Watch,
    method_named,
    threshold_of,
)
from stackyard.components.monitor_columns import WORDS, Values, histogram, values
from stackyard.components.monitor_labels import computed, performance
from stackyard.components.monitor_report import (
    Histogram,
    MonitorReport,
    Score,
    Side,
    Subject,
    judge,
)
from stackyard.components.monitor_watch import check_watch, roles
from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Screened:
    """Both frames with what can be read of their columns, and what cannot be compared.

    Attributes:
        current, reference: hold the columns of ``columns``, as monitors get them.
        columns: in both frames.
        comparable: of these, whose drift can be scored.
        refused: scores of those that cannot, which say why.
        order: the names of all that is told of, by subject.
    """

    current: pd.DataFrame
    reference: pd.DataFrame
    columns: tuple[Column, ...]
    comparable: tuple[Column, ...]
    refused: Mapping[str, Score]
    order: Mapping[str, Subject]


def compare(
    monitor: Monitor, current: pd.DataFrame, reference: pd.DataFrame, watch: Watch
) -> MonitorReport:
    """The whole comparison; see ``Monitor.compare``."""
    methods = monitor.methods()
    seen = screen(current, reference, watch, methods)
    scores = [*_drift(monitor, seen, watch, methods)]
    if "quality" in monitor.capabilities:
        scores += _quality(monitor, seen, watch)
    if watch.label and "performance" in monitor.capabilities:
        scores += performance(monitor, current, reference, watch)
    verdict, reason, rule = judge(scores, watch.share, watch.deciding)
    return MonitorReport(
        verdict=verdict,
        reason=reason,
        rule=rule,
        scores=tuple(scores),
        current=_side(current, watch.time),
        reference=_side(reference, watch.time),
        minimum=watch.minimum,
        histograms=dict(_histograms(seen)),
    )


def page(monitor: Monitor, current: pd.DataFrame, reference: pd.DataFrame, watch: Watch) -> str:
    """The tool's own page; see ``Monitor.page``."""
    seen = screen(current, reference, watch, monitor.methods())
    if not seen.comparable:
        why = "; ".join(f"{s.column}: {s.not_computed}" for s in seen.refused.values())
        raise InvalidInput(f"no column can be compared, so there is no page. {why}")
    return monitor.html(seen.current, seen.reference, seen.comparable, watch.thresholds)


def screen(
    current: pd.DataFrame, reference: pd.DataFrame, watch: Watch, methods: Sequence[Method]
) -> Screened:
    """Read the columns of both frames and sort out what cannot be compared.

    Raises:
        InvalidInput: the watch or a frame is one of which nothing can be told.
    """
    import pandas as pd

    names = {
        "current": [str(name) for name in current.columns],
        "reference": [str(name) for name in reference.columns],
    }
    check_watch(watch, {"current": current, "reference": reference}, methods)
    order = roles(watch, names)
    columns, comparable, refused = [], [], {}
    now: dict[str, Any] = {}
    then: dict[str, Any] = {}
    for name, subject in order.items():
        lacking = [side for side, have in names.items() if name not in have]
        if lacking:
            # What the reference never had is new, and nothing that the model knows.
            watched = "current" in lacking or name in (*watch.inputs, *watch.predictions)
            text = f"{_the(lacking[0])} has no such column"
            refused[name] = Score(name, subject, not_computed=text, watched=watched)
            continue
        mine = values(current.iloc[:, names["current"].index(name)])
        base = values(reference.iloc[:, names["reference"].index(name)])
        chosen = watch.methods.get(name, "")
        wanted = name in (*watch.methods, *watch.deciding, *watch.predictions)
        column, why, watched = _column(name, mine, base, wanted, watch.minimum)
        if column is not None:
            columns.append(column)
            now[name] = _filled(mine, len(current), column)
            then[name] = _filled(base, len(reference), column)
            usual = watch.number if column.kind == "number" else watch.category
            column = replace(column, method=chosen or usual)
            if not why and column.method:
                known = method_named(methods, column.method)
                if column.kind not in known.kinds:
                    of = " and ".join(WORDS[kind] for kind in known.kinds)
                    why = f"method {known.name!r} is for {of}, and these are {WORDS[column.kind]}"
        if why or column is None:
            refused[name] = Score(name, subject, not_computed=why, watched=watched)
        else:
            comparable.append(column)
    return Screened(
        pd.DataFrame(now, copy=False),
        pd.DataFrame(then, copy=False),
        tuple(columns),
        tuple(comparable),
        refused,
        order,
    )


def _column(
    name: str, mine: Values, base: Values, wanted: bool, minimum: int
) -> tuple[Column | None, str, bool]:
    """The column, why it cannot be compared, and whether that counts."""
    refused = mine.refused or base.refused
    if refused:
        return None, refused, wanted
    kind = base.kind or mine.kind
    if kind is None:
        return None, "no values on either side", True
    if mine.kind and mine.kind != kind:
        text = f"{WORDS[kind]} in the reference, {WORDS[mine.kind]} in current"
        return None, text, True
    if kind == "time":
        return Column(name, kind), "times always move on", wanted
    if base.like_identifiers() and not wanted:
        text = (
            f"like an identifier: {base.distinct:,} values in {base.count:,} rows. "
            "Name it in ignore, or in methods to compare it"
        )
        return Column(name, "identifier"), text, False
    for side, found in (("current", mine), ("reference", base)):
        if found.count < minimum:
            values = f"{found.count:,} value{'' if found.count == 1 else 's'}"
            have = values if found.count else "no values"
            return Column(name, kind), f"{have} in {_the(side)}; needs {minimum:,}", True
    return Column(name, kind), "", True


def _filled(side: Values, rows: int, column: Column) -> Any:
    """The data, of the column's kind also where a side has no value."""
    import numpy as np

    if side.count or column.kind == "time":
        return side.data
    return np.full(rows, np.nan) if column.kind == "number" else np.full(rows, None, dtype=object)


def _drift(
    monitor: Monitor, seen: Screened, watch: Watch, methods: Sequence[Method]
) -> Iterator[Score]:
    found: Mapping[str, tuple[str, float] | str] = {}
    if seen.comparable:
        found = monitor.drift(seen.current, seen.reference, seen.comparable, watch.thresholds)
    for name, subject in seen.order.items():
        if name in seen.refused:
            yield seen.refused[name]
            continue
        answer = found.get(name, "the monitor did not answer")
        if isinstance(answer, str):
            yield Score(name, subject, not_computed=answer)
            continue
        method = method_named(methods, answer[0])
        if math.isfinite(answer[1]):
            threshold = threshold_of(name, method, watch.thresholds)
            yield Score(name, subject, method.name, float(answer[1]), threshold, method.direction)
        else:
            yield Score(name, subject, method.name, not_computed=f"{method.name} gave no number")


def _quality(monitor: Monitor, seen: Screened, watch: Watch) -> Iterator[Score]:
    rows = {"current": len(seen.current), "reference": len(seen.reference)}
    for side, count in rows.items():
        if count < watch.minimum:
            text = f"{count:,} rows in {_the(side)}; needs {watch.minimum:,}"
            yield Score("", "quality", not_computed=text)
            return
    if seen.columns:
        found = computed(monitor.quality, seen.current, seen.reference, seen.columns)
        if isinstance(found, str):
            yield Score("", "quality", not_computed=found)
            return
        for one in found:
            yield one.held("quality", one.reference + watch.margin)


def _histograms(seen: Screened) -> Iterator[tuple[str, Histogram]]:
    for column in seen.comparable:
        sides = (frame[column.name].to_numpy() for frame in (seen.current, seen.reference))
        yield column.name, histogram(column.kind, *sides)


def _side(frame: pd.DataFrame, time: str) -> Side:
    """Rows, and the first and last moment of a column or of the index's level ``time``."""
    import pandas as pd

    names = [str(name) for name in frame.columns]
    if time and time in names:
        moments = frame.iloc[:, names.index(time)]
    elif "time" in frame.index.names and not time:
        moments = frame.index.get_level_values("time").to_series()
    else:
        return Side(len(frame))
    # A watch that names another column is refused; nobody named the index's level.
    if not pd.api.types.is_datetime64_any_dtype(moments.dtype):
        return Side(len(frame))
    moments = moments.dropna()
    if moments.empty:
        return Side(len(frame))
    return Side(len(frame), moments.min().isoformat(), moments.max().isoformat())


def _the(side: str) -> str:
    return "the reference" if side == "reference" else side
