"""Reaching a remote service through fsspec: its file system, and its own words for a refusal."""

from __future__ import annotations

import errno
import inspect
from typing import Any

from stackyard.errors import StoreError

S3 = {"s3", "s3a"}


def missing(url: str) -> str:
    """What ``url`` needs and there is not, with the cure: a library, or any for its protocol.

    Empty where nothing is missing. Imports none of the libraries that fsspec hands over to.
    """
    protocol = url.partition("://")[0]
    library = _library(protocol)
    if library is None:
        return ""
    if not library:
        return (
            f"store {url}: Protocol not known: {protocol}. Use a folder or a URL such as "
            "s3://bucket/path"
        )
    wanted = "'stackyard[s3]'" if protocol in S3 else library
    return f"store {url} needs {library}, which is not installed. Cure: uv pip install {wanted}"


def _library(protocol: str) -> str | None:
    """The module behind a protocol if it is not there, empty if nobody knows of one."""
    from importlib.util import find_spec

    try:
        from fsspec.registry import known_implementations, registry
    except ImportError:
        return "fsspec"
    if protocol in registry or "::" in protocol:
        return None
    target: str = known_implementations.get(protocol, {}).get("class", "")
    module = target.partition(".")[0]
    return None if module and find_spec(module) is not None else module


def file_system(url: str, protocol: str) -> tuple[Any, str]:
    """Return the fsspec file system of ``url`` and the path of the store in it.

    Raises:
        StoreError: there is none, or it cannot create an object only where there is none.
    """
    if lacking := missing(url):
        raise StoreError(lacking)
    import fsspec

    # Listings are never cached: other processes write to the store.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol in S3:
        options["config_kwargs"] = {"connect_timeout": 10, "retries": {"max_attempts": 2}}
    try:
        fs, base = fsspec.core.url_to_fs(url, **options)
    except ImportError as exc:
        raise StoreError(f"store {url}: its library cannot be imported: {exc}") from exc
    except ValueError as exc:
        raise StoreError(
            f"store {url}: {exc}. Use a folder or a URL such as s3://bucket/path"
        ) from exc
    write = fs._pipe_file if fs.async_impl else type(fs).pipe_file
    looks_first = write is fsspec.AbstractFileSystem.pipe_file
    if looks_first or "mode" not in inspect.signature(write).parameters:
        raise StoreError(
            f"store {url}: {protocol} cannot create an object only where there is none, which "
            "the store relies on. Use a folder, s3://, gs:// or abfs://"
        )
    return fs, base


def error_code(exc: BaseException) -> str:
    """The service's own error code, where its library kept it."""
    response = getattr(exc.__cause__, "response", None) or {}
    code = response.get("Error", {}).get("Code", "")
    return "412" if not code and getattr(exc, "errno", None) == errno.EINVAL else str(code)
