"""Files and folders that appear in their place whole, in one step of the file system."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOT_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Give a path beside ``target`` to make a file or folder at; it then takes the target's place.

    Whatever is at ``target`` goes. Where making it fails, or the process is killed, ``target`` is
    as it was.

    Raises:
        OSError: it cannot be put there; ``target`` is as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name[:200]}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        yield beside
        if not _exchange(beside, target):
            os.rename(beside, target)
    finally:
        _remove(beside)  # what was not put there, or what was there before


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths swap; False where ``other`` is not there."""
    if not os.path.lexists(other):
        return False
    if not _swapped(one, other):
        aside = one.with_name(f"{one.name}.old")
        os.rename(other, aside)
        try:
            os.rename(one, other)
        except BaseException:  # also Ctrl-C: the old one goes back
            os.rename(aside, other)
            raise
        os.rename(aside, one)
    return True


def _swapped(one: Path, other: Path) -> bool:
    """Swap in one step, so that a kill finds one or the other; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
    if rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
