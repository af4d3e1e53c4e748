"""Versions of the libraries that code imports, without importing them.

``importlib.metadata`` costs 25 ms to import and 0.3 s to map import names to distributions, so
that names are first looked for among the ``*.dist-info`` folders, and the map is kept on disk per
folder of ``sys.path``, for as long as the folder's time stamp stays the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from stackyard.distributions import normal_name
from stackyard.store.digest import digest
from stackyard.store.kept import write_atomically

_FORMAT = 1
_KEPT = 200  # maps on disk
_METADATA = (".dist-info", ".egg-info")
_SUFFIXES = (".py", *EXTENSION_SUFFIXES)


class Libraries:
    """What is installed on ``path``, by default ``sys.path``, but for the project's own folders."""

    def __init__(
        self,
        cache_dir: Path | None,
        *,
        skip: Iterable[str] = (),
        path: Sequence[str] | None = None,
    ) -> None:
        self._cache = None if cache_dir is None else cache_dir / f"libraries-{_FORMAT}"
        self._skip = {os.path.abspath(folder) for folder in skip}
        self._path = path
        self._folders: dict[str, dict[str, str]] = {}  # folder -> distribution -> metadata folder
        self._maps: dict[str, dict[str, list[str]]] = {}
        self._versions: dict[str, dict[str, str]] = {}

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """Map the distributions behind top-level import names to their versions.

        A module without a distribution has a digest of its files as its version, and what is not
        installed says so: that, too, may change what code does.
        """
        found: dict[str, str] = {}
        for name in names:
            if name not in self._versions:
                self._versions[name] = self._of(name)
            found.update(self._versions[name])
        return dict(sorted(found.items()))

    def _of(self, name: str) -> dict[str, str]:
        wanted = normal_name(name)
        for folder in self._places():
            metadata = self._distributions(folder).get(wanted)
            if metadata is not None:
                return {wanted: self._version(metadata, [name])}
        for folder in self._places():
            providers = self._map(folder).get(name)
            if providers:
                known = self._distributions(folder)
                return {d: self._version(known[d], [name]) for d in providers if d in known}
        files = self._files(name)
        return {name: f"files {_tree(files)[:12]}" if files else "not installed"}

    def _places(self) -> Iterator[str]:
        for entry in sys.path if self._path is None else self._path:
            folder = os.path.abspath(entry or os.curdir)
            if folder not in self._skip:
                yield folder

    def _distributions(self, folder: str) -> dict[str, str]:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = {}
            try:
                entries = sorted(os.listdir(folder))
            except OSError:
                entries = []
            for entry in entries:
                if entry.endswith(_METADATA):
                    stem = entry.rpartition(".")[0].partition("-")[0]
                    known.setdefault(normal_name(stem), os.path.join(folder, entry))
        return known

    # Versions

    def _version(self, metadata: str, names: Sequence[str]) -> str:
        """The version; with a digest of the code where code can change under one version."""
        stem = os.path.basename(metadata).rpartition(".")[0]
        version = stem.partition("-")[2]
        if metadata.endswith(".egg-info"):
            version = _field(metadata, "Version") or version.partition("-py")[0]
        origin = _read(os.path.join(metadata, "direct_url.json"))
        if origin is None:
            return version
        if _is_editable(origin):
            files = [file for name in names for file in self._files(name)]
            return f"{version} editable {_tree(files)[:12]}"
        return f"{version} {digest(_recorded(metadata))[:12]}"

    # Import names

    def _map(self, folder: str) -> dict[str, list[str]]:
        """Top-level import names below ``folder`` to the distributions that bring them."""
        known = self._maps.get(folder)
        if known is None:
            known = self._maps[folder] = self._kept_map(folder)
        return known

    def _kept_map(self, folder: str) -> dict[str, list[str]]:
        try:
            stamp = os.stat(folder).st_mtime_ns
        except OSError:
            return {}
        kept = None if self._cache is None else self._cache / digest(f"{folder} {stamp}")[:32]
        if kept is not None:
            try:
                data: dict[str, list[str]] = json.loads(kept.read_bytes())
                return data
            except (OSError, ValueError):
                pass  # not there, or cut off: it is made again
        made: dict[str, list[str]] = {}
        for distribution, metadata in self._distributions(folder).items():
            for name in sorted(_imported_names(metadata)):
                made.setdefault(name, []).append(distribution)
        if kept is not None:
            write_atomically(kept, json.dumps(made).encode(), keep=_KEPT)
        return made

    def _files(self, name: str) -> list[str]:
        """The files of a module that is found on the path, as a package or a single file."""
        for folder in self._places():
            place = os.path.join(folder, name)
            if os.path.isdir(place):
                return [place]
            for suffix in _SUFFIXES:
                if os.path.isfile(place + suffix):
                    return [place + suffix]
        return _found_by_python(name) if self._path is None else []


def _found_by_python(name: str) -> list[str]:
    """Where an editable installation with a finder of its own has a top-level module."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)  # of a top-level name: imports nothing
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [*spec.submodule_search_locations]
    return [spec.origin] if spec.has_location and spec.origin else []


def _imported_names(metadata: str) -> set[str]:
    declared = _read(os.path.join(metadata, "top_level.txt"))
    if declared is not None:
        return set(declared.split())
    names = set()
    for line in (_read(os.path.join(metadata, "RECORD")) or "").splitlines():
        top, slash, _ = line.partition(",")[0].strip('"').partition("/")
        if not slash:
            suffix = next((s for s in _SUFFIXES if top.endswith(s)), None)
            top = top[: -len(suffix)] if suffix else ""
        if top.isidentifier() and top != "__pycache__":
            names.add(top)
    return names


def _field(metadata: str, name: str) -> str:
    place = metadata if os.path.isfile(metadata) else os.path.join(metadata, "PKG-INFO")
    for line in (_read(place) or "").splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    return ""


def _is_editable(origin: str) -> bool:
    try:
        return bool(json.loads(origin).get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False


def _recorded(metadata: str) -> str:
    """What a distribution installed, by content, without what depends on the machine."""
    lines = (_read(os.path.join(metadata, "RECORD")) or "").splitlines()
    own = os.path.basename(metadata)
    return "\n".join(
        sorted(line for line in lines if "sha256=" in line and not line.startswith(("..", own)))
    )


def _tree(places: Iterable[str]) -> str:
    """Digest of the code in files and folders: names below the folder, and contents."""
    rows = []
    for place in places:
        for file in _code_files(place):
            name = os.path.relpath(file, os.path.dirname(place)).replace(os.sep, "/")
            try:
                rows.append(f"{name} {digest(Path(file).read_bytes())}")
            except OSError:
                rows.append(f"{name} unreadable")
    return digest("\n".join(sorted(rows)))


def _code_files(place: str) -> Iterator[str]:
    if os.path.isfile(place):
        yield place
        return
    for folder, folders, files in os.walk(place):
        folders[:] = [f for f in folders if f != "__pycache__" and not f.startswith(".")]
        yield from (os.path.join(folder, f) for f in files if f.endswith(_SUFFIXES))


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None
