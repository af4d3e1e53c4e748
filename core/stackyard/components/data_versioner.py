"""The data versioner kind: versions of files and folders that are too large for git."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stackyard.components.base import Component


@dataclass(frozen=True)
class DataVersion:
    """One version of a dataset. ``id`` is the tool's own; ``size`` is bytes."""

    name: str
    id: str
    size: int
    files: int


class DataVersioner(Component):
    """Contract of a data versioner. Capabilities: ``push``, ``diff``, ``verify``."""

    kind: ClassVar[str] = "data_versioner"

    @abstractmethod
    def commit(self, path: Path, name: str) -> DataVersion:
        """Make the content of ``path`` a version of ``name``; equal content gives an equal id."""

    @abstractmethod
    def checkout(self, name: str, version: str, target: Path) -> None:
        """Write a version into the new or empty folder ``target``.

        Raises:
            NotFound: there is no such version here; it may have to be fetched first.
            AlreadyExists: ``target`` holds something.
        """

    @abstractmethod
    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions, newest first."""
