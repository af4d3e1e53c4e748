"""Where a cluster reads packages: copied there, unless they are there already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackyard.components.registry import ModelPackage
from stackyard.errors import InvalidInput, Unavailable
from stackyard.models import verified_folder
from stackyard_kserve.manifests import SCHEMES


def readable(
    package: ModelPackage, storage: str | None, fetch: Callable[[str], Path] | None
) -> str:
    """The address at which a cluster reads a package, which is copied there if need be.

    What is there goes by its digest, so that it is copied once and never overwritten by another.

    Args:
        package: The model. One with an address that KServe reads is taken as it is.
        storage: Where to copy others to.
        fetch: Gives the local path of an artifact.

    Raises:
        DigestMismatch: the package is not what its digest says; nothing is copied.
        InvalidInput: it would have to be copied, and there is no ``storage``.
        Unavailable: it cannot be copied; says why.
    """
    scheme, found, _ = package.uri.partition("://")
    if found and scheme in SCHEMES and scheme != "file":  # that is a file of this machine
        return package.uri
    folder = verified_folder(package, fetch=fetch)
    if storage is None:
        raise InvalidInput(
            f"model package {package.uri} is on this machine, where no cluster reads it. Say where "
            "to copy it in the stack: storage: s3://bucket/models"
        )
    target = f"{storage.rstrip('/')}/{package.digest}"
    try:
        _copy(folder, target)
    except Exception as exc:  # every file system of fsspec's raises errors of its own
        raise Unavailable(
            f"model package {package.uri} cannot be copied to {target}: {type(exc).__name__}: {exc}"
        ) from exc
    return target


def _copy(folder: Path, target: str) -> None:
    import fsspec

    files: Any
    files, base = fsspec.core.url_to_fs(target, use_listings_cache=False)
    has_folders = "file" in (files.protocol if isinstance(files.protocol, tuple) else ())
    there = {path: facts["size"] for path, facts in files.find(base, detail=True).items()}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        place = f"{base}/{path.relative_to(folder).as_posix()}"
        if there.get(place) != path.stat().st_size:
            if has_folders:  # elsewhere it would make a bucket where its name is misspelt
                files.makedirs(files._parent(place), exist_ok=True)
            files.put_file(str(path), place)
