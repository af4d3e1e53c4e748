"""Whether a process lives that a record names by its number."""

from __future__ import annotations

import os


def alive(pid: int, since: float) -> bool:
    """Whether process ``pid`` lives and is not a later one that was given the same number."""
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    import psutil

    try:
        process = psutil.Process(pid)
        zombie: bool = process.status() == psutil.STATUS_ZOMBIE
        return not zombie and process.create_time() <= since + 2
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # somebody else's process, but there is one
        return True
