"""Configuration as plain JSON data, for cache keys and records."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from stackyard.components.base import Secret


def as_json(value: Any, *, secrets: bool = False) -> Any:
    """``value`` as JSON data; secrets left out, or as references."""
    if isinstance(value, Mapping):
        return {
            str(k): as_json(v, secrets=secrets)
            for k, v in value.items()
            if secrets or not isinstance(v, Secret)
        }
    if isinstance(value, set | frozenset):
        return sorted((as_json(v, secrets=secrets) for v in value), key=repr)
    if isinstance(value, list | tuple):
        return [as_json(v, secrets=secrets) for v in value if secrets or not isinstance(v, Secret)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return as_json(fields, secrets=secrets)
    if isinstance(value, Enum):
        return as_json(value.value, secrets=secrets)
    if isinstance(value, Secret | PurePath):
        return str(value)
    return value if isinstance(value, str | int | float | None) else str(value)
