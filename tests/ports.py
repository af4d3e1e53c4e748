"""Ports of this machine for the servers of tests, and ports on which there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from stackyard.loopback import free_port as free_port


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections; held, so that nobody begins to listen on it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
