"""Where a run's code came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def git_state(root: Path) -> dict[str, Any]:
    """Commit and state of the project's repository, empty where there is none."""
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return {}
    import subprocess

    def ask(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", ".")),
        }
    except (OSError, subprocess.TimeoutExpired):  # no git, or a slow file system
        return {}
