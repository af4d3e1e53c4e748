"""A project's code as one file: what of it goes in, how it is written, what is refused on reading.

The file is one JSON object: paths, contents, and which files may be executed. Nothing of the
machine is in it: equal code gives equal bytes, whatever its times, owners, order of listing or
place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stackyard.errors import StoreError, UsageError

FORMAT = 1
LIMIT = 50 * 1024 * 1024  # bytes of code; more is data that belongs elsewhere
_SKIPPED = {"dags/generated"}  # relative to the project's root

Member = tuple[str, bytes | None, int]  # path, content (None for a folder), mode


def pack(root: Path, code_roots: Sequence[Path]) -> bytes:
    """Return the bundle of a project: its code roots, ``stacks/`` and ``pyproject.toml``.

    Hidden files, ``__pycache__``, ``*.egg-info`` and ``dags/generated`` are left out; links are
    followed. What git ignores makes no difference.

    Raises:
        UsageError: a code root lies outside ``root``, a file cannot be read, or all is too large.
    """
    folders = sorted({_relative(root, path) for path in [*code_roots, root / "stacks"]})
    found = {name: path for folder in folders for name, path in _walk(root / folder, folder, ())}
    if (root / "pyproject.toml").is_file():
        found["pyproject.toml"] = root / "pyproject.toml"
    _check_size(root, found)
    content = {
        "bundle": FORMAT,
        "folders": [folder for folder in folders if (root / folder).is_dir()],
        "files": {name: _packed(name, found[name]) for name in sorted(found)},
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def unpack(data: bytes, digest: str) -> list[Member]:
    """Return what ``pack`` wrote, refusing every path that does not stay inside of it.

    Raises:
        StoreError: the data are no bundle, or one that reaches out of its folder.
    """
    try:
        content = json.loads(data)
        if content["bundle"] != FORMAT:
            raise ValueError(f"format {content['bundle']!r} is not {FORMAT}")
        members: list[Member] = [(name, None, 0) for name in content["folders"]]
        members += [(name, *_unpacked(file)) for name, file in content["files"].items()]
        for name, _, _ in members:
            name.encode()
    except (ValueError, TypeError, LookupError, AttributeError) as exc:
        raise StoreError(f"bundle {digest[:12]} cannot be read: {exc}") from exc
    for name, _, _ in members:
        if any(part in ("", ".", "..") or set(part) & set("\\\0") for part in name.split("/")):
            raise StoreError(
                f"bundle {digest[:12]} holds {name[:200]!r}, which is no plain path inside of it; "
                "nothing was extracted"
            )
    return members


def _unpacked(file: Any) -> tuple[bytes, int]:
    mode = 0o555 if file.get("executable") else 0o444
    if "text" in file:
        return file["text"].encode(), mode
    import base64

    return base64.b64decode(file["base64"], validate=True), mode


def _walk(folder: Path, name: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield the files of code below ``folder`` by their path relative to the root."""
    real = os.path.realpath(folder)
    if name in _SKIPPED or real in above or not folder.is_dir():
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as exc:
        raise UsageError(f"cannot read {folder}: {(exc.strerror or str(exc)).lower()}") from exc
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        path, inner = Path(entry.path), f"{name}/{entry.name}"
        if entry.is_dir():
            if not entry.name.endswith(".egg-info"):
                yield from _walk(path, inner, (*above, real))
        elif entry.is_file():
            yield inner, path


def _check_size(root: Path, found: dict[str, Path]) -> None:
    sizes = {name: path.stat().st_size for name, path in found.items() if path.exists()}
    total = sum(sizes.values())
    if total <= LIMIT:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:5]
    shown = ", ".join(f"{name} ({sizes[name] / 2**20:.1f} MB)" for name in largest)
    raise UsageError(
        f"{root}: the code is {total / 2**20:.1f} MB; a run keeps up to {LIMIT / 2**20:.0f} MB. "
        f"Largest: {shown}. Move data out of dags/, src/, stacks/ and the folders of "
        "[tool.stackyard] code"
    )


def _packed(name: str, path: Path) -> dict[str, Any]:
    try:
        name.encode()
        data, mode = path.read_bytes(), path.stat().st_mode
    except UnicodeEncodeError as exc:
        raise UsageError(f"{name!r}: rename it; a file of code has a UTF-8 name") from exc
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {(exc.strerror or str(exc)).lower()}") from exc
    executable = {"executable": True} if mode & 0o100 else {}
    try:
        return {"text": data.decode(), **executable}
    except UnicodeDecodeError:
        import base64

        return {"base64": base64.b64encode(data).decode(), **executable}


def _relative(root: Path, path: Path) -> str:
    home = Path(os.path.normpath(root.absolute()))
    try:
        name = Path(os.path.normpath(home / path)).relative_to(home).as_posix()
    except ValueError:
        name = "."
    if name == ".":
        raise UsageError(f"code root {path}: it must be a folder inside of the project {root}")
    return name
