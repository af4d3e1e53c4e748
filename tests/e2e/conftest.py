"""Projects in a temporary folder, driven through the command line in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest


@dataclass
class Place:
    """A project folder and the ways to drive it."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def command(self, *words: str) -> list[str]:
        """The command line of ``stackyard words``."""
        return [sys.executable, "-m", "stackyard.cli.main", *words]

    def run(
        self, *words: str, env: dict[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run ``stackyard words`` in the project; with ``check`` it must succeed."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.root,
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stderr}"
        return done

    def json(self, *words: str, env: dict[str, str] | None = None, check: bool = True) -> Any:
        """Run ``stackyard words --json`` and return the one document it prints."""
        return json.loads(self.run(*words, "--json", env=env, check=check).stdout)

    def steps(self, *words: str, env: dict[str, str] | None = None) -> dict[str, str]:
        """Run a pipeline; return each step's status."""
        document = self.json("run", *words, env=env)
        return {s["name"]: s["status"] for s in document["steps"]}


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would choose a stack or a project."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STACKYARD_")}
    return kept | {"NO_COLOR": "1"} | (extra or {})


def stack(place: Place, parallel: str) -> None:
    """Let the stack say when steps run side by side."""
    orchestrator = f"{{flavor: local, workers: 2, parallel: {parallel}}}"
    place.write("stacks/local.yaml", f"components:\n  orchestrator: {orchestrator}\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty project whose stack ``local`` has the in-process orchestrator only."""
    made = Place(tmp_path / "project")
    made.write("stacks/local.yaml", "components:\n  orchestrator: {flavor: local}\n")
    return made


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[[str], Place]:
    """More projects beside the first."""

    def make(name: str) -> Place:
        made = Place(tmp_path / name)
        made.write("stacks/local.yaml", "components:\n  orchestrator: {flavor: local}\n")
        return made

    return make
