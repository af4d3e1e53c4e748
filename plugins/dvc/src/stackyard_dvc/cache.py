"""DVC's cache: the content of every file once, by its MD5; a folder is a list of such files.

DVC trusts its cache: a file with mode 0444 is never read again before it is used. Here, what was
written since DVC hashed it is, before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.data_versioner import dataset_files
from stackyard.errors import InvalidInput

LINKS = ["reflink", "copy"]  # never a link through which a user's change reaches the cache
CONFIG = """[core]
    no_scm = true
    analytics = false
    check_update = false
"""


class Damaged(Exception):
    """The list of a folder's files is gone, or is not what its id says."""


class Cache:
    """The operations on ``odb``, DVC's object database for a cache."""

    def __init__(self, odb: Any) -> None:
        self.odb = odb

    def add(self, path: Path) -> tuple[str, int, int]:
        """Put a file or folder into the cache; return its id, bytes and number of files.

        Each file appears whole, a folder's list last: a kill leaves nothing that is half.

        Raises:
            InvalidInput: ``path`` cannot be kept, or was changed meanwhile.
        """
        from dvc_data.hashfile.build import IgnoreInCollectedDirError, build

        before = dataset_files(path)
        try:
            _, _, built = build(self.odb, str(path), self.odb.fs, "md5", dry_run=True)
            if "" in before:
                hashed = {"": str(built.hash_info.value)}
            else:
                hashed = {"/".join(key): str(info.value) for key, _, info in built}
            wanted = self.damaged(hashed.values())
            sources = {oid: path / part for part, oid in hashed.items() if oid in wanted}
            self.discard(wanted)
            self._put([str(p) for p in sources.values()], self.odb.fs, list(sources))
            after = dataset_files(path)
        except IgnoreInCollectedDirError as exc:
            raise InvalidInput(f"{path} holds a .dvcignore, which DVC does not keep") from exc
        except FileNotFoundError as exc:
            raise InvalidInput(f"{exc.filename or path} went while it was committed") from exc
        moved = {part for part in before | after if _changed(before.get(part), after.get(part))}
        wrong = self.damaged({hashed[part] for part in moved & hashed.keys()}, read=True)
        if wrong or before.keys() != hashed.keys():
            self.discard(wrong)
            raise InvalidInput(f"{path} was changed while it was committed. Commit it again")
        if "" not in before:
            self._put([built.path], built.fs, [built.oid])
        return str(built.hash_info.value), sum(f.st_size for f in before.values()), len(before)

    def files(self, version: str) -> dict[str, str]:
        """The MD5 of each file of a version by its relative path; a single file is ``""``.

        Raises:
            Damaged: the list of a folder's files is gone, or is not what the id says.
        """
        if not version.endswith(".dir"):
            return {"": version}
        try:
            return read_list(Path(self.odb.oid_to_path(version)).read_bytes(), version)
        except FileNotFoundError as exc:
            raise Damaged(version) from exc

    def damaged(self, oids: Iterable[str], *, read: bool = False) -> set[str]:
        """Those that are gone, or whose content has another MD5.

        Args:
            oids: MD5 of files.
            read: Read all of them; otherwise only those that changed since DVC hashed them.
        """
        from dvc_data.hashfile.hash_info import HashInfo

        odb, found = self.odb, {}
        paths = {odb.oid_to_path(oid): oid for oid in oids}
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                found[path] = odb.fs.info(path)
        unknown = dict(found)
        if not read:
            for path, _, known in odb.state.get_many(list(found), odb.fs, found):
                if known is not None and known.value == paths[path]:
                    del unknown[path]
        with ThreadPoolExecutor() as pool:
            actual = dict(zip(unknown, pool.map(_md5, unknown), strict=True))
        sound = [(path, HashInfo("md5", md5), found[path]) for path, md5 in actual.items()
                 if md5 == paths[path]]  # fmt: skip
        odb.state.save_many(sound, odb.fs)
        wrong = {path for path, md5 in actual.items() if md5 != paths[path]}
        for path in wrong:  # neither we nor DVC trust it from now on
            with contextlib.suppress(OSError):  # another user's, in a shared cache
                os.utime(path)
                os.chmod(path, 0o644)
        return {paths[path] for path in wrong} | {paths[path] for path in paths.keys() - found}

    def discard(self, oids: Iterable[str]) -> None:
        """Remove files whose content is wrong."""
        for oid in oids:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.odb.oid_to_path(oid))

    def write(self, files: Mapping[str, str], target: Path) -> None:
        """Make the files of a version at ``target``: copies, which a user may change."""
        from dvc_objects.fs.generic import transfer

        paths = [target / part for part in files]
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        sources = [self.odb.oid_to_path(oid) for oid in files.values()]
        transfer(self.odb.fs, sources, self.odb.fs, list(map(str, paths)), links=list(LINKS))

    def size(self, files: Mapping[str, str]) -> int:
        """Bytes of the files of a version."""
        return sum(os.path.getsize(self.odb.oid_to_path(oid)) for oid in files.values())

    def add_list(self, data: bytes, version: str) -> None:
        """Put the list of a folder's files, which are there already."""
        from dvc_objects.fs.memory import MemoryFileSystem

        fs, path = MemoryFileSystem(), f"memory://stackyard-{version}"
        fs.pipe_file(path, data)
        self._put([path], fs, [version])
        fs.remove(path)

    def remote(self) -> Any:
        """DVC's object database for a remote of the cache's own; it has none."""
        return None

    def _put(self, sources: list[str], fs: Any, oids: list[str]) -> None:
        self.odb.add(sources, fs, oids, hardlink=False, check_exists=False)


@contextmanager
def own_cache(context: Context) -> Iterator[Cache]:
    """The project's own cache, in a folder that DVC takes for a repository without git."""
    from dvc_data.hashfile.db.local import LocalHashFileDB
    from dvc_data.hashfile.state import State
    from dvc_objects.fs.local import LocalFileSystem

    from stackyard.whole_file import write_whole

    root = Path(os.path.abspath(context.state_dir))
    settings = root / ".dvc" / "config"
    if not settings.is_file():
        settings.parent.mkdir(parents=True, exist_ok=True)
        write_whole(settings, CONFIG)
    hashes = Path(os.path.abspath(context.cache_dir))
    hashes.mkdir(parents=True, exist_ok=True)
    state = State(str(root), str(hashes))
    path = str(root / ".dvc" / "cache" / "files" / "md5")
    try:
        yield Cache(LocalHashFileDB(LocalFileSystem(), path, state=state, hash_name="md5"))
    finally:
        state.close()


def read_list(data: bytes, version: str) -> dict[str, str]:
    """The files of a folder's list; Damaged if it is not what its id says."""
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != version.removesuffix(".dir"):
        raise Damaged(version)
    return {entry["relpath"]: entry["md5"] for entry in json.loads(data)}


def _changed(before: os.stat_result | None, after: os.stat_result | None) -> bool:
    if before is None or after is None:
        return True
    facts = ("st_mtime_ns", "st_size", "st_ino")
    return any(getattr(before, fact) != getattr(after, fact) for fact in facts)


def _md5(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
