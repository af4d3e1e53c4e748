"""``python -m tests.benchmarks``: every budget of the design, measured on this machine."""

from __future__ import annotations

import sys

from tests.benchmarks import core, frames, on_airflow, tracking
from tests.benchmarks.measuring import print_rows

kept = [core.main(), frames.main(), print_rows(tracking.rows()), print_rows(on_airflow.rows())]
sys.exit(0 if all(kept) else 1)
