"""200 MB in 220 files: a data versioner on DVC, beside DVC's own Python API.

    python -m tests.benchmarks.versioning

Each figure is from a fresh process on a fresh cache, the best of several rounds with both ways
taken in turn; files are in the machine's memory, libraries are imported before. "commit" keeps the
files, "again" is the same for the folder unchanged; "checkout" writes the version to a new folder,
"push" and "pull" copy it to and from a folder. Stackyard reads again what it pulled, so DVC is told
to do that too (``verify``).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Row, print_rows

ROUNDS, FILES, SIZE = 7, 220, 200_000_000
LIMIT, AGAIN = 1.15, 0.3


class Stackyard:
    """The component, as a step has it."""

    def __init__(self, root: Path) -> None:
        import dvc.fs  # noqa: F401
        from dvc_data.hashfile import build, state  # noqa: F401

        self.root = root
        self.connect("here")

    def connect(self, place: str) -> None:
        """On a cache that is new unless the name was used before."""
        from stackyard.components.base import Context
        from stackyard_dvc.config import DvcConfig
        from stackyard_dvc.versioner import DvcDataVersioner

        folder = self.root / place
        context = Context(project=self.root, state_dir=folder / "s", cache_dir=folder / "c")
        self.versioner = DvcDataVersioner(DvcConfig(remote="remote"), context)

    def commit(self) -> None:
        self.version = self.versioner.commit(self.root / "data", "data").id

    def checkout(self) -> None:
        self.versioner.checkout("data", self.version, self.root / "out")

    def push(self) -> None:
        self.versioner.push("data", self.version)

    def pull(self) -> None:
        self.connect("there")
        self.versioner.pull("data", self.version)


class Dvc:
    """``dvc.repo.Repo`` without git: add, checkout, push, fetch."""

    def __init__(self, root: Path) -> None:
        from dvc.repo import Repo

        self.root, self.repo_class = root, Repo
        with contextlib.redirect_stdout(io.StringIO()):
            Repo.init(str(root), no_scm=True).close()
        (root / ".dvc/config").write_text(
            f"[core]\n    no_scm = true\n    remote = r\n    site_cache_dir = {root}/site\n"
            f"['remote \"r\"']\n    url = {root}/remote\n    verify = true\n"
        )

    def commit(self) -> None:
        repo = self.repo_class(str(self.root))
        repo.add(str(self.root / "data"))
        repo.close()

    def checkout(self) -> None:
        repo = self.repo_class(str(self.root))
        repo.checkout([str(self.root / "data.dvc")], force=True)
        repo.close()

    def push(self) -> None:
        repo = self.repo_class(str(self.root))
        repo.push([str(self.root / "data.dvc")])
        repo.close()

    def pull(self) -> None:
        shutil.rmtree(self.root / ".dvc/cache")
        shutil.rmtree(self.root / "site")
        repo = self.repo_class(str(self.root))
        repo.fetch([str(self.root / "data.dvc")])
        repo.close()


WAYS: dict[str, Callable[[Path], Any]] = {"stackyard": Stackyard, "dvc": Dvc}


def child(way: str, root: Path) -> dict[str, dict[str, float]]:
    """All operations in this process; seconds of each."""
    tool, found = WAYS[way](root), {}
    for name, call in (
        ("commit", tool.commit), ("again", tool.commit), ("checkout", tool.checkout),
        ("push", tool.push), ("pull", tool.pull),
    ):  # fmt: skip
        if name == "checkout" and way == "dvc":
            shutil.rmtree(root / "data")  # so that it writes all, as the other does
        os.sync()
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        found[name] = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return found


def rows() -> list[Row]:
    """Take turns; a line for each operation."""
    best: dict[str, dict[str, dict[str, float]]] = {way: {} for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS:
            with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder:
                root = Path(folder).resolve()
                make(root / "data", number)
                words = [sys.executable, "-m", "tests.benchmarks.versioning", way, folder]
                done = subprocess.run(words, capture_output=True, text=True, check=True)
            for name, cost in json.loads(done.stdout.splitlines()[-1]).items():
                kept = best[way].setdefault(name, cost)
                best[way][name] = {k: min(v, kept[k]) for k, v in cost.items()}
    return [row(name, best["stackyard"][name], best["dvc"][name]) for name in best["dvc"]]


def row(name: str, ours: dict[str, float], theirs: dict[str, float]) -> Row:
    """One line: Stackyard and DVC, and how many times as much."""
    ratio = ours["wall"] / theirs["wall"]
    kept = ours["wall"] <= AGAIN if name == "again" else ratio <= LIMIT
    return Row(
        f"200 MB in 220 files, {name}, beside DVC's own API",
        f"{ratio:.2f}x: {ours['wall']:.2f} and {theirs['wall']:.2f} s wall, "
        f"{ours['cpu']:.2f} and {theirs['cpu']:.2f} CPU s",
        f"{AGAIN} s" if name == "again" else f"{LIMIT}x",
        kept,
    )


def make(folder: Path, seed: int) -> None:
    """The files: one in ten is ten times as large as the others."""
    made = random.Random(seed)
    unit = SIZE // (FILES * 19 // 10)
    for number in range(FILES):
        path = folder / f"{number % 7}" / f"part-{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.randbytes(unit * (10 if number % 10 == 0 else 1)))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(child(sys.argv[1], Path(sys.argv[2]))))
        sys.exit(0)
    sys.exit(0 if print_rows(rows()) else 1)
