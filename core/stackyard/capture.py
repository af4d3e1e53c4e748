"""What a step prints and logs, kept for its record while it also goes where it always went."""

from __future__ import annotations

import io
import logging
import sys
from collections import deque
from typing import TextIO

HALF = 2 * 1024 * 1024  # characters kept of the beginning of a step's output, and of its end


class _Tee(io.TextIOBase):
    """A text stream that keeps what is written and passes it on to ``through``, if there is one."""

    encoding = "utf-8"

    def __init__(self, through: TextIO | None) -> None:
        self._through = through
        self._begin: list[str] = []
        self._room = HALF  # in the beginning
        self._end: deque[str] = deque()
        self._size = 0  # of the end
        self._lost = 0  # characters between the two

    def write(self, text: str) -> int:
        if self._through is not None:
            self._through.write(text)
        if self._room:
            self._begin.append(text[: self._room])
        rest = text[self._room :]
        self._room = max(0, self._room - len(text))
        if rest:
            self._end.append(rest[-HALF:])
            self._size += len(self._end[-1])
            self._lost += len(rest) - len(self._end[-1])
            while self._size - len(self._end[0]) >= HALF:
                self._size -= len(self._end[0])
                self._lost += len(self._end.popleft())
        return len(text)

    @property
    def text(self) -> str:
        """What was written, without the middle of what is too long."""
        cut = f"\n... {self._lost} characters were not kept ...\n" if self._lost else ""
        return "".join([*self._begin, cut, *self._end])

    def flush(self) -> None:
        if self._through is not None:
            self._through.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False


class Capture:
    """Within it, ``sys.stdout``, ``sys.stderr`` and the root logger are kept in ``text``.

    ``through`` also lets everything pass to standard error (as a task of an orchestrator wants
    it); otherwise it is only kept, so that it does not break a live view. Steps of one process run
    one after the other, so that replacing the streams is safe.
    """

    def __init__(self, *, through: bool) -> None:
        self._tee = _Tee(sys.stderr if through else None)
        self._handler = logging.StreamHandler(self._tee)
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def __enter__(self) -> Capture:
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout = sys.stderr = self._tee
        root = logging.getLogger()
        root.addHandler(self._handler)
        return self

    def __exit__(self, *error: object) -> None:
        sys.stdout, sys.stderr = self._streams
        logging.getLogger().removeHandler(self._handler)

    @property
    def text(self) -> str:
        """What was kept so far."""
        return self._tee.text
