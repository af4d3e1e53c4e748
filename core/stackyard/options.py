"""Options of a step as written, checked and made plain."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from types import CodeType, FunctionType
from typing import Any

from stackyard.errors import PipelineError, suggest
from stackyard.graph import StepOptions
from stackyard.location import defined
from stackyard.target import target_of

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+")


def seconds(duration: float | str | timedelta) -> float:
    """Return a duration in seconds: a number, a timedelta, or text such as ``20m`` or ``1h 30m``.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        if 0 <= duration < float("inf"):
            return float(duration)
    elif isinstance(duration, str):
        text = duration.strip()
        if _WHOLE.fullmatch(text):
            return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        if re.fullmatch(r"\d+(?:\.\d+)?", text):
            return float(text)
    raise ValueError(
        f"{duration!r} is no duration. Write seconds, or e.g. '90s', '20m', '2h', '1d'"
    )


def read_options(given: Mapping[str, Any], code: CodeType) -> StepOptions:
    """Return the options of the step with this ``code``.

    Raises:
        PipelineError: an option is unknown or wrong.
    """
    label = f"{defined(code)}: step {code.co_name!r}"
    for name in given:
        if name not in _READERS:
            raise PipelineError(
                f"{label}: unknown option {name!r}. Options: "
                f"{', '.join(_READERS)}.{suggest(name, tuple(_READERS))}"
            )
    values: dict[str, Any] = {}
    for name, value in given.items():
        try:
            values[name] = read_option(name, value)
        except (ValueError, TypeError) as exc:
            raise PipelineError(f"{label}: option {name!r}: {exc}") from exc
    if values.get("effect") and values.get("cache"):
        raise PipelineError(
            f"{label}: effect=True and cache={given['cache']!r} contradict each other: a step that "
            "changes the world is not skipped. Leave one out"
        )
    return StepOptions(**values)


def read_option(name: str, value: Any) -> Any:
    """Return one option checked and made plain.

    Raises:
        ValueError, TypeError: it is wrong; the message says how.
    """
    return _READERS[name](value)


def _retries(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a number of retries, such as 2")
    return value


def _timeout(value: Any) -> float | None:
    if value is None:
        return None
    limit = seconds(value)
    if not limit:
        raise ValueError("a timeout of 0 stops every step; leave it out for none")
    return limit


def _cache(value: Any) -> bool | float | None:
    return value if value is None or isinstance(value, bool) else seconds(value)


def _effect(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither True nor False")
    return value


def _version(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{value!r} is neither text nor a whole number")
    return str(value)


def _fingerprint(value: Any) -> str | None:
    if value is None:
        return None
    function = getattr(value, "function", value)  # a step is a function too
    if not isinstance(function, FunctionType) or "<" in function.__qualname__:
        raise ValueError(f"{value!r} is not a function at the top level of a module")
    code = function.__code__
    required = code.co_argcount + code.co_kwonlyargcount
    required -= len(function.__defaults__ or ()) + len(function.__kwdefaults__ or {})
    if required:
        raise ValueError(f"{function.__name__}() must need no arguments")
    return target_of(function)


def _emits(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no name of a parameter")
    return value


def _resources(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{value!r} is no mapping, such as {{'cpu': 4, 'memory': '8Gi'}}")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as exc:
        raise ValueError(f"{value!r} holds more than plain values") from exc
    return plain


_READERS: dict[str, Any] = {
    "retries": _retries,
    "retry_delay": seconds,
    "timeout": _timeout,
    "cache": _cache,
    "effect": _effect,
    "version": _version,
    "fingerprint": _fingerprint,
    "resources": _resources,
    "emits": _emits,
}
