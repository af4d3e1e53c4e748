"""A DVC remote: the same files by the same MD5, in a folder or behind an address.

Beside DVC's ``files`` it holds ``stackyard/NAME/ID.dvc`` for every version that was pushed, so that
a version keeps its time and can be found by its name.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from stackyard.components.base import Context, Secret, redact
from stackyard.components.data_versioner import DataVersion
from stackyard.errors import ComponentError, NotFound, StackyardError, Unavailable
from stackyard_dvc.cache import Cache, Damaged, read_list
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.log import from_text, to_text

T = TypeVar("T")


def configured(config: DvcConfig, context: Context) -> Any:
    """DVC's object database for the remote that the stack names."""
    from dvc.fs import get_cloud_fs
    from dvc_data.hashfile.db import get_odb

    url = config.remote or ""
    if "://" not in url:
        url = os.path.abspath(context.project / url)
        if not os.path.isdir(os.path.dirname(url)):  # e.g. a drive that is not mounted
            raise Unavailable(f"{context.name}: cannot reach {url}: there is no folder around it")
    settings: dict[str, Any] = {"url": url}
    if url.startswith("s3://"):
        timeout = max(1, int(context.deadline / 3))
        settings |= {"connect_timeout": timeout, "read_timeout": timeout}
    for key in ("endpointurl", "region", "access_key_id", "secret_access_key"):
        value = getattr(config, key)
        if value is not None:  # given to DVC's objects, never written to its files
            settings[key] = value.reveal() if isinstance(value, Secret) else value
    with _answering(url, context):
        cls, options, path = get_cloud_fs({"remote": {"stackyard": settings}}, name="stackyard")
        fs = cls(**options)
        return get_odb(fs, fs.join(path, "files", "md5"), hash_name="md5", **options)


def command(context: Context, action: str, name: str, version: str) -> str:
    """What to type to push or pull; a component that has a name must be named."""
    named = f" --component {context.name}" if "." in context.name else ""
    return f"stackyard data {action} {name}@{version}{named}"


