"""Leases: a run that somebody works on after its end, to publish it, is not collected meanwhile.

A lease is an empty object ``leases/<run id>/<time>-<process id>``, removed when the work is done. A
process that is killed leaves it behind; it then counts for ``HOLD`` seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stackyard.store.backend import Backend

HOLD = 3600.0


@contextmanager
def hold(backend: Backend, run_id: str) -> Iterator[None]:
    """Keep the run and what it needs as long as the block lasts."""
    key = f"leases/{run_id}/{time.time_ns():020d}-{os.getpid()}"
    backend.put_if_absent(key, b"", durable=False)
    try:
        yield
    finally:
        backend.delete(key)


def held(backend: Backend) -> set[str]:
    """The runs that are held."""
    since = time.time() - HOLD
    leases = backend.sizes("leases/").items()
    return {key.split("/")[1] for key, (_, written) in leases if written > since}


def clear(backend: Backend) -> None:
    """Remove the leases of processes that were killed."""
    since = time.time() - HOLD
    for key, (_, written) in backend.sizes("leases/").items():
        if written <= since:
            backend.delete(key)
