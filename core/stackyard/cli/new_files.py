"""Writing the files of a template: all of them, and over nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackyard.errors import UsageError


def write_new(folder: Path, files: Mapping[str, str], command: str, otherwise: str = "") -> None:
    """Write ``files``, relative path to text, into ``folder``.

    Args:
        folder: is made where it is not there.
        files: what is written.
        command: how another folder is named, for the message.
        otherwise: what else to do, for the message.

    Raises:
        UsageError: one of them exists there, a file is where a folder has to be, or a name is too
            long for the disk; nothing was written.
    """
    places = {path for name in files for path in (folder / name).parents}
    try:
        wrong = sorted(str(path) for path in places if path.exists() and not path.is_dir())
    except OSError as exc:
        raise UsageError(f"{folder}: {exc.strerror}. Name another folder: {command}") from exc
    if wrong:
        raise UsageError(f"{wrong[0]}: is a file. Name a folder: {command}")
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise UsageError(
            f"{folder.resolve()}: {', '.join(there)} {'exists' if len(there) == 1 else 'exist'} "
            f"already; nothing was written. Name another folder: {command}{otherwise}"
        )
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:  # never over what came meanwhile
            file.write(text)
