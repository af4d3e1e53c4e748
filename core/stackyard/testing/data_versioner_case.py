"""What the tests of a data versioner's contract share: how it is made, and files of all sorts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersioner
from stackyard.testing.component import ComponentContract
from stackyard.testing.manners import files_in
from stackyard.testing.stand_ins import context_in

FILES = {
    "a.csv": b"hour,carrier\n1,UA\n",
    "empty.txt": b"",
    "deep/er/b.bin": bytes(range(256)) * 400,
    "größe, 大小.txt": b"unicode",
    "with spaces/c d.csv": b"2,DL\n",
}


class DataVersionerCase(ComponentContract):
    """How the data versioner under test is made and asked."""

    kind = "data_versioner"

    def elsewhere(self, context: Context) -> DataVersioner:
        """Return a component of another machine with the same remote (capability ``remote``)."""
        own = context.project / "elsewhere"
        made: DataVersioner = self.connect(
            replace(context, cache_dir=own / "cache", state_dir=own / "state")
        )
        return made

    def ask(self, component: DataVersioner) -> object:
        """Commit; push where there is a remote, since all else needs none."""
        version = component.commit(write(component.context.project / "asked", FILES), "asked")
        if "remote" in component.capabilities:
            component.push("asked", version.id)
        return version

    def look(self, component: DataVersioner) -> object:
        """List the versions."""
        return component.list()

    def before_at_once(self, component: DataVersioner, token: str) -> None:
        """A folder for both processes, and one for each."""
        for part in ("both", "own-0", "own-1"):
            write(component.context.project / part, {**FILES, "part.txt": part.encode()})

    @classmethod
    def do_at_once(cls, component: DataVersioner, number: int, token: str) -> Any:
        """Commit the same folder and another."""
        project = component.context.project
        folders = (project / "both", project / f"own-{number}")
        return [component.commit(folder, "flights").id for folder in folders]

    def check_at_once(self, component: DataVersioner, results: list[Any], token: str) -> None:
        """Both have the same version of the same folder; each is there once, and whole."""
        assert results[0][0] == results[1][0]
        ids = {one for made in results for one in made}
        assert sorted(v.id for v in component.list("flights")) == sorted(ids)
        assert len(ids) == 3
        for one in ids:
            component.checkout("flights", one, component.context.project / "out" / one[:20])
            found = files_in(component.context.project / "out" / one[:20])
            assert found.items() >= FILES.items()

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
