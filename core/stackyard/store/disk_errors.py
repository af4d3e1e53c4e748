"""What the operating system says of a store in a folder, as errors with what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from stackyard.errors import ArtifactNotFound, StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ELSEWHERE = "or choose another place with 'store:' in the stack file"


def unread(root: Path, key: str, exc: OSError) -> StoreError:
    """Why an object of the store at ``root`` cannot be read."""
    if isinstance(exc, FileNotFoundError | IsADirectoryError):
        return ArtifactNotFound(f"store {root}: there is no {key}")
    if isinstance(exc, NotADirectoryError) and root.is_dir():
        return ArtifactNotFound(f"store {root}: there is no {key}")
    cure = "give this user access to it" if exc.errno in _REFUSED else "check the path"
    return StoreError(f"store {root}: cannot read {key}: {_why(exc)}. Cure: {cure}, {_ELSEWHERE}")


def failed(root: Path, key: str, exc: OSError, size: int = 0) -> StoreError:
    """Why an object of the store at ``root``, of this many bytes, cannot be written."""
    what = f"{key} ({size:,} bytes)" if size else key
    if exc.errno in _FULL:
        cure = "free space on that disk (stackyard runs gc)"
    elif exc.errno in _REFUSED:
        cure = "give this user permission to write there"
    else:
        cure = "check the path"
    return StoreError(f"store {root}: cannot write {what}: {_why(exc)}. Cure: {cure}, {_ELSEWHERE}")


def _why(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()
