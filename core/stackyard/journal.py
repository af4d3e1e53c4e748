"""The journal of a running attempt: what the components of its step write into its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackyard.components.base import redact


class StepJournal:
    """The journal of the running attempt: what its components write into the record."""

    def __init__(self, keep: Callable[[Path], str], component: str) -> None:
        self.entries: list[dict[str, Any]] = []
        self._keep = keep
        self._component = component

    def for_component(self, name: str) -> StepJournal:
        """The same journal, written by the component ``name``."""
        view = StepJournal(self._keep, name)
        view.entries = self.entries
        return view

    def add(self, entry: Any) -> None:
        """Append a frozen entry."""
        row = {"component": self._component, "type": type(entry).__name__}
        self.entries.append(row | _redacted(asdict(entry)))

    def keep(self, path: Path) -> str:
        """Copy a file or folder into the store; return its digest."""
        return self._keep(path)


def _redacted(value: Any) -> Any:
    """Plain data with secrets replaced in all of its texts."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(one) for one in value]
    return value
