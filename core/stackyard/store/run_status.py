"""How a run stands: its records say how it ended, its process whether it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, TypeAlias

from stackyard.store.alive import alive
from stackyard.store.records import RunRecord, host_name

if TYPE_CHECKING:
    from stackyard.store.run_records import Records

Status: TypeAlias = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]
LEASE = 24 * 3600.0  # seconds that a run without a process of its own may be silent


def run_status(records: Records, run_id: str, lease: float = LEASE) -> Status:
    """Return how the run ended, or whether it is under way or was interrupted.

    A run is under way while its process lives, where that is a process of this machine; else as
    long as its newest record is younger than ``lease`` seconds.
    """
    end = records.ended(run_id)
    if end is not None:
        return end.status
    return "running" if under_way(records, records.run(run_id), lease) else "interrupted"


def under_way(records: Records, record: RunRecord, lease: float = LEASE) -> bool:
    """Whether a run that has no end yet is under way; see ``run_status``."""
    if record.pid and record.host == host_name():
        return alive(record.pid, record.started)
    prefix = f"runs/{record.run_id}/"
    times = (modified for _, modified in records.backend.sizes(prefix).values())
    return time.time() - max(times, default=record.started) < lease
