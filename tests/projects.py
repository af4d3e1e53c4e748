"""Projects in a temporary folder, and commands run in them by this process.

Where a command must be a process of its own, see ``Place`` in ``tests/e2e/conftest.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from stackyard.cli.demo import FILES
from stackyard.cli.main import main

ROOT = Path(__file__).parents[1]


def copy_flights(folder: Path) -> None:
    """A copy of the flights' project."""
    for name in FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)


def enter(folder: Path, patch: pytest.MonkeyPatch, files: Mapping[str, str] | None = None) -> Path:
    """Write the files of a project, and make its folder the current one."""
    for name, text in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in [n for n in os.environ if n.startswith("STACKYARD_")]:
        patch.delenv(name)
    patch.chdir(folder)
    return folder


def stackyard(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in the current folder."""
    for file in Path("dags").glob("*.py"):  # it may have changed, with what it reads
        sys.modules.pop(file.stem, None)
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as said:
        code = main(words)
    return code, out.getvalue(), said.getvalue()


def document(*words: str, code: int = 0) -> Any:
    """What a command says with ``--json``; it must end with ``code``."""
    ended, out, said = stackyard(*words, "--json")
    assert ended == code, said
    return json.loads(out)


def statuses(run: Any) -> dict[str, str]:
    """What became of each step of a run, by the document that tells of it."""
    return {step["name"]: step["status"] for step in run["steps"]}
