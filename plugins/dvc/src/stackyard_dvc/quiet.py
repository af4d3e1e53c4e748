"""DVC's surroundings: what it would print is told by our errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("dvc", "dvc_data", "dvc_objects")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep DVC's loggers silent; afterwards they are as they were."""
    import dvc  # noqa: F401  (which sets its loggers up when it is imported first)

    before = [(logger, logger.level) for logger in map(logging.getLogger, _TALKERS)]
    try:
        for logger, _ in before:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)
