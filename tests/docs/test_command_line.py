"""The reference page of the command line says what the commands say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    script = ROOT / "docs" / "command_line.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_of_the_design_is_there() -> None:
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    for command in [
        "init", "demo", "run", "compile", "publish", "stack list", "stack show", "stack check",
        "stack diff", "stack use", "stack schema", "stack up", "stack down", "plugin list",
        "plugin show", "runs list", "runs show", "runs diff", "runs verify", "runs gc",
        "artifact show", "artifact get", "data list", "data diff", "data checkout", "data push",
        "data pull", "data verify", "doctor",
    ]:  # fmt: skip
        assert f"# stackyard {command}\n" in text, command


def test_what_is_required_has_no_brackets() -> None:
    """A command that is typed from the page as it stands there is not refused."""
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert "    stackyard plugin new NAME --kind K [--kind K]... [--dir DIR]\n" in text
