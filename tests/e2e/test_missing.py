"""What somebody deleted or damaged in the store by hand costs work, never a riddle."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place

PIPELINE = """
    from stackyard import pipeline, step

    @step(cache=True)
    def one() -> list[int]:
        return [1, 2]

    @step
    def two(values: list[int]) -> list[int]:
        return [2 * v for v in values]

    @step(TIMEOUT)
    def three(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def rel() -> None:
        three(two(one()))
"""


@pytest.fixture
def rel(place: Place) -> Place:
    place.write("dags/rel.py", PIPELINE.replace("TIMEOUT", ""))
    place.run("run", "rel")
    return place


def delete_result(place: Place, step: str) -> None:
    """Delete the file of the artifact that a step gave in the last run."""
    steps = {s["name"]: s["attempts"] for s in place.json("runs", "show", "latest")["steps"]}
    digest = steps[step][-1]["outputs"]["result"]["digest"]
    (path,) = (place.root / ".stackyard" / "store" / "artifacts").glob(f"*/{digest}")
    path.unlink()


def test_a_result_that_is_gone_is_made_again(rel: Place) -> None:
    delete_result(rel, "two")
    document = rel.json("run", "rel", "--explain")
    assert [(s["status"], s["why"]) for s in document["steps"][1:2]] == [
        ("succeeded", "its result is not in the store any more")
    ]
    assert [s["status"] for s in document["steps"]] == ["cached", "succeeded", "cached"]
    rel.run("artifact", "show", "latest:two")


def test_resuming_makes_again_what_is_gone(rel: Place) -> None:
    delete_result(rel, "one")
    assert rel.steps("rel", "--resume", "latest")["one"] == "succeeded"
    assert set(rel.steps("rel").values()) == {"cached"}


@pytest.mark.parametrize("timeout", ["", "timeout='1m'"], ids=["here", "worker"])
def test_an_input_that_is_gone_fails_the_step_and_says_the_cure(rel: Place, timeout: str) -> None:
    rel.write("dags/rel.py", PIPELINE.replace("TIMEOUT", timeout))
    rel.run("run", "rel")
    delete_result(rel, "two")
    done = rel.run("run", "rel", "--only", "three", check=False)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "input 'values' is 'result' of step 'two', and it is not in store" in error
    assert error.endswith("Make it again: stackyard run rel")
    assert "Traceback" not in done.stderr
    rel.run("run", "rel")
    rel.run("run", "rel", "--only", "three")
