"""Files of the cache folder: each whole or not there, and nobody misses one that is deleted."""

from __future__ import annotations

import os
from pathlib import Path

from stackyard.whole_file import write_whole


def write_atomically(path: Path, data: bytes, *, keep: int) -> None:
    """Write a file whole or not at all; that it cannot be written is no error.

    Where the folder then holds more than ``keep`` files, the older half goes.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        with os.scandir(path.parent) as entries:
            files = list(entries)
        if len(files) > keep:
            for entry in sorted(files, key=lambda e: e.stat().st_mtime)[: len(files) // 2]:
                os.unlink(entry.path)
    except OSError:
        return
