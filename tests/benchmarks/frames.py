"""A 200 MB numeric frame between two steps, and many small values, beside plain pickle.

    python -m tests.benchmarks.frames [--rounds N]

Every figure is from a fresh process, the best of N rounds, with both ways taken in turn. Counted
are writing, reading and one pass over all values (a map is read only then); libraries are imported
and the machine's memory for a file of that size is touched before. "In process": one process
writes, drops the frame and reads it. "Another process": one writes, another reads; there Stackyard
verifies the digest before it reads, pickle verifies nothing.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Row, print_rows

ROWS, COLUMNS = 1_250_000, 20  # float64: 200 MB
SMALL = 2000
PEAK = 1.05


class Stackyard:
    """Saving and loading through a local store."""

    def __init__(self, folder: Path) -> None:
        from stackyard.store.store import open_store

        self.store = open_store(folder / "store", cache_dir=folder / "cache").artifacts
        self.note = folder / "ref.json"

    def write(self, value: Any) -> Any:
        return self.store.save(value)

    def read(self, ref: Any) -> Any:
        return self.store.load(ref)

    def leave(self, ref: Any) -> None:
        self.note.write_text(json.dumps(vars(ref)))

    def find(self) -> Any:
        from stackyard.store.records import ArtifactRef

        return ArtifactRef(**json.loads(self.note.read_text()))


class Pickle:
    """What a careful user would write by hand: newest protocol, one file for each value."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def write(self, value: Any) -> Any:
        self.count += 1
        path = self.folder / f"{self.count}.pickle"
        with path.open("wb") as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        return path

    def read(self, path: Any) -> Any:
        with path.open("rb") as file:
            return pickle.load(file)

    def leave(self, path: Any) -> None:
        """The reader knows the name."""

    def find(self) -> Any:
        return self.folder / "2.pickle"


WAYS: dict[str, Callable[[Path], Any]] = {"stackyard": Stackyard, "pickle": Pickle}


def frame(seed: int, rows: int = ROWS) -> Any:
    """Random numbers, column by column, so that making them needs no second copy."""
    import numpy as np
    import pandas as pd

    values = np.empty((COLUMNS, rows))
    rng = np.random.default_rng(seed)
    for column in values:
        rng.random(out=column)
    return pd.DataFrame(values.T, columns=[f"c{i}" for i in range(COLUMNS)], copy=False)


def child(way: str, task: str, folder: Path, seed: int) -> dict[str, float]:
    """One measurement, in this process."""
    tool = WAYS[way](folder)
    if task == "read":
        warm = tool.find()
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
    else:
        warm = tool.write(frame(seed + 1, 10))
        tool.read(warm).sum()
    value = None if task in ("read", "small") else frame(seed)
    touch(folder / "touched")
    cpu, wall = time.process_time(), time.perf_counter()
    if task == "small":
        refs = [tool.write({"i": i, "name": f"value {i}", "part": seed}) for i in range(SMALL)]
        assert sum(tool.read(ref)["i"] for ref in refs) == SMALL * (SMALL - 1) // 2
    elif task == "read":
        total(tool.read(tool.find()))
    else:
        ref = tool.write(value)
        del value
        if task == "write":
            tool.leave(ref)
        elif task == "change":
            back = tool.read(ref)
            back += 1.0
        else:
            total(tool.read(ref))
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def touch(path: Path) -> None:
    """Let a virtual machine get the memory that a large file takes; that is not our cost."""
    with path.open("wb") as file:
        for _ in range(200):
            file.write(bytes(1_000_000))
    path.unlink()


def total(back: Any) -> None:
    """One pass over all values."""
    assert 0.49 < float(back.to_numpy().sum()) / (ROWS * COLUMNS) < 0.51


def measure(way: str, tasks: tuple[str, ...], seed: int) -> dict[str, float]:
    """The tasks, each in a process of its own: CPU and wall summed, the highest peak."""
    with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder:
        found = []
        for task in tasks:
            command = [sys.executable, "-m", "tests.benchmarks.frames", "--child", way, task]
            command += [folder, str(seed)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
            found.append(json.loads(done.stdout))
    return {
        "cpu": sum(f["cpu"] for f in found),
        "wall": sum(f["wall"] for f in found),
        "peak": max(f["peak"] for f in found),
    }


CASES: dict[str, tuple[tuple[str, ...], float | None]] = {
    "frame of 200 MB, in process": (("both",), 1.1),
    "frame of 200 MB, in process, changed in place": (("change",), None),
    "frame of 200 MB, verified in another process": (("write", "read"), 1.4),
    f"{SMALL} small values": (("small",), None),
}


def main(rounds: int = 7) -> bool:
    """Measure all rows."""
    rows = []
    for case, (tasks, limit) in CASES.items():
        best: dict[str, dict[str, float]] = {}
        for seed in range(rounds):
            for way in WAYS:
                found = measure(way, tasks, seed)
                kept = best.setdefault(way, found)
                best[way] = {k: min(v, kept[k]) for k, v in found.items()}
        rows.append(row(case, best["stackyard"], best["pickle"], limit))
    return print_rows(rows)


def row(case: str, ours: dict[str, float], plain: dict[str, float], limit: float | None) -> Row:
    """One line of the table: Stackyard, plain pickle, and how many times as much."""
    times = {k: ours[k] / plain[k] for k in ours}
    figures = ", ".join(
        f"{name} {ours[k]:.{digits}f} to {plain[k]:.{digits}f} {unit} = {times[k]:.2f}x"
        for name, k, digits, unit in (
            ("CPU", "cpu", 3, "s"),
            ("wall", "wall", 3, "s"),
            ("peak", "peak", 0, "MB"),
        )
    )
    budget = f"CPU {limit}x, peak {PEAK}x" if limit else "none"
    kept = limit is None or (times["cpu"] <= limit and times["peak"] <= PEAK)
    return Row(case, figures, budget, kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        one, step, place, number = options.child
        print(json.dumps(child(one, step, Path(place), int(number))))
        sys.exit(0)
    sys.exit(0 if main(options.rounds) else 1)
