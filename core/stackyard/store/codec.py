"""Records as JSON and back: msgspec for speed, and what JSON has no words for."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from stackyard.errors import StoreError
from stackyard.store.records import (
    AttemptRecord,
    EndRecord,
    RunRecord,
    attempt_key,
    run_key,
)

R = TypeVar("R", RunRecord, AttemptRecord, EndRecord)
FORMAT = 1
_FREE: dict[type, tuple[str, ...]] = {
    AttemptRecord: ("journal", "values"),
    RunRecord: ("params",),
}
_FLOAT = "$float"  # {"$float": "nan"}: JSON has no NaN and no infinity


def encode(record: R) -> bytes:
    """Return the record as JSON.

    Raises:
        StoreError: it holds something that is no plain data.
    """
    import msgspec

    record = _with_free(record, _float_out)
    try:
        try:
            return bytes(_encoder().encode(record))
        except UnicodeEncodeError:  # half a character, as in a file name that is not UTF-8
            plain = msgspec.to_builtins(record, enc_hook=_hook)
            return bytes(_encoder().encode(_mapped(plain, _text_out)))
    except (TypeError, ValueError) as exc:
        raise StoreError(f"record of run {record.run_id}: {exc}") from exc


def decode(data: bytes, cls: type[R], key: str) -> R:
    """Read a record back.

    Raises:
        StoreError: ``key`` was written by a newer version, or by something else, or holds the
            record of another key: names in a record reach paths, so they are those of its key.
    """
    import msgspec

    try:
        kind: Any = cls
        record: R = _decoder(kind).decode(data)
    except msgspec.MsgspecError as exc:
        raise StoreError(
            f"store record {key} cannot be read: {exc}. Bring it back from a copy of "
            "the store, or delete it: then it is as if it had never been written"
        ) from exc
    if record.format != FORMAT:
        raise StoreError(
            f"store record {key} has format {record.format}; this version of stackyard reads "
            f"{FORMAT}. Install a newer stackyard"
        )
    if not _belongs(record, key):
        raise StoreError(
            f"store record {key} is that of another run or step, {record.run_id!r}: it was moved "
            "or changed, and is not used"
        )
    return _with_free(record, _float_in) if _FLOAT.encode() in data else record


def _belongs(record: RunRecord | AttemptRecord | EndRecord, key: str) -> bool:
    if isinstance(record, RunRecord):
        return key == run_key(record.run_id)
    if isinstance(record, AttemptRecord):
        return key == attempt_key(record.run_id, record.step, record.attempt)
    return key.startswith(f"runs/{record.run_id}/ends/")


def _with_free(record: R, change: Callable[[Any], Any]) -> R:
    """Apply ``change`` to the fields that hold whatever users put there."""
    changed: dict[str, Any] = {}
    for name in _FREE.get(type(record), ()):
        before = getattr(record, name)
        after = _mapped(before, change)
        if after is not before:
            changed[name] = tuple(after) if isinstance(before, tuple) else after
    return replace(record, **changed) if changed else record


@functools.cache
def _encoder() -> Any:
    import msgspec

    return msgspec.json.Encoder(enc_hook=_hook)


@functools.cache
def _decoder(cls: Any) -> Any:
    import msgspec

    return msgspec.json.Decoder(cls)


def _hook(value: Any) -> Any:
    """What msgspec does not know: read-only mappings, paths, numpy's scalars."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    if callable(getattr(value, "item", None)):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data: {value!r}")


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply ``change`` to every leaf and key; the same object where nothing changed."""
    if isinstance(value, Mapping):
        short = change(value)
        if short is not value:
            return short
        made = {change(k): _mapped(v, change) for k, v in value.items()}
        same = all(a is b for a, b in zip(made.values(), value.values(), strict=False))
        return value if same and all(k in value for k in made) else made
    if isinstance(value, list | tuple):
        items = [_mapped(v, change) for v in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return change(value)


def _float_out(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(float(value))}
    return value


def _float_in(value: Any) -> Any:
    if isinstance(value, Mapping) and len(value) == 1:
        text = value.get(_FLOAT)
        if text in ("nan", "inf", "-inf"):
            return float(text)
    return value


def _text_out(value: Any) -> Any:
    if isinstance(value, str):
        plain = value.encode("utf-8", "backslashreplace").decode()
        return value if plain == value else plain
    return value
