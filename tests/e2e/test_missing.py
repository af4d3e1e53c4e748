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


VANDAL = """
    import os, shutil
    from pathlib import Path
    from stackyard import pipeline, step

    RUNS = Path(".stackyard/store/runs")

    def damage(pattern: str, data: bytes) -> None:
        (run,) = RUNS.iterdir()
        if pattern == "new":
            (run / "claims").mkdir(exist_ok=True)
            (run / "claims" / "tracker").write_bytes(data)
            return
        (path,) = run.glob(pattern)
        path.chmod(0o644)
        path.unlink()
        path.write_bytes(data)

    @step
    def quiet() -> int:
        return 1

    @step
    def vandal(value: int) -> int:
        CODE
        return 2

    @pipeline
    def broken() -> None:
        vandal(quiet())
"""


def test_a_store_that_is_deleted_in_the_midst_of_a_run(place: Place) -> None:
    place.write("dags/broken.py", VANDAL.replace("CODE", "shutil.rmtree('.stackyard')"))
    done = place.run("run", "broken", check=False)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert error.startswith("error: the steps of the run succeeded. Store ")
    assert error.endswith(": it was deleted while the run went on.")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("damage('run.json', b'')", "run.json cannot be read"),
        ("damage('run.json', b'\\xff')", "run.json cannot be read"),
        ("damage('attempts/quiet@1.json', b'')", "quiet@1.json cannot be read"),
        ("damage('new', b'\\xff')", ""),
        ("shutil.rmtree(RUNS)", "it was deleted while the run went on"),
    ],
    ids=["empty run", "damaged run", "empty attempt", "damaged claim", "no runs"],
)
def test_a_record_that_is_damaged_in_the_midst_of_its_run(
    place: Place, code: str, said: str
) -> None:
    place.write("dags/broken.py", VANDAL.replace("CODE", code))
    done = place.run("run", "broken", check=False)
    assert "Traceback" not in done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert done.returncode == (2 if "read" in said else 1 if said else 0)
    for command in (("runs", "list"), ("runs", "show", "latest")):
        assert "Traceback" not in place.run(*command, check=False).stderr


def test_a_run_takes_the_same_time_wherever_it_is_told(rel: Place) -> None:
    document = rel.json("run", "rel")
    (listed,) = rel.json("runs", "list", "--limit", "1")["runs"]
    assert document["seconds"] == listed["seconds"]
    assert rel.json("runs", "show", "latest")["seconds"] == listed["seconds"]
