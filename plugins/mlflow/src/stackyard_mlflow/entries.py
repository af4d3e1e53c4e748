"""Logged entries in the words and within the limits of MLflow; pure data, no MLflow needed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stackyard.components.tracker import (
    Entry,
    LoggedArtifact,
    LoggedMetric,
    LoggedParam,
    LoggedTag,
)

# What one log_batch request may hold, and what one value may be (mlflow/utils/validation.py).
METRICS, PARAMS, TAGS, ALL = 1000, 100, 100, 1000
REQUEST_BYTES = 900_000
PARAM_CHARACTERS, TAG_CHARACTERS = 6000, 8000
KEY_CHARACTERS = 250

RENAMED = "stackyard.renamed."  # tag: the key as it was logged

_REFUSED = re.compile(r"[^/\w.\- :]")


@dataclass
class Batch:
    """What is to be written to one run, in MLflow's words."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: list[LoggedMetric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # path of a file to write -> its text
    artifacts: dict[str, LoggedArtifact] = field(default_factory=dict)  # path -> entry
    warnings: list[str] = field(default_factory=list)  # a value is not where it was logged
    notes: list[str] = field(default_factory=list)


def translate(
    entries: Iterable[Entry], known: Mapping[str, str], steps: Mapping[tuple[str, str], str]
) -> Batch:
    """Sort ``entries`` out.

    A param is written once: where it has another value already, the first one stays, and the
    other becomes the tag ``<step>.<key>``.

    Args:
        known: The params that the run has.
        steps: Which step logged a param: (key, value) to its name.
    """
    batch = Batch()
    rows = list(entries)
    names = _names([e.key for e in rows if not isinstance(e, LoggedArtifact)], batch)
    for entry in rows:
        if isinstance(entry, LoggedArtifact):
            batch.artifacts[entry.path] = entry
            continue
        key = names[entry.key]
        if isinstance(entry, LoggedMetric):
            batch.metrics.append(LoggedMetric(key, entry.value, entry.step, entry.time))
        elif isinstance(entry, LoggedTag):
            batch.tags[key] = _fit(entry.value, TAG_CHARACTERS, f"stackyard/tags/{key}.txt", batch)
        else:
            _add_param(batch, key, entry, known, steps)
    return batch


def _add_param(
    batch: Batch,
    key: str,
    entry: LoggedParam,
    known: Mapping[str, str],
    steps: Mapping[tuple[str, str], str],
) -> None:
    value = _fit(entry.value, PARAM_CHARACTERS, f"stackyard/params/{key}.txt", batch)
    before = known.get(key, batch.params.get(key))
    if before is None:
        batch.params[key] = value
    elif before != value:
        step = steps.get((entry.key, entry.value), "other")
        tag = f"{step}.{key}"[:KEY_CHARACTERS]
        path = f"stackyard/params/{tag}.txt"
        batch.tags[tag] = _fit(entry.value, TAG_CHARACTERS, path, batch)
        batch.warnings.append(
            f"param {entry.key!r} was logged twice: it stays {_short(before)}, "
            f"and {_short(value)} is the tag {tag!r}"
        )


def _fit(value: str, limit: int, path: str, batch: Batch) -> str:
    """Cut a value that is too long, visibly, and keep the whole of it as a file."""
    if len(value) <= limit:
        return value
    note = f"... ({len(value)} characters; all of them are in the artifact {path})"
    batch.texts[path] = value
    return value[: limit - len(note)] + note


def _names(keys: Sequence[str], batch: Batch) -> dict[str, str]:
    """MLflow's name for each key: its own where MLflow takes it, else one that is similar."""
    names: dict[str, str] = {}
    taken = {key for key in keys if clean(key) == key}
    for key in dict.fromkeys(keys):
        name = clean(key)
        if name != key:
            if name in taken:  # two keys must not become one
                digest = hashlib.sha256(key.encode()).hexdigest()
                name = f"{name[: KEY_CHARACTERS - 9]}-{digest[:8]}"
            taken.add(name)
            batch.tags[f"{RENAMED}{name}"[:KEY_CHARACTERS]] = key
            batch.notes.append(f"key {key!r} is called {name!r} in MLflow")
        names[key] = name
    return names


def clean(key: str) -> str:
    """Replace what MLflow refuses in a key: it may be used as a path and is one normal path."""
    parts = _REFUSED.sub("_", key).split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


@dataclass(frozen=True)
class Request:
    """One ``log_batch`` call."""

    metrics: tuple[LoggedMetric, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


def requests(batch: Batch) -> Iterator[Request]:
    """Cut a batch into calls that a server takes: by number, and by the size of the JSON."""
    params = list(_chunks(list(batch.params.items()), PARAMS))
    tags = list(_chunks(list(batch.tags.items()), TAGS))
    metrics = [batch.metrics[i : i + METRICS] for i in range(0, len(batch.metrics), METRICS)]
    if len(params) <= 1 and len(tags) <= 1 and len(metrics) <= 1:
        few = len(batch.params) + len(batch.tags) + len(batch.metrics)
        size = sum(_bytes(pair) for part in (*params, *tags) for pair in part)
        if few and few <= ALL and size + 150 * few < REQUEST_BYTES:
            yield Request(
                tuple(metrics[0]) if metrics else (),
                tuple(params[0]) if params else (),
                tuple(tags[0]) if tags else (),
            )
            return
    yield from (Request(params=tuple(part)) for part in params)
    yield from (Request(tags=tuple(part)) for part in tags)
    yield from (Request(metrics=tuple(part)) for part in metrics)


def _chunks(pairs: list[tuple[str, str]], limit: int) -> Iterator[list[tuple[str, str]]]:
    part: list[tuple[str, str]] = []
    size = 0
    for pair in pairs:
        grown = size + _bytes(pair)
        if part and (len(part) == limit or grown > REQUEST_BYTES):
            yield part
            part, grown = [], _bytes(pair)
        part.append(pair)
        size = grown
    if part:
        yield part


def _bytes(pair: tuple[str, str]) -> int:
    return len(json.dumps(pair)) + 30
