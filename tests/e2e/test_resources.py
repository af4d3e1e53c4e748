"""Resources of a project: made for each step, closed when it has ended, however it ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Place

FLOW = """
from pathlib import Path
from stackyard import Resource, from_stack, pipeline, step

class Connection(Resource):
    def __init__(self, name: str, sound: bool = True) -> None:
        self.name, self.sound = name, sound

    def close(self) -> None:
        with Path("closed.txt").open("a") as file:
            file.write(f"{self.name}\\n")
        if not self.sound:
            raise OSError(f"{self.name} is stuck")

@step
def load(fail: bool, *, one: Connection = from_stack(), two: Connection = from_stack()) -> int:
    if fail:
        raise ValueError("no rows")
    return 1

@pipeline
def flow(fail: bool = False) -> None:
    load(fail)
"""


def run(place: Place, sound: bool, *words: str) -> dict[str, Any]:
    """Run the flow; the second resource's close raises unless ``sound``."""
    place.write("dags/flow.py", FLOW)
    place.write(
        "stacks/local.yaml",
        f"""
        components: {{orchestrator: {{flavor: local}}}}
        resources:
          one: {{class: "flow:Connection", name: one}}
          two: {{class: "flow:Connection", name: two, sound: {str(sound).lower()}}}
        """,
    )
    document: dict[str, Any] = place.json("run", "flow", *words, check=False)
    return document


@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("fail", [True, False])
def test_every_resource_is_closed_once(place: Place, sound: bool, fail: bool) -> None:
    document = run(place, sound, "--param", f"fail={fail}")
    assert (place.root / "closed.txt").read_text().split() == ["two", "one"]
    [step] = document["steps"]
    if fail:
        assert step["error"] == "ValueError: no rows"
        shown = place.run("runs", "show", "latest").stdout
        assert ("two is stuck" in shown) is not sound
    elif not sound:
        assert (step["status"], step["error"]) == ("failed", "OSError: two is stuck")
        assert step["outputs"] == {}
    else:
        assert step["status"] == "succeeded"
