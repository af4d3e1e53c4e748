"""What a stack file may say about serving with BentoML."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BentomlConfig:
    """How endpoints are served on this machine.

    Attributes:
        port: Port of the endpoint, for a stack that has one endpoint only. Left out: each endpoint
            gets a free port, which it keeps.
        ready_within: Seconds that an endpoint's processes, and a model, may take to get ready.
            The champion's requests wait as long for a process that is started again.
        answer_within: Seconds that the version beside the champion may take to answer a request;
            then the champion answers it.
        max_request: Bytes of the largest request that is taken.
        log: Whether answers are kept in the inference log.
        log_every: Seconds after which what was answered is written to the log.
        log_memory: Bytes of requests and answers that may wait to be written, and of copies that
            may wait for the shadow; what comes when they are full is answered and left out of the
            log.
    """

    port: int | None = None
    ready_within: float = 90.0
    answer_within: float = 10.0
    max_request: int = 8 * 1024 * 1024
    log: bool = True
    log_every: float = 10.0
    log_memory: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is no port. Ports are 1 to 65535")
        for key in ("ready_within", "answer_within", "max_request", "log_every", "log_memory"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key}: must be more than 0")
