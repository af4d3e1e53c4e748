"""MLflow's surroundings: silent, and with what belongs to one call only while that call lasts."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# MLflow reads its environment at each call, so what belongs to one call is set around it.
_one_at_a_time = threading.RLock()


@contextmanager
def during(settings: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables (None removes one) and keep quiet; afterwards all is as before."""
    with _one_at_a_time, _set(settings), _calm(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        silence()
        yield


def silence() -> None:
    """Switch off MLflow's telemetry and chatter; must come before it is imported."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Says of every environment made by uv that it has no pip.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    # What a database says is reported by us; MLflow adds its traceback.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def _calm() -> Iterator[None]:
    """A retry is nothing to tell people of; a failure is told by its error."""
    logger = logging.getLogger("urllib3.connectionpool")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _set(values: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    try:
        _put(values)
        yield
    finally:
        _put(before)


def _put(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
