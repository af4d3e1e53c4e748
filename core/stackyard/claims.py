"""First-writer-wins facts of one run, as components see them (``components.base.Claims``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackyard.store.run_records import Records


@dataclass(frozen=True)
class RunClaims:
    """The claims of the run ``run_id`` in the store."""

    records: Records
    run_id: str

    def claim(self, name: str, value: str) -> str:
        """Store ``value`` under ``name`` unless somebody did before; return what is stored."""
        return self.records.claim(self.run_id, name, value)

    def get(self, name: str) -> str | None:
        """Return what is stored under ``name``."""
        return self.records.claimed(self.run_id, name)
