"""Ports of this machine for the servers of tests, and ports on which there is none."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager


def free_port() -> int:
    """A port on which a server can be started.

    It is below those that the system gives to outgoing connections, so that nothing of what runs
    beside the tests takes it before the server does.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections; held, so that nobody begins to listen on it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
