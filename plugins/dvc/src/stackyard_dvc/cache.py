"""DVC's cache: the content of every file once, by its MD5; a folder is a list of such files.

DVC trusts its cache: a file with mode 0444 is never read again before it is used. Here, what was
written since DVC hashed it is, before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.data_versioner import dataset_files
from stackyard.errors import Conflict, InvalidInput

LINKS = ["reflink", "copy"]  # never a link through which a user's change reaches the cache
MD5 = re.compile(r"[0-9a-f]{32}")
PART, THREADS = 16, 4
DAY = 86_400.0
CONFIG = """[core]
    no_scm = true
    analytics = false
    check_update = false
"""


class Damaged(Exception):
    """The list of a folder's files is gone, or is not what its id says."""


def changed(path: Path) -> Conflict:
    """The error of what somebody works on; another try may find it at rest."""
    return Conflict(f"{path} was changed while it was committed. Commit it again")


class Cache:
    """The operations on ``odb``, DVC's object database for a cache."""

    def __init__(self, odb: Any) -> None:
        self.odb = odb

    def add(self, path: Path) -> tuple[str, int, int]:
        """Put a file or folder into the cache; return its id, bytes and number of files.

        Each file appears whole and is what its MD5 says, a folder's list comes last: a kill leaves
        nothing that is half.

        Raises:
            InvalidInput: ``path`` cannot be kept.
            Conflict: it was changed meanwhile.
        """
        from dvc_data.hashfile.build import IgnoreInCollectedDirError, build

        found = dataset_files(path)
        try:
            _, _, built = build(self.odb, str(path), self.odb.fs, "md5", dry_run=True)
        except IgnoreInCollectedDirError as exc:
            raise InvalidInput(f"{path} holds a .dvcignore, which DVC does not keep") from exc
        except FileNotFoundError as exc:
            raise changed(path) from exc
        version = str(built.hash_info.value)
        hashed = {"": version}
        if "" not in found:
            hashed = {"/".join(key): str(info.value) for key, _, info in built}
        wanted = self.damaged(hashed.values())
        paths = {oid: str(path / part) for part, oid in hashed.items() if oid in wanted}
        self.fetch(self.odb.fs, paths)
        if found.keys() != hashed.keys() or self.damaged(wanted):
            raise changed(path)
        if "" not in found:
            self.add_list(built.as_bytes(), version)
        return version, sum(facts.st_size for facts in found.values()), len(found)

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
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            actual = dict(zip(unknown, pool.map(_md5, unknown), strict=True))
        wrong = {path for path, md5 in actual.items() if md5 != _content(paths[path])}
        sound = actual.keys() - wrong
        odb.state.save_many([(p, HashInfo("md5", paths[p]), found[p]) for p in sound], odb.fs)
        for path in wrong:  # neither we nor DVC trust it from now on
            with contextlib.suppress(OSError):  # another user's, in a shared cache
                os.utime(path)
                os.chmod(path, 0o644)
        return {paths[path] for path in wrong} | {paths[path] for path in paths.keys() - found}

    def write(self, files: Mapping[str, str], target: Path) -> None:
        """Make the files of a version at ``target``: copies, which a user may change."""
        paths = {str(target / part): self.odb.oid_to_path(oid) for part, oid in files.items()}
        for folder in {os.path.dirname(path) for path in paths}:
            os.makedirs(folder, exist_ok=True)

        def copy(part: list[str]) -> list[str]:
            _copy(self.odb.fs, [paths[path] for path in part], part)
            return part

        _in_parts(copy, list(paths))

    def fetch(self, fs: Any, paths: Mapping[str, str]) -> None:
        """Copy files from where they are in ``fs``, by their MD5; what is not that is left out."""
        if not paths:
            return
        with self._scratch() as folder:

            def bring(oids: list[str]) -> list[str]:
                made = [f"{folder}/{oid}" for oid in oids]
                try:
                    _copy(fs, [paths[oid] for oid in oids], made)
                except FileNotFoundError:  # the others may be there
                    return [o for oid in oids for o in bring([oid])] if len(oids) > 1 else []
                hashed = zip(oids, made, strict=True)
                sound = {oid: path for oid, path in hashed if _md5(path) == _content(oid)}
                self._place(sound)  # now, so that a kill after hours loses little
                return list(sound)

            self._note(_in_parts(bring, list(paths)))

    def size(self, files: Mapping[str, str]) -> int:
        """Bytes of the files of a version."""
        return sum(os.path.getsize(self.odb.oid_to_path(oid)) for oid in files.values())

    def send(self, oids: list[str], odb: Any) -> set[str]:
        """Copy files to a database that does not have them; return those that are damaged here.

        If there are any, nothing is copied.
        """
        wrong = self.damaged(oids, read=True)

        def copy(part: list[str]) -> list[str]:
            paths = [self.odb.oid_to_path(oid) for oid in part]
            odb.add(paths, self.odb.fs, part, hardlink=False, check_exists=False)
            return part

        if not wrong:
            _in_parts(copy, oids)
        return wrong

    def add_list(self, data: bytes, version: str) -> None:
        """Put the list of a folder's files, which are there already."""
        with self._scratch() as folder:
            path = Path(folder, version)
            path.write_bytes(data)
            self._place({version: str(path)})
        self._note([version])

    def remote(self) -> Any:
        """DVC's object database for a remote of the cache's own; it has none."""
        return None

    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        root = Path(self.odb.path).parent
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(".new-*"):  # by a process that was killed
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > DAY:
                    shutil.rmtree(left, ignore_errors=True)
        return tempfile.TemporaryDirectory(prefix=".new-", dir=root)

    def _place(self, paths: Mapping[str, str]) -> None:
        """Move files that are sound to where the cache has them."""
        for oid, path in paths.items():
            place = self.odb.oid_to_path(oid)
            self.odb.makedirs(os.path.dirname(place))
            os.replace(path, place)
            self.odb.protect(place)

    def _note(self, oids: list[str]) -> None:
        """Let DVC know that files were hashed."""
        from dvc_data.hashfile.hash_info import HashInfo

        known = [(self.odb.oid_to_path(oid), HashInfo("md5", oid), None) for oid in oids]
        self.odb.state.save_many(known, self.odb.fs)


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
    """The files of a folder's list.

    Raises:
        Damaged: it is not what its id says, or names what is not inside of the folder.
    """
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != _content(version):
        raise Damaged(version)
    try:
        files = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(data)}
    except (ValueError, TypeError, KeyError) as exc:
        raise Damaged(version) from exc
    for part, md5 in files.items():  # both reach paths, and a remote is other people's
        if {"", ".", ".."} & {*part.split("/")} or not MD5.fullmatch(md5):
            raise Damaged(version)
        if "\0" in part or not _is_text(part):
            raise Damaged(version)
    return files


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold
        return False
    return True


def _content(oid: str) -> str:
    """The MD5 of what is kept under ``oid``: DVC adds a suffix to that of a folder's list."""
    return oid.removesuffix(".dir")


def _copy(fs: Any, sources: list[str], targets: list[str]) -> None:
    from dvc_objects.fs.generic import transfer
    from dvc_objects.fs.local import LocalFileSystem

    transfer(fs, sources, LocalFileSystem(), targets, links=list(LINKS))


def _in_parts(call: Callable[[list[str]], list[str]], items: list[str]) -> list[str]:
    """Call with some of the items at a time, in several threads; all that was returned."""
    parts = [items[start : start + PART] for start in range(0, len(items), PART)]
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return [one for found in pool.map(call, parts) for one in found]


def _md5(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:  # removed since it was found
        return ""
