"""What steps print: kept in the store, and the end of it read back for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.errors import StoreError

if TYPE_CHECKING:
    from stackyard.store.records import AttemptRecord
    from stackyard.store.store import Store

LINES = 20  # of a step that ended, told while its run goes on


def keep(store: Store, text: str) -> str | None:
    """Keep what a step printed; return its digest, None where there is nothing."""
    if not text.strip():
        return None
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.txt"
        path.write_text(text, encoding="utf-8", errors="replace")
        return store.artifacts.keep(path)


def last_lines(store: Store, record: AttemptRecord, lines: int) -> tuple[str, ...]:
    """The last lines of what an attempt printed; why, where they cannot be read."""
    if record.log is None:
        return ()
    try:
        text = store.artifacts.fetch(record.log).read_text("utf-8", "replace")
    except StoreError as exc:  # how a run went is also of use without its logs
        return (f"({exc})",)
    return tuple(text.splitlines()[-lines:])


def how_it_ended(store: Store, record: AttemptRecord) -> tuple[str, ...]:
    """The last lines of what an attempt printed, then of its traceback without the error."""
    trace, error = (record.traceback or "").splitlines(), (record.error or "").splitlines()
    if trace and error and trace[-1].endswith(error[-1]):
        trace = trace[: -len(error)]
    return (*last_lines(store, record, LINES), *trace)[-LINES:]
