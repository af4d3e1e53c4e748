"""Stores in a folder of a test."""

from __future__ import annotations

from pathlib import Path

from stackyard.store.artifacts import Artifacts
from stackyard.store.backend import open_backend
from stackyard.store.formats import FormatRegistry, builtin_formats


def opened(folder: Path, **options: bool) -> Artifacts:
    backend = open_backend(folder / "store", cache_dir=folder / "cache")
    formats = FormatRegistry(builtin_formats())
    return Artifacts(backend, formats, cache_dir=folder / "cache", **options)


def file_of(store: Artifacts, digest: str) -> Path:
    return store.backend.path(f"artifacts/{digest[:2]}/{digest}")


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)
