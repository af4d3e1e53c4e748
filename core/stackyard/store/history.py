"""What was done to things that outlive a run: entries that are appended and never changed.

history/<kind>/<name>/<nanoseconds in 20 digits>-<process>.json
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stackyard.components.base import redact

if TYPE_CHECKING:
    from stackyard.store.backend import Backend


@dataclass(frozen=True)
class StoreHistory:
    """The entries of one kind, e.g. ``registry``, in a store."""

    backend: Backend
    kind: str

    def add(self, entry: Any) -> None:
        """Append a frozen entry about ``entry.name``."""
        data = redact(json.dumps(asdict(entry), sort_keys=True)).encode()
        key = f"history/{self.kind}/{entry.name}/{time.time_ns():020}-{os.urandom(4).hex()}.json"
        self.backend.put_if_absent(key, data)

    def read(self, name: str) -> list[dict[str, Any]]:
        """All entries about ``name``, oldest first."""
        keys = self.backend.list(f"history/{self.kind}/{name}/")
        found = self.backend.get_many(keys)
        return [json.loads(found[key]) for key in keys if key in found]

    def names(self) -> list[str]:
        """What there are entries about."""
        return self.backend.children(f"history/{self.kind}")
