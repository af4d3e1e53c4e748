"""DVC's surroundings: what it would print is told by our errors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("dvc", "dvc_data", "dvc_objects")
_lock = threading.Lock()
_inside: list[dict[str, int]] = []  # the levels that were, once for each thread that is inside


@contextmanager
def quiet() -> Iterator[None]:
    """Keep DVC's loggers silent; when the last thread is out, they are as they were."""
    import dvc  # noqa: F401  (which sets its loggers up when it is imported first)

    with _lock:
        was = {name: logging.getLogger(name).level for name in _TALKERS}
        _inside.append(_inside[0] if _inside else was)
        for name in _TALKERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        with _lock:
            before = _inside.pop()
            for name in () if _inside else _TALKERS:
                logging.getLogger(name).setLevel(before[name])
