"""Files and folders that appear in their place whole, in one step of the file system."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stackyard.errors import AlreadyExists

_NOT_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
_NO_LOCK = (OSError, ImportError)  # another's, or there are none on this file system, or system


@contextmanager
def made_whole(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a path beside ``target`` to make a file or folder at; it then takes the target's place.

    With ``overwrite``, whatever is at ``target`` goes; without, only an empty folder does, also if
    something was put there meanwhile. Where making it fails, ``target`` is as it was; also where
    the process is killed, if the system can swap two paths in one step, as Linux does. What a
    killed process left is removed by the next one that makes the same.

    Raises:
        AlreadyExists: without ``overwrite``: something is there.
        OSError: it cannot be put there; ``target`` is as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{target.name[:50]}.stackyard-"
    _clear(target.parent, mark)
    with ExitStack() as stack:
        # What is made comes to be in a folder that is held before anyone takes it for left.
        made = Path(tempfile.mkdtemp(prefix=".stackyard-", dir=target.parent))
        with contextlib.suppress(*_NO_LOCK):
            stack.enter_context(_held(made))
        folder = made.rename(made.with_name(mark + made.name[-8:]))
        beside = folder / target.name
        try:
            yield beside
            if not overwrite:
                _put_new(beside, target)
            else:
                _put_over(beside, target)
        finally:  # with what was not put there, or what was there before
            shutil.rmtree(folder, ignore_errors=True)


def _clear(parent: Path, mark: str) -> None:
    """Remove the folders that nobody holds any more."""
    for left in [path for path in parent.iterdir() if path.name.startswith(mark)]:
        with contextlib.suppress(*_NO_LOCK), _held(left):
            # Where locks do not reach another machine, what it is making fails; its target stays.
            shutil.rmtree(left.rename(f"{left}-"), ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder until this process is done with it, or dead.

    Raises:
        ImportError, OSError: it is held, or cannot be.
    """
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _put_new(one: Path, other: Path) -> None:
    """Move to where nothing is, or an empty folder: a look beforehand would not tell for sure."""
    try:
        if one.is_dir():
            os.rename(one, other)  # POSIX: takes the place of no folder but an empty one
            return
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.rmdir(other)
        os.link(one, other)
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise AlreadyExists(
            f"{other}: something was put there meanwhile; nothing was written. Choose another "
            "target: --to PATH"
        ) from exc


def _put_over(one: Path, other: Path) -> None:
    """Move to where anything may be, or come to be at this moment; that is at ``one`` then."""
    while not _exchange(one, other):
        try:
            os.rename(one, other)
            return
        except OSError:
            if not os.path.lexists(other):
                raise


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths swap; False where ``other`` is not there."""
    if not os.path.lexists(other):
        return False
    if not _swapped(one, other):
        # Stays after a kill.
        aside = other.with_name(f".{other.name[:50]}.{os.urandom(4).hex()}.old")
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
