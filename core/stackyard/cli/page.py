"""Where the pages that commands make go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.errors import UsageError
from stackyard.whole_file import write_whole

if TYPE_CHECKING:
    from stackyard.project import Project


def write_page(project: Project, name: str, out: str | None, text: str, mark: str, of: str) -> Path:
    """Write a page; a file that is not such a page is not overwritten.

    Args:
        project: in whose folder pages lie unless ``out`` says otherwise.
        name: of the file.
        out: another file, or a folder that there is.
        text: of the page.
        mark: what stands at the beginning of such a page; without one nothing is overwritten.
        of: what such a page is of.

    Raises:
        UsageError: ``out`` is a file of another kind.
    """
    default = project.root / ".stackyard" / "pages" / name
    path = Path(out) if out else default
    if path.is_dir():
        path = path / default.name
    ours = path == default or (mark and path.is_file() and mark.encode() in _beginning(path))
    if path.exists() and not ours:
        raise UsageError(f"{path} exists and is no page of {of}; nothing was written")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(200)
