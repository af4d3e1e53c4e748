"""Feast's surroundings: what it prints stays away from the terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator

# The streams belong to the process.
_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow progress bars, coloured lines and warnings; errors come as exceptions."""
    log = logging.getLogger("feast")
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = log.level
        log.setLevel(logging.ERROR)
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                yield
        finally:
            log.setLevel(before)
