"""Texts that are none: half of a surrogate pair fits into a Python string, and into no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def broken_texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Texts in plain data that UTF-8 cannot hold, with where they are: ``steps.load.doc``."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            yield where.removeprefix("."), value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from broken_texts(key, where)
            yield from broken_texts(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            name = item.get("name", number) if isinstance(item, dict) else number
            yield from broken_texts(item, f"{where}.{name}")
