"""Files and folders: a manifest of blobs, each stored once under its own digest.

Content is the relative paths, the bytes and whether a file may be executed; times, owners and other
modes are not. A file given as a value keeps its name, a folder does not.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError, Unstorable
from stackyard.store.formats.base import CompositeFormat, Parts, Sink, header

HEADER = header("folder/1")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderFormat(CompositeFormat):
    """A ``Path`` as a value: the file or folder that it names."""

    name: ClassVar[str] = "folder"

    def write_parts(self, value: Any, sink: Sink, store: Parts) -> None:
        """Store what the path names, then the manifest."""
        sink.write(describe(value, store))

    def read_parts(self, path: Path, store: Parts) -> Any:
        """Return the path of a read-only copy in the cache folder, which may be shared."""
        return unfold(path.read_bytes(), store)


def describe(path: Path, store: Parts) -> bytes:
    """Store every file and return the manifest.

    Raises:
        Unstorable: there is nothing, or something that is neither a file nor a folder, or a link
            that leads out of the folder.
    """
    if path.is_file():
        entries = [_entry(path, path.name, store)]
        return _manifest({"kind": "file", "files": entries, "empty": []})
    if not path.is_dir():
        raise Unstorable(f"{path} does not exist: a step that returns a Path returns what it names")
    files, empty = [], []
    for found, relative in _walk(path, path.resolve(), ""):
        if found.is_dir():
            empty.append(relative)
        else:
            files.append(_entry(found, relative, store))
    files.sort(key=lambda entry: entry["path"])
    return _manifest({"kind": "folder", "files": files, "empty": sorted(empty)})


def references(data: bytes) -> list[str]:
    """Digests of the blobs that a manifest names."""
    return [entry["digest"] for entry in _parse(data)["files"]]


def unfold(data: bytes, store: Parts) -> Path:
    """Lay a manifest out in the cache folder, once, and return the path of the file or folder."""
    import blake3

    manifest = _parse(data)
    home = store.cache_dir / "folders"
    target = home / blake3.blake3(data).hexdigest()
    for _ in range(3):
        if target.is_dir() and _sound(target, manifest, store):
            break
        _lay_out(manifest, home, target, store)
    else:
        raise StoreError(f"{target} is changed as often as it is written")
    return target / manifest["files"][0]["path"] if manifest["kind"] == "file" else target


def _walk(folder: Path, root: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    entries = sorted(os.scandir(folder), key=lambda e: e.name)
    if not entries and prefix:
        yield folder, prefix
    for entry in entries:
        path, relative = Path(entry.path), f"{prefix}/{entry.name}" if prefix else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, relative)
        elif entry.is_file() and path.resolve().is_relative_to(root):
            yield path, relative
        else:
            raise Unstorable(
                f"{path} is not a file: a folder holds files and folders, and links only to files "
                "in itself"
            )


def _entry(path: Path, relative: str, store: Parts) -> dict[str, Any]:
    _check(relative)
    facts = path.stat()
    return {
        "path": relative,
        "digest": store.keep_file(path),
        "size": facts.st_size,
        "executable": bool(facts.st_mode & 0o100),
    }


def _manifest(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return HEADER + text.encode() + b"\n"


def _parse(data: bytes) -> Any:
    """Read a manifest, refusing any path that could lead elsewhere."""
    if not data.startswith(HEADER):
        raise StoreError("this artifact is not of format folder/1")
    manifest = json.loads(data[len(HEADER) :])
    paths = [*(e["path"] for e in manifest["files"]), *manifest["empty"]]
    for path in paths:
        _check(path)
    if len(set(paths)) != len(paths):
        raise StoreError("a folder's manifest names a path twice")
    for entry in manifest["files"]:
        if _DIGEST.fullmatch(entry["digest"]) is None:
            raise StoreError(f"a folder's manifest has a wrong digest for {entry['path']!r}")
    return manifest


def _check(relative: str) -> None:
    parts = relative.split("/")
    wrong = any(p in ("", ".", "..") or set(p) & set("\\\0") for p in parts)
    try:
        relative.encode()
    except UnicodeEncodeError:
        wrong = True
    if wrong or (os.name == "nt" and ":" in relative):
        raise StoreError(f"path {relative!r} may not stand in a folder's manifest")


def _lay_out(manifest: Any, home: Path, target: Path, store: Parts) -> None:
    """Write into a new folder beside and rename it, so that nobody sees it half done."""
    import shutil

    aside = home / f".{os.urandom(8).hex()}"
    try:
        for relative in manifest["empty"]:
            (aside / relative).mkdir(parents=True)
        aside.mkdir(parents=True, exist_ok=True)
        for entry in manifest["files"]:
            path = aside / entry["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.path(entry["digest"]), path)
            path.chmod(0o555 if entry["executable"] else 0o444)
        try:
            aside.rename(target)
        except OSError:  # somebody else's, or one that was changed
            if target.is_dir() and not _sound(target, manifest, store):
                target.rename(aside.with_suffix(".changed"))
    except OSError as exc:
        raise StoreError(f"cannot write a folder under {home}: {exc.strerror}") from exc
    finally:
        for left in (aside, aside.with_suffix(".changed")):
            shutil.rmtree(left, ignore_errors=True)


def _sound(folder: Path, manifest: Any, store: Parts) -> bool:
    """Whether the folder in the cache is what the manifest says: no file more, none changed."""
    there = {
        f"{os.path.relpath(base, folder)}/{name}".removeprefix("./")
        for base, _, names in os.walk(folder)
        for name in names
    }
    entries = {entry["path"]: entry["digest"] for entry in manifest["files"]}
    return there == set(entries) and all(
        not (folder / p).is_symlink() and store.holds(d, folder / p) for p, d in entries.items()
    )
