"""Histories of what outlives a run, as a table or a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stackyard.cli import output
from stackyard.errors import UsageError
from stackyard.store.history import StoreHistory

Cell = Callable[[dict[str, Any]], str]


def show_history(
    history: StoreHistory, name: str, columns: Mapping[str, Cell], *, none: str, json: bool
) -> int:
    """Show every change of ``name``: when, what the columns say, who, in which run, and why.

    Raises:
        UsageError: there is none; ``none`` says of what, and the names that have some follow.
    """
    changes = history.read(name)
    if not changes:
        raise UsageError(f"{none}: {', '.join(history.names()) or 'none'}")
    if json:
        output.json_document({"name": name, "changes": changes})
        return 0
    rows = [
        (
            output.when(change["time"]),
            *(cell(change) for cell in columns.values()),
            change["actor"],
            change["run"] or "by hand",
            change["why"],
        )
        for change in changes
    ]
    output.table(rows, ("when", *columns, "who", "run", "why"))
    return 0
