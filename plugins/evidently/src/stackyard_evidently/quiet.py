"""Evidently without its traces: telemetry off, no warnings, numpy's random state as it was."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Filters of warnings and numpy's random state are of the process.
_lock = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Within it the tool may be imported and used, and draws the same; other threads wait."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    import numpy as np

    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Some permutation tests of the tool seed numpy anew, others draw from where it stands.
        before = np.random.get_state()
        np.random.seed(0)
        try:
            yield
        finally:
            np.random.set_state(before)
