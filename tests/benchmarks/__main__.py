"""``python -m tests.benchmarks``: every budget of the design, measured on this machine."""

from __future__ import annotations

import sys

from tests.benchmarks import core, frames

kept = [core.main(), frames.main()]
sys.exit(0 if all(kept) else 1)
