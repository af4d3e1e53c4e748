"""The data versioner kind: versions of files and folders that are too large for git."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stackyard.components.base import Component
from stackyard.errors import AlreadyExists, InvalidInput

# They reach paths and addresses of every tool.
DATASET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,16})?\.(gz|bz2|xz|zst)|\.[A-Za-z0-9]{1,16}")


@dataclass(frozen=True)
class DataVersion:
    """One version of a dataset.

    Attributes:
        name: The dataset's name.
        id: The tool's own identity of the content: equal content has an equal id.
        size: Bytes.
        files: Number of files; 1 for a single file.
        committed: When it was committed first, seconds since the epoch.
        suffix: The ending that a single file had when it was committed first, e.g. ``.csv``.
    """

    name: str
    id: str
    size: int
    files: int
    committed: float
    suffix: str = ""


@dataclass(frozen=True)
class DataDiff:
    """How two versions differ: paths relative to the dataset, sorted.

    A single file goes by the dataset's name.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class DataVersioner(Component):
    """Contract of a data versioner. Capabilities: ``remote``, ``diff``, ``verify``.

    A dataset is one file or one folder under a name. A version is the content of its files: a link
    to a file counts as the file, empty folders and permissions do not count. It stays what it is:
    nothing that is done to the committed path, or to a folder that was checked out, changes it.
    Relative paths count from the project.
    """

    kind: ClassVar[str] = "data_versioner"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "remote": ("push", "pull"),
        "diff": ("diff",),
        "verify": ("verify",),
    }

    @abstractmethod
    def commit(self, path: Path, name: str) -> DataVersion:
        """Make the content of the file or folder ``path`` a version of ``name``.

        Equal content gives the version that there is. Call ``self.note(version)``, so that the
        record of the step says which data it had.

        Raises:
            InvalidInput: ``path`` does not exist, holds no file or something that cannot be kept
                (see ``dataset_files``), or the name is refused.
            Conflict: it was changed meanwhile; another try may find it at rest.
        """

    @abstractmethod
    def checkout(
        self, name: str, version: str, target: Path, *, overwrite: bool = False
    ) -> DataVersion:
        """Write a version to ``target``: a file if one was committed, else a folder.

        ``target`` is made whole or not at all. With ``overwrite`` it becomes exactly the version,
        without it nothing of the user's is ever touched. Call ``self.note(version)``.

        Raises:
            NotFound: there is no such version here, or files of it are damaged or gone; it must be
                pulled first.
            AlreadyExists: ``target`` is a file or a folder that holds something.
            InvalidInput: with ``overwrite``, the project itself would be overwritten.
        """

    @abstractmethod
    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions of one dataset or of all that are known here, newest first."""

    def push(self, name: str, version: str) -> None:
        """Copy a version to the remote, where it may be already (capability ``remote``).

        Raises:
            NotFound: there is no such version here, or files of it are damaged or gone.
            Unavailable: the remote cannot be reached.
        """
        self.require("remote")

    def pull(self, name: str, version: str) -> DataVersion:
        """Bring a version from the remote, known here or not (capability ``remote``).

        What is damaged or gone here is replaced.

        Raises:
            NotFound: the remote does not have it.
            Unavailable: the remote cannot be reached.
        """
        self.require("remote")
        raise NotImplementedError

    def diff(self, name: str, first: str, second: str) -> DataDiff:
        """Compare two versions file by file (capability ``diff``).

        Raises:
            NotFound: one of them is not here.
        """
        self.require("diff")
        raise NotImplementedError

    def verify(self, name: str, version: str) -> Sequence[str]:
        """Read a version's files here again (capability ``verify``).

        Returns:
            Paths of those that are damaged or gone, sorted; empty where all is sound. The
            dataset's name stands for a single file, and for the list of a folder's files.

        Raises:
            NotFound: there is no such version here.
        """
        self.require("verify")
        raise NotImplementedError


def check_dataset_name(name: str) -> str:
    """Return ``name`` if a dataset may be called so.

    Raises:
        InvalidInput: it holds anything but ASCII letters, digits, ``_``, ``.`` and ``-``.
    """
    if DATASET_NAME.fullmatch(name) is None or name.endswith("."):
        raise InvalidInput(
            f"dataset name {name!r}: use up to 200 ASCII letters, digits, '_', '.' and '-', "
            "with a letter, digit or '_' first and no '.' last"
        )
    return name


def file_suffix(path: Path) -> str:
    """The ending of a file's name for ``DataVersion.suffix``: ``.csv``, ``.csv.gz``; or nothing.

    Nothing too for a folder, and for an ending that is not plain ASCII.
    """
    found = "" if path.is_dir() else path.name.lstrip(".")
    _, dot, rest = found.partition(".")
    while dot and SUFFIX.fullmatch(dot + rest) is None:
        _, dot, rest = rest.partition(".")
    return dot + rest


def dataset_files(path: Path) -> dict[str, os.stat_result]:
    """The files of which a version of ``path`` is made, by their relative path with ``/``.

    A single file is ``""``. A link to a file counts as the file.

    Raises:
        InvalidInput: ``path`` does not exist, holds no file, or holds a link to a folder, a link
            that leads nowhere, anything else that is no file, or a name that is no Unicode text.
    """
    if not path.exists():
        raise InvalidInput(f"{path} does not exist; nothing was committed")
    if not path.is_dir():
        return {"": _facts(path)}
    found = dict(_walk(path, ""))
    if not found:
        raise InvalidInput(f"{path} holds no file; nothing was committed")
    return found


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            path, relative = Path(entry.path), prefix + entry.name
            try:
                entry.name.encode()
            except UnicodeEncodeError as exc:
                raise InvalidInput(
                    f"{entry.path!a}: the name is no Unicode text; nothing was committed"
                ) from exc
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(path, f"{relative}/")
            else:
                yield relative, _facts(path)


def _facts(path: Path) -> os.stat_result:
    try:
        facts = path.stat()
    except OSError as exc:
        why = "a link that leads nowhere" if path.is_symlink() else str(exc.strerror).lower()
        raise InvalidInput(f"{path}: {why}; nothing was committed") from exc
    if path.is_dir():
        raise InvalidInput(
            f"{path} is a link to a folder; nothing was committed. Put the folder there, or commit "
            "it under a name of its own"
        )
    if not path.is_file():
        raise InvalidInput(f"{path} is neither file nor folder; nothing was committed")
    return facts


def check_target(target: Path, project: Path, *, overwrite: bool) -> Path:
    """Return where a version may be written: ``target`` with links followed.

    Raises:
        AlreadyExists: it is a file or a folder that holds something, and ``overwrite`` is not set.
        InvalidInput: it is the project, a folder around it, or one of Stackyard's own in it, and
            would be overwritten.
    """
    real = Path(os.path.realpath(target))
    occupied = real.exists() and not (real.is_dir() and not any(real.iterdir()))
    if not occupied:
        return real
    if not overwrite:
        what = "holds something" if real.is_dir() else "is a file"
        raise AlreadyExists(
            f"{target} {what}; nothing was written. Choose another target, --to PATH, or, to have "
            "it overwritten, --overwrite (in a step: overwrite=True)"
        )
    home = Path(os.path.realpath(project))
    own = home / ".stackyard"
    what = "the project itself" if home.is_relative_to(real) else ""
    if real.is_relative_to(own) and not real.is_relative_to(own / "data"):
        what = "what Stackyard keeps"
    if what:
        raise InvalidInput(
            f"{target} holds {what} and is not overwritten. Choose another target: --to PATH"
        )
    return real
