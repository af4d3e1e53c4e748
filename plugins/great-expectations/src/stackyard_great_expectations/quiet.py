"""Great Expectations without its noise, one thread at a time."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# The tool keeps one current context per process, and its log has one end.
_lock = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, the tool logs, warns and prints nothing; other threads wait."""
    log = logging.getLogger("great_expectations")
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Loggers below it have levels of their own: what they say ends here.
        before = log.handlers, log.propagate
        log.handlers, log.propagate = [logging.NullHandler()], False
        try:
            yield
        finally:
            log.handlers, log.propagate = before
