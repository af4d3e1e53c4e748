"""What a format does in processes of its own, for its contract."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.store.artifacts import Artifacts
from stackyard.store.records import ArtifactRef
from stackyard.testing.commands import command, run_flow, statuses

if TYPE_CHECKING:
    from stackyard.testing.format import FormatContract

# What is raised where text or bytes become code; exec also where a module is imported.
_RUNNING = ("exec", "pickle.find_class", "marshal.loads", "os.system", "subprocess.Popen")
_YEAR = 366 * 24 * 3600.0  # seconds
_FLOW = """
from typing import Any

from stackyard import pipeline, step


@step
def make(number: int) -> Any:
    from stackyard.testing.elsewhere import case

    return case().values()[number]


@step
def use(number: int, value: Any) -> int:
    from stackyard.testing.elsewhere import case

    assert case().same(value, case().values()[number])
    case().change(value)
    return number


@step
def again(used: int, value: Any) -> None:
    from stackyard.testing.elsewhere import case

    assert case().same(value, case().values()[used]), "what another step changed is seen"


@pipeline
def flow() -> None:
    for number in range({count}):
        value = make(number)
        again(use(number, value), value)
"""
_STACK = """
components: {{orchestrator: {{flavor: local, parallel: never}}}}
pickle: {pickle}
"""


def save_and_load(case: FormatContract, folder: str) -> list[str]:
    """Digests of the values, in a store in ``folder`` and next year; each is read back."""
    now = time.time
    time.time = lambda: now() + _YEAR
    store = _opened(folder)
    os.chdir(folder)
    found = []
    for value, again in zip(case.values(), case.values(), strict=True):
        ref = store.save(value)
        assert case.same(store.load(ref), again)
        found.append(ref.digest)
    return found


def runs_code(case: FormatContract, folder: str, stored: list[list[Any]]) -> list[str]:
    """What code runs while artifacts are read that have been read before."""
    store = _opened(folder)
    refs = [ArtifactRef(digest, format, "", size) for digest, format, size in stored]
    for ref in refs:  # imports what it needs
        store.load(ref)
    seen: set[str] = set()
    sys.addaudithook(lambda event, _: seen.add(event) if event in _RUNNING else None)
    for ref in refs:
        store.load(ref)
    return sorted(seen)


def run_in_pipeline(case: FormatContract, folder: str, pickle: str) -> dict[str, Any]:
    """Run a pipeline in a new project twice, and say what became of it."""
    said = _FLOW.format(count=len(case.values())), _STACK.format(pickle=pickle)
    first, second = (run_flow(Path(folder), *said) for _ in range(2))
    made = [step["name"] for step in first["steps"] if step["name"].startswith("make")]
    shown = [command("artifact", "show", f"latest:{name}", "--json") for name in made]
    return {
        "first": statuses(first),
        "second": statuses(second),
        "formats": [one["format"] for one in shown],
    }


def _opened(folder: str) -> Artifacts:
    from stackyard.testing.format import opened

    Path(folder).mkdir(parents=True, exist_ok=True)
    return opened(Path(folder))
