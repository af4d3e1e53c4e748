"""A plugin's author sees what a guarantee compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TEST = """
from stackyard.testing import MemoryTracker, StoredRun, TrackerContract


class TestOdd(TrackerContract):
    def connect(self, context):
        return MemoryTracker(None, context)

    def read(self, tracker, tracking_id):
        return StoredRun({}, {}, {"t": "an odd value"}, {}, "succeeded")
"""


def test_a_broken_guarantee_shows_the_values(tmp_path: Path) -> None:
    (tmp_path / "test_odd.py").write_text(TEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "test_09", "-p", "no:cacheprovider", "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "AssertionError: assert 'an odd value' == 'new'" in done.stdout, done.stdout
    assert "1 failed" in done.stdout
