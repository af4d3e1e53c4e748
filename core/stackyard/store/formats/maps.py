"""Files as memory that belongs to the reader alone."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

SMALL = 64 * 1024  # below, a file is read rather than mapped


def private(path: Path) -> Any:
    """The file's bytes; a change to them is seen nowhere else and never reaches the file.

    A map costs well under a millisecond whatever the size, and memory only for pages that are
    changed. numpy over the map itself may write to it; over an Arrow buffer of it, it may not.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < SMALL:
            return bytearray(file.read())
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
