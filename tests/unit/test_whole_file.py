"""Files that a command writes: beside other writers, and where writing fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stackyard.cli import compile as compiling
from stackyard.cli.compile import Generated
from stackyard.whole_file import write_whole


def test_compiling_side_by_side(tmp_path: Path) -> None:
    """Each of several writers gets through, and a reader never sees a part."""
    path = tmp_path / "dags" / "flights.py"
    path.parent.mkdir()
    path.write_bytes(b"")
    whole = {"", *(f"{n}" * 200_000 for n in range(4))}

    def compile_one(text: str) -> None:
        for _ in range(50):
            compiling._write([Generated("flights", path, text, None)])
            assert path.read_text() in whole

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(compile_one, text) for text in whole if text]:
            done.result()
    assert [p.name for p in path.parent.iterdir()] == ["flights.py"]


def test_nothing_is_left_of_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
