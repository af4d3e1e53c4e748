"""The data versioner's contract on a real DVC: in a cache of the project's own."""

from __future__ import annotations

import os
from pathlib import Path

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersioner
from stackyard.testing import DataVersionerContract
from stackyard_dvc.cache import own_cache
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.versioner import DvcDataVersioner


def rot(path: Path) -> None:
    """Change a byte; size, mode and times are those from before."""
    before = path.stat()
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def kept(context: Context, version: str, file: str) -> Path:
    """Where the project's own cache keeps a file of a version."""
    with own_cache(context) as cache:
        return Path(cache.odb.oid_to_path(cache.files(version)[file]))


class TestOwnCache(DataVersionerContract):
    """Without remote, git and ``dvc init``."""

    def connect(self, context: Context) -> DataVersioner:
        return DvcDataVersioner(DvcConfig(), context)

    def damage(self, versioner: DataVersioner, name: str, version: str, file: str) -> bool:
        rot(kept(versioner.context, version, file))
        return True
