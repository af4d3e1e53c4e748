"""Summaries on disk: the same answers, safe under concurrency, fast."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stackyard.store.code import scan
from stackyard.store.code.index import CodeIndex
from stackyard.store.code.summary import Summaries, from_json, to_json
from stackyard.store.digest import digest


def large(steps: int = 50, lines: int = 2000) -> str:
    """A module of ``steps`` steps and as many helpers, in about ``lines`` lines."""
    text = ["from stackyard import step", "import numpy as np", "LIMITS = {'a': 1}", ""]
    body = (lines - 4) // steps - 8
    for number in range(steps):
        text += [f"def helper_{number}(rows, limit=LIMITS['a']):"]
        text += [
            f"    value_{i} = np.sum(rows) * {i} + len([r for r in rows if r > limit])"
            for i in range(body)
        ]
        text += [f"    return value_0 + {number}", "", "", "@step(retries=2)"]
        text += [f"def step_{number}(rows: list[int], depth: int = 6) -> int:"]
        text += [f"    return helper_{number}(rows) + depth", ""]
    return "\n".join(text) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "dags"
    place.mkdir()
    (place / "flow.py").write_text(large())
    return place


def all_steps(index: CodeIndex) -> list[str]:
    return [index.fingerprint(f"flow:step_{number}").digest for number in range(50)]


def test_a_kept_summary_says_the_same(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = all_steps(CodeIndex([root], path=[]))
    assert all_steps(CodeIndex([root], path=[], cache_dir=tmp_path / "cache")) == plain
    monkeypatch.setattr(scan, "scan", None)  # reading a kept one does not scan
    assert all_steps(CodeIndex([root], path=[], cache_dir=tmp_path / "cache")) == plain


def test_a_summary_survives_json() -> None:
    source = (
        Path(scan.__file__).read_bytes() + large().encode() + b"\ndef f(): return g.__globals__\n"
    )
    made = scan.scan(source, digest(source)).index()
    assert made.units
    assert from_json(made.text, json.loads(json.dumps(to_json(made)))) == made


@pytest.mark.parametrize("damage", [b"", b"{cut o", b"[]", b"null", b'[[[1]],[],[],""]'])
def test_a_damaged_summary_is_made_again(root: Path, tmp_path: Path, damage: bytes) -> None:
    cache = tmp_path / "cache"
    before = all_steps(CodeIndex([root], path=[], cache_dir=cache))
    (kept,) = next(cache.glob("code-*")).iterdir()
    kept.write_bytes(damage)
    assert all_steps(CodeIndex([root], path=[], cache_dir=cache)) == before
    assert kept.read_bytes() != damage


def test_a_cache_that_cannot_be_written_is_no_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert all_steps(CodeIndex([root], path=[], cache_dir=tmp_path / "file" / "cache"))


def test_old_summaries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackyard.store.code.summary._KEPT", 10)
    summaries = Summaries(tmp_path)
    for number in range(30):
        summaries.of(f"D = {number}".encode())
    assert summaries.folder is not None
    assert 1 <= len([*summaries.folder.iterdir()]) <= 10


def test_many_processes_share_one_cache(root: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stackyard.store.code.index import CodeIndex\n"
        "for _ in range(5):\n"
        "    index = CodeIndex([Path(sys.argv[1])], path=[], cache_dir=Path(sys.argv[2]))\n"
        "    print(index.fingerprint('flow:step_7').digest)\n"
    )
    arguments = [sys.executable, "-c", program, str(root), str(tmp_path / "cache")]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = [line for process in running for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in running] == [0] * 4
    assert len(printed) == 20
    assert len(set(printed)) == 1
    (kept,) = next((tmp_path / "cache").glob("code-*")).iterdir()
    assert not kept.name.startswith(".")


def test_fifty_steps_of_one_large_module_are_cheap(root: Path, tmp_path: Path) -> None:
    """Budgets with room for a busy machine: 10 ms warm and 30 ms cold are meant."""
    cache = tmp_path / "cache"
    index = CodeIndex([root], cache_dir=cache)
    all_steps(index)
    began = time.process_time()
    again = CodeIndex([root], cache_dir=cache)
    all_steps(again)
    warm_disk = time.process_time() - began
    assert warm_disk < 0.06
    program = (
        "import sys, time; from pathlib import Path; began = time.process_time()\n"
        "from stackyard.store.code.index import CodeIndex\n"
        "index = CodeIndex([Path(sys.argv[1])], cache_dir=Path(sys.argv[2]))\n"
        "for n in range(50): index.fingerprint(f'flow:step_{n}')\n"
        "print(time.process_time() - began, 'stackyard.store.code.scan' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(root), str(cache)], capture_output=True, text=True
    )
    seconds, scanned = done.stdout.split()
    assert float(seconds) < 0.15, done
    assert scanned == "False"
