"""Files that others read while they are written: each is there whole, old or new, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def write_whole(path: Path, data: bytes | str) -> None:
    """Put ``data`` in the place of a file; of several writers one is last, and none disturbs.

    A link stays, and what it leads to is written; a file keeps its mode; a device or a pipe cannot
    be replaced and is written to.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    raw = data.encode() if isinstance(data, str) else data
    try:
        mode: int | None = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        path.write_bytes(raw)
        return
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb") as file:
            if mode is not None:  # before the content: nobody reads what they could not read
                temporary.chmod(stat.S_IMODE(mode))
            file.write(raw)
        os.replace(temporary, target)
    except BaseException:  # a full disk or Ctrl-C alike: the temporary file goes
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
