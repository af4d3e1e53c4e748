"""Files that a command writes: beside other writers, and where writing fails."""

from __future__ import annotations

import os
import threading
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


def test_a_link_stays_and_a_file_keeps_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to("real")
    write_whole(link, "text")
    assert link.is_symlink()
    assert real.read_text() == "text"
    assert real.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_whole(pipe, "text")
    reader.join(timeout=20)
    assert read == ["text"]
    assert pipe.is_fifo()


def test_nothing_is_left_after_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "new", "text")
    assert not list(tmp_path.iterdir())
