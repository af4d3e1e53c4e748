"""Commands in a process of a contract's own, and the project that they are for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any


def run_flow(project: Path, flow: str, stack: str, *words: str) -> Any:
    """Run the pipeline ``flow`` of a project, which is written unless it is there.

    Args:
        project: becomes the current folder.
        flow: its source.
        stack: text of the stack ``local``.
        words: more for the command line.
    """
    for name, text in {"dags/flow.py": flow, "stacks/local.yaml": stack}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    os.chdir(project)
    return command("run", "flow", "--stack", "local", "--json", *words)


def command(*words: str) -> Any:
    """What a command says with ``--json``; it must succeed."""
    from stackyard.cli.main import main

    with redirect_stdout(StringIO()) as out:
        code = main(words)
    assert code == 0, f"stackyard {' '.join(words)}: exit code {code}"
    return json.loads(out.getvalue())


def statuses(run: Mapping[str, Any]) -> dict[str, str]:
    """What became of the steps of a run, of those that call one function together."""
    found: dict[str, set[str]] = {}
    for step in run["steps"]:
        found.setdefault(step["name"].partition("_")[0], set()).add(step["status"])
    return {name: "/".join(sorted(each)) for name, each in found.items()}