class Remote:
    """Copies versions between a cache and the remote ``odb``."""

    def __init__(self, odb: Any, context: Context) -> None:
        self.odb = odb
        self.fs = odb.fs
        self.root = self.fs.parent(self.fs.parent(odb.path))
        self.url = self.fs.unstrip_protocol(self.root).removeprefix("local://")
        self._context = context

    def reach(self) -> None:
        """Ask something; Unavailable if there is no answer."""
        with _answering(self.url, self._context):
            self._noted("reach", "0" * 32)

    def push(self, cache: Cache, version: DataVersion, files: Mapping[str, str]) -> set[str]:
        """Copy what is not there; return files that are damaged here; then nothing is."""
        wanted = {*files.values(), version.id}
        with _answering(self.url, self._context):
            noted = self._noted(version.name, version.id)
            new = wanted - set(self.odb.oids_exist(list(wanted)))
            wrong = cache.send(sorted(new & {*files.values()}), self.odb)
            if wrong:
                return wrong
            if version.id in new - {*files.values()}:  # a folder's list last: where it is, all is
                cache.send([version.id], self.odb)
            if noted is None:
                data, path = to_text(version).encode(), self._note(version.name, version.id)
                self.fs.makedirs(self.fs.parent(path))
                self.fs.put_file(io.BytesIO(data), path, size=len(data))
        return set()

    def pull(self, cache: Cache, name: str, version: str) -> DataVersion:
        """Bring what is damaged or gone in the cache; the list of a folder's files comes last.

        Raises:
            NotFound: the remote does not have the version, or not all of it, or has it damaged.
        """
        with _answering(self.url, self._context):
            noted, listed = self._noted(name, version), None
            if noted is None and not self._has(version):  # DVC itself may have pushed it
                raise self._without(name, version)
            try:
                files = cache.files(version)
            except Damaged:
                listed = self._listed(name, version)
                files = read_list(listed, version)
            wanted = cache.damaged(files.values())
            cache.fetch(self.fs, {oid: self.odb.oid_to_path(oid) for oid in wanted})
        gone = cache.damaged(wanted)
        if gone:
            parts = sorted(part or name for part, oid in files.items() if oid in gone)
            more = f" and {len(parts) - 5} more" if parts[5:] else ""
            raise NotFound(
                f"version {version} of {name!r}: damaged or gone in {self.url}: "
                f"{', '.join(parts[:5])}{more}. Remove {_objects(gone)} there, and push it again "
                "from where it is sound"
            )
        if listed is not None:
            cache.add_list(listed, version)
        return noted or DataVersion(name, version, cache.size(files), len(files), time.time())

    def _noted(self, name: str, version: str) -> DataVersion | None:
        """What is noted there of a version; the first request, which must end in time."""
        path = self._note(name, version)
        try:
            data = self._in_time(lambda: self._read(path))
        except FileNotFoundError as exc:
            if _of_no_bucket(exc):
                raise
            return None
        found = from_text(data.decode(errors="replace"), name)
        return found if found is not None and found.id == version else None

    def _has(self, version: str) -> bool:
        try:
            self.fs.info(self.odb.oid_to_path(version))
        except FileNotFoundError:
            return False
        return True

    def _listed(self, name: str, version: str) -> bytes:
        try:
            data = self._read(self.odb.oid_to_path(version))
            read_list(data, version)
        except FileNotFoundError as exc:
            raise self._without(name, version) from exc
        except Damaged as exc:
            raise NotFound(
                f"version {version} of {name!r}: the list of its files is damaged in {self.url}. "
                "Remove it there, and push it again from where it is sound"
            ) from exc
        return data

    def _without(self, name: str, version: str) -> NotFound:
        return NotFound(
            f"{self.url} has no version {version!r} of {name!r}. Push it from where it is: "
            f"{command(self._context, 'push', name, version)}"
        )

    def _note(self, name: str, version: str) -> str:
        return str(self.fs.join(self.root, "stackyard", name, f"{version}.dvc"))

    def _read(self, path: str) -> bytes:
        with self.fs.open(path, "rb") as file:
            return bytes(file.read())

    def _in_time(self, call: Callable[[], T]) -> T:
        """What ``call`` returns; TimeoutError if the deadline passes before it does."""
        done: list[tuple[Any, BaseException | None]] = []

        def work() -> None:
            try:
                done.append((call(), None))
            except BaseException as exc:  # raised below, in the thread that asked
                done.append((None, exc))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(self._context.deadline * 0.8)
        if not done:
            raise TimeoutError(f"no answer within {self._context.deadline * 0.8:g} s")
        found, error = done[0]
        if error is not None:
            raise error
        result: T = found
        return result


def _objects(oids: set[str]) -> str:
    """Where DVC keeps some of the files, in the remote's folder."""
    shown = sorted(oids)[:5]
    more = f" and {len(oids) - 5} more" if len(oids) > 5 else ""
    return ", ".join(f"files/md5/{oid[:2]}/{oid[2:]}" for oid in shown) + more


@contextmanager
def _answering(url: str, context: Context) -> Iterator[None]:
    """Whatever the library of this kind of remote raises, in our words."""
    try:
        yield
    except StackyardError:
        raise
    except PermissionError as exc:
        raise ComponentError(f"{context.name}: {url} refuses access ({_text(exc)})") from exc
    except Exception as exc:  # each kind of remote has a library, and each library its errors
        if _of_no_bucket(exc):
            raise ComponentError(
                f"{context.name}: {url}: there is no such bucket. Make it, or correct the address"
            ) from exc
        if isinstance(exc, ImportError) or type(exc).__name__ == "RemoteMissingDepsError":
            kind = url.partition("://")[0]
            raise ComponentError(
                f"{context.name}: {url} needs a library that is not installed. "
                f"Install it: uv pip install 'dvc[{kind}]'"
            ) from exc
        raise Unavailable(f"{context.name}: cannot use {url} ({_text(exc)})") from exc


def _of_no_bucket(exc: BaseException | None) -> bool:
    """Whether S3 said so: s3fs makes a FileNotFoundError of it, as of a file that is not there."""
    while exc is not None and type(exc).__name__ != "NoSuchBucket":
        exc = exc.__cause__
    return exc is not None


def _text(exc: BaseException) -> str:
    text = redact(str(exc)).strip() or type(exc).__name__
    return text.splitlines()[0][:300]
