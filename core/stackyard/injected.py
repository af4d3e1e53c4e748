"""What a step is given by its stack, closed when the step has ended."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackyard.components.base import Component
    from stackyard.signature import Resource


class Injected:
    """The components and resources of one attempt; leaving it closes them, the last one first.

    Each is closed whatever happens. What closing raises is the step's failure, unless the step
    has failed already: then it is printed into the step's log.
    """

    def __init__(self) -> None:
        self._open: list[Component | Resource] = []

    def add(self, injected: Component | Resource | None) -> None:
        """Close it, too; None stands for an optional one that the stack lacks."""
        if injected is not None:
            self._open.append(injected)

    def __enter__(self) -> Injected:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        first: Exception | None = None
        for injected in reversed(self._open):
            try:
                injected.close()
            except Exception as exc:  # a plugin's or the user's own code may raise anything
                if kind is None and first is None:
                    first = exc
                else:
                    traceback.print_exc()
        if first is not None:
            raise first
