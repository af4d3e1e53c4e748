"""What is wrong with a watch, before anything is computed, and what it makes of each column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from stackyard.components.monitor import Method, Watch
from stackyard.components.monitor_report import Subject
from stackyard.errors import InvalidInput, suggest

if TYPE_CHECKING:
    import pandas as pd


def check_watch(
    watch: Watch, frames: Mapping[str, pd.DataFrame], methods: Sequence[Method]
) -> None:
    """Refuse a watch that cannot be, or frames with two columns of one name.

    Args:
        watch: what is asked.
        frames: ``current`` and ``reference``.
        methods: those of the monitor.

    Raises:
        InvalidInput: everything that is wrong, at once.
    """
    names = {side: [str(name) for name in frame.columns] for side, frame in frames.items()}
    have = list(dict.fromkeys([*names["reference"], *names["current"]]))
    found = [*_frames(names), *_columns(watch, have), *_methods(watch, methods, have)]
    found += _time(watch.time, frames)
    if not 0 < watch.share <= 1:
        found.append(f"share is {watch.share}: it is above 0 and at most 1")
    if watch.minimum < 2:
        found.append(f"minimum is {watch.minimum}: it is at least 2")
    if not 0 <= watch.margin < math.inf:
        found.append(f"margin is {watch.margin}: it is 0 or more")
    if found:
        raise InvalidInput(f"monitor: {'; '.join(found)}")


def roles(watch: Watch, names: Mapping[str, Sequence[str]]) -> dict[str, Subject]:
    """The columns that are told of, and as what, in order."""
    other = {*watch.predictions, *watch.ignore, *filter(None, (watch.label, watch.time))}
    told = [n for n in dict.fromkeys([*names["reference"], *names["current"]]) if n not in other]
    found: dict[str, Subject] = dict.fromkeys(watch.inputs or told, "input")
    return found | dict.fromkeys(watch.predictions, "prediction")


def _frames(names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for side, have in names.items():
        double = sorted({name for name in have if have.count(name) > 1})
        if double:
            yield f"{side} has more than one column {', '.join(map(repr, double))}"


def _columns(watch: Watch, have: Sequence[str]) -> Iterator[str]:
    asked = {
        "inputs": watch.inputs,
        "predictions": watch.predictions,
        "label": (watch.label,) if watch.label else (),
        "time": (watch.time,) if watch.time else (),
        "ignore": watch.ignore,
        "deciding": watch.deciding,
        "methods": tuple(watch.methods),
    }
    for what, listed in asked.items():
        if isinstance(listed, str):
            yield f"{what} is a text: write a list of columns"
            continue
        for name in listed:
            if name not in have:
                near = suggest(name, tuple(have)) or f" Columns: {', '.join(have[:10])}"
                yield f"{what}: neither frame has a column {name!r}.{near}"
    for name in watch.deciding if watch.inputs else ():
        if name in have and name not in watch.inputs:
            yield f"deciding: column {name!r} is not among the inputs"
    single = ("inputs", "predictions", "label", "time", "ignore")
    for name in have:
        twice = [what for what in single if name in asked[what]]
        if len(twice) > 1:
            yield f"column {name!r} is among {' and '.join(twice)}"
    if watch.label and not watch.predictions:
        yield "label: name the predictions that are held against it"


def _time(time: str, frames: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    import pandas as pd

    for side, frame in frames.items():
        for name, dtype in frame.dtypes.items():
            times = pd.api.types.is_datetime64_any_dtype(dtype)
            if time and str(name) == time and len(frame) and not times:
                yield f"time: column {time!r} holds no times but {dtype} in {side}"


def _methods(watch: Watch, methods: Sequence[Method], have: Sequence[str]) -> Iterator[str]:
    known = {method.name: method for method in methods}
    kinds = {"number": watch.number, "category": watch.category}
    for what, name in {**watch.methods, **kinds}.items():
        if name and name not in known:
            near = suggest(name, tuple(known))
            yield f"{what}: there is no method {name!r}. Methods: {', '.join(known)}.{near}"
        elif name and what in kinds and what not in known[name].kinds:
            yield f"{what}: method {name!r} is for {' and '.join(known[name].kinds)} only"
    for name, threshold in watch.thresholds.items():
        if name not in have and name not in known:
            near = suggest(name, (*have, *known))
            yield f"thresholds: {name!r} is neither a column nor a method.{near}"
        elif name in have and name in known:
            yield f"thresholds: {name!r} is a column and a method: rename the column"
        elif name in have and name not in watch.methods and not all(kinds.values()):
            # Which is chosen depends on the data, and one's threshold means nothing to another.
            yield f"thresholds: say in methods by which method {name!r} is compared"
        if not 0 < threshold < math.inf:
            yield f"thresholds: {name!r} is {threshold}: it is above 0"
