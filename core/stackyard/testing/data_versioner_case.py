"""What the tests of a data versioner's contract share: how it is made, and files of all sorts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersioner
from stackyard.testing.stand_ins import context_in

FILES = {
    "a.csv": b"hour,carrier\n1,UA\n",
    "empty.txt": b"",
    "deep/er/b.bin": bytes(range(256)) * 400,
    "größe, 大小.txt": b"unicode",
    "with spaces/c d.csv": b"2,DL\n",
}


class DataVersionerCase(ABC):
    """How the data versioner under test is made."""

    @abstractmethod
    def connect(self, context: Context) -> DataVersioner:
        """Return a new component on the same versions, whichever test asks."""

    def elsewhere(self, context: Context) -> DataVersioner:
        """Return a component of another machine with the same remote (capability ``remote``)."""
        raise NotImplementedError

    def plain(self, context: Context) -> DataVersioner | None:
        """Return a component without capability ``remote``; None where it always has it."""
        return None

    def unreachable(self, context: Context) -> DataVersioner | None:
        """Return a component whose remote does not answer; None where that cannot be."""
        return None

    def damage(self, versioner: DataVersioner, name: str, version: str, file: str) -> bool:
        """Change what is kept of ``file``; False where that cannot be."""
        return False

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """A context as core gives it to a step; override to put more into it."""
        return context_in(tmp_path / "project", "data_versioner", "load")

    @pytest.fixture
    def versioner(self, context: Context) -> Any:
        """The component under test."""
        made = self.connect(context)
        yield made
        made.close()

    @pytest.fixture
    def data(self, context: Context) -> Path:
        """A folder with files of all sorts."""
        return write(context.project / "data", FILES)


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Make the files of ``folder``; return it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their relative path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
