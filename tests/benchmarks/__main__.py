"""``python -m tests.benchmarks``: every budget of the design, measured on this machine."""

from __future__ import annotations

import sys

from tests.benchmarks import (
    core,
    features,
    frames,
    monitoring,
    on_airflow,
    serving,
    tracking,
    validating,
    versioning,
)
from tests.benchmarks.measuring import print_rows

kept = [core.main(), frames.main()]
kept += [
    print_rows(part.rows())
    for part in (tracking, versioning, validating, monitoring, features, serving, on_airflow)
]
sys.exit(0 if all(kept) else 1)
