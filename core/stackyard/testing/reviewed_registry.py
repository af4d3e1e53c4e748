"""A model registry in memory that is asked for an alias, and in which a reviewer decides."""

from __future__ import annotations

from typing import Any, NamedTuple

from stackyard.components.base import Context
from stackyard.components.registry import Promotion
from stackyard.errors import NotFound, Unsupported
from stackyard.testing.memory_registry import MemoryRegistry


class _Asked(NamedTuple):
    name: str
    alias: str
    version: str


class ReviewedRegistry(MemoryRegistry):
    """As ``MemoryRegistry``, but an alias is requested; ``decide`` is the reviewer's answer."""

    def __init__(self, config: Any = None, context: Context | None = None) -> None:
        super().__init__(config, context)
        self._requests: dict[str, tuple[_Asked, Promotion]] = {}

    def of(self, context: Context) -> ReviewedRegistry:
        """The same models and requests, as another step or run sees them."""
        other = ReviewedRegistry(self.config, context)
        other._models, other._copies, other._requests = self._models, self._copies, self._requests
        return other

    @property
    def capabilities(self) -> frozenset[str]:
        """``request``, and not ``alias``."""
        return frozenset({"request"})

    def request_alias(self, name: str, alias: str, version: str, *, why: str = "") -> Promotion:
        """Ask; pending until ``decide``."""
        self.get(name, version)
        wanted = _Asked(name, alias, version)
        for asked, promotion in self._requests.values():
            if asked == wanted and promotion.status == "pending":
                return promotion
        promotion = Promotion("pending", str(len(self._requests) + 1))
        self._requests[promotion.id] = (wanted, promotion)
        return promotion

    def promotion(self, id: str) -> Promotion:
        """How a request stands."""
        if id not in self._requests:
            have = ", ".join(self._requests) or "none"
            raise NotFound(f"there is no request {id!r}. Requests: {have}")
        return self._requests[id][1]

    def decide(self, id: str, *, grant: bool, reason: str = "") -> None:
        """Answer a pending request; granted, the alias is moved."""
        asked, promotion = self._requests[id]
        if promotion.status != "pending":
            raise Unsupported(f"request {id!r} is {promotion.status} already")
        if grant:
            self.move_alias(asked.name, asked.alias, asked.version)
        self._requests[id] = (asked, Promotion("granted" if grant else "refused", id, reason))
