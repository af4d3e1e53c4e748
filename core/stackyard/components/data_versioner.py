"""The data versioner kind: versions of files and folders that are too large for git."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stackyard.components.base import Component
from stackyard.errors import InvalidInput

# It reaches paths and addresses of every tool.
DATASET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True)
class DataVersion:
    """One version of a dataset.

    Attributes:
        name: The dataset's name.
        id: The tool's own identity of the content: equal content has an equal id.
        size: Bytes.
        files: Number of files; 1 for a single file.
        committed: When it was committed first, seconds since the epoch.
    """

    name: str
    id: str
    size: int
    files: int
    committed: float


@dataclass(frozen=True)
class DataDiff:
    """How two versions differ: paths relative to the dataset, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class DataVersioner(Component):
    """Contract of a data versioner. Capabilities: ``remote``, ``diff``, ``verify``.

    A dataset is one file or one folder under a name. A version stays what it is: nothing that is
    done to the committed path, or to a folder that was checked out, changes it.
    """

    kind: ClassVar[str] = "data_versioner"

    @abstractmethod
    def commit(self, path: Path, name: str) -> DataVersion:
        """Make the content of the file or folder ``path`` a version of ``name``.

        Equal content gives the version that there is. Call ``self.note(version)``, so that the
        record of the step says which data it had.

        Raises:
            InvalidInput: ``path`` does not exist or is an empty folder, or the name is refused.
        """

    @abstractmethod
    def checkout(
        self, name: str, version: str, target: Path, *, overwrite: bool = False
    ) -> DataVersion:
        """Write a version to ``target``: a file if one was committed, else a folder.

        ``target`` is made whole or not at all. With ``overwrite`` it becomes exactly the version,
        without it nothing of the user's is ever touched. Call ``self.note(version)``.

        Raises:
            NotFound: there is no such version here; one that is elsewhere must be pulled first.
            AlreadyExists: ``target`` is a file or a folder that holds something.
        """

    @abstractmethod
    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions of one dataset or of all that are known here, newest first."""

    def push(self, name: str, version: str) -> None:
        """Copy a version to the remote, where it may be already (capability ``remote``).

        Raises:
            NotFound: there is no such version here.
            Unavailable: the remote cannot be reached.
        """
        self.require("remote")

    def pull(self, name: str, version: str) -> DataVersion:
        """Bring a version from the remote, known here or not (capability ``remote``).

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
            Paths of those that are damaged or gone, sorted; empty where all is sound.

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
