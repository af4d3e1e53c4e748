"""Keeping what was answered, in the background: no answer waits for it, or fails because of it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackyard.components.registry import Signature
from stackyard.inference_writer import Inference, Role, write_inferences

logger = logging.getLogger("bentoml")  # which the server writes to its log

# Written in one go, parsed into some ten times their bytes meanwhile.
BATCH = 2_000  # requests
BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Exchange:
    """One request and its answer as they went over the wire; with an ``error``, neither."""

    time: float
    version: str
    role: Role
    latency: float
    id: str
    request: bytes = b""
    response: bytes = b""
    error: str = ""

    @property
    def size(self) -> int:
        """Bytes that it takes while it waits."""
        return len(self.request) + len(self.response) + len(self.error) + 200


class Log:
    """A queue of limited size, and a thread that writes it to the inference log.

    Args:
        folder: Where the log is.
        signatures: What each version takes, now.
        every: Seconds between writing.
        memory: Bytes that may wait; what comes beyond them is left out.
    """

    def __init__(
        self,
        folder: Path,
        signatures: Callable[[], Mapping[str, Signature]],
        *,
        every: float,
        memory: int,
    ) -> None:
        self._folder = folder
        self._signatures = signatures
        self._every = every
        self._memory = memory
        self._waiting: deque[Exchange] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # one writer at a time
        self._over = threading.Event()
        self.left_out = 0
        self.fault = ""  # why the last batch could not be written
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)
        self._thread.start()

    def put(self, exchange: Exchange) -> None:
        """Take an exchange to be written, if there is room for it."""
        with self._lock:
            if self._bytes + exchange.size > self._memory:
                self.left_out += 1
                return
            self._waiting.append(exchange)
            self._bytes += exchange.size

    def flush(self) -> None:
        """Write what waits. Nothing is raised: see ``fault``."""
        with self._writing:
            while batch := self._next():
                self._write(batch)

    def close(self) -> None:
        """Write what waits, and end."""
        self._over.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self.flush()

    def _next(self) -> list[Exchange]:
        with self._lock:
            batch: list[Exchange] = []
            size = 0
            while self._waiting and len(batch) < BATCH and size < BATCH_BYTES:
                batch.append(self._waiting.popleft())
                size += batch[-1].size
            return batch

    def _write(self, batch: list[Exchange]) -> None:
        try:
            write_inferences(self._folder, map(_inference, batch), self._signatures())
            self.fault = ""
        except Exception as exc:  # a full disk above all; the next batch may fare better
            self.fault = f"{type(exc).__name__}: {exc}"
            logger.warning("the inference log lacks %d answers: %s", len(batch), self.fault)
            with self._lock:
                self.left_out += len(batch)
        finally:
            with self._lock:
                self._bytes -= sum(one.size for one in batch)


def _inference(one: Exchange) -> Inference:
    import msgspec

    facts = (one.time, one.version, one.role, one.latency)
    if one.error:
        return Inference(*facts, one.id, error=one.error)
    request, response = map(msgspec.json.decode, (one.request, one.response))
    return Inference(*facts, response["id"], request, response)
