"""Type checkers are content with pipelines as users write them, and find their mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).parent / "typing_samples"


def mypy(file: Path, cache: Path) -> tuple[int, str]:
    command = [
        sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(cache),
        "--ignore-missing-imports", "--follow-imports=silent", "--hide-error-context",
        "--no-error-summary", "--enable-error-code=redundant-expr", str(file),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def pyright(file: Path) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == 1
    found: list[dict[str, object]] = answer["generalDiagnostics"]
    return found


def marked(file: Path) -> set[int]:
    rows = file.read_text().splitlines()
    return {number for number, row in enumerate(rows, 1) if row.endswith("# error")}


def test_mypy_strict_is_content(tmp_path: Path) -> None:
    assert mypy(SAMPLES / "flights.py", tmp_path) == (0, "")


def test_mypy_finds_every_mistake(tmp_path: Path) -> None:
    _, output = mypy(SAMPLES / "wrong.py", tmp_path)
    lines = {int(n) for n in re.findall(r"wrong\.py:(\d+): error", output)}
    assert lines == marked(SAMPLES / "wrong.py"), output


def test_pyright_is_content() -> None:
    assert pyright(SAMPLES / "flights.py") == []


def test_pyright_finds_every_mistake() -> None:
    found = [d for d in pyright(SAMPLES / "wrong.py") if d["severity"] == "error"]
    lines = {d["range"]["start"]["line"] + 1 for d in found}  # type: ignore[index]
    assert lines == marked(SAMPLES / "wrong.py"), found
