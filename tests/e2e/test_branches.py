"""Branches of a pipeline: which steps run, what is skipped and why, and what is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place, stack
from tests.pipelines import BRANCHES


@pytest.fixture
def branches(place: Place) -> Place:
    place.write("dags/branches.py", BRANCHES)
    return place


def ran(document: dict[str, Any]) -> set[str]:
    return {s["name"] for s in document["steps"] if s["status"] != "skipped"}


ALWAYS = {"measure", "large", "report", "last"}


@pytest.mark.parametrize("parallel", ["never", "always"])
@pytest.mark.parametrize(
    "params, way, said",
    [
        ({"scale": 9}, {"cut", "audit"}, "1 strict"),
        ({"scale": 9, "strict": "false"}, {"cut"}, "1 lax"),
        ({"scale": 1}, {"pad"}, "102 strict"),
        ({"scale": 1, "strict": "false"}, {"pad"}, "102 lax"),
    ],
)
def test_the_steps_of_the_way_that_is_taken_run(
    branches: Place, parallel: str, params: dict[str, Any], way: set[str], said: str
) -> None:
    stack(branches, parallel)
    words = [w for name, value in params.items() for w in ("--param", f"{name}={value}")]
    document = branches.json("run", "branches", *words)
    assert document["status"] == "succeeded"
    assert ran(document) == ALWAYS | way
    got = branches.run("artifact", "show", f"{document['run_id']}:report").stdout
    assert said in got
    reasons = {s["name"]: s["why"] for s in document["steps"] if s["status"] == "skipped"}
    big = "cut" in way
    if big:
        assert reasons.pop("pad") == "large is true"
    else:
        assert {reasons.pop(name) for name in ("cut", "audit")} == {"large is false"}
    assert reasons == ({} if "audit" in way or not big else {"audit": "strict is false"})


def test_a_branch_is_cached_by_what_it_reads_and_told_to_people(branches: Place) -> None:
    branches.run("run", "branches", "--param", "scale=9")
    again = branches.run("run", "branches", "--param", "scale=9").stderr
    assert "pad      skipped    0ms  large is true" in again
    statuses = branches.steps("branches", "--param", "scale=9", "--param", "strict=false")
    assert statuses["cut"] == "cached"  # the parameter only decides about another step
    assert statuses["audit"] == "skipped"
    assert branches.steps("branches", "--param", "scale=9")["audit"] == "cached"
    page = branches.run("runs", "show", "latest").stdout
    assert "pad" in page and "large is true" in page


def test_a_branch_is_resumed_where_it_failed(branches: Place, tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    flag.touch()
    words = ("run", "branches", "--param", "scale=9", "--param", f"broken={flag}")
    failed = branches.json(*words, check=False)
    statuses = {s["name"]: s["status"] for s in failed["steps"]}
    assert statuses["cut"] == "failed"
    assert {statuses[n] for n in ("audit", "pad", "report", "last")} == {"skipped"}
    flag.unlink()
    resumed = branches.json(*words, "--resume", failed["run_id"])
    assert resumed["status"] == "succeeded"
    assert ran(resumed) == ALWAYS | {"cut", "audit"}
    # Resumed with another value, it takes the other way.
    other = branches.json("run", "branches", "--resume", "latest", "--param", "scale=1")
    assert ran(other) == ALWAYS | {"pad"}


def test_one_step_of_a_branch_can_be_asked_for(branches: Place) -> None:
    branches.run("run", "branches", "--param", "scale=9")
    assert branches.steps("branches", "--only", "report") == {"report": "succeeded"}
    assert branches.steps("branches", "--only", "cut") == {"cut": "succeeded"}
    assert branches.steps("branches", "--only", "pad") == {"pad": "skipped"}


def test_what_decides_must_be_a_truth_value(place: Place) -> None:
    place.write(
        "dags/loose.py",
        """
        from stackyard import pipeline, step, when

        @step
        def guess():
            return "yes"

        @step
        def act() -> int:
            return 1

        @pipeline
        def loose() -> None:
            with when(guess()):
                act()
        """,
    )
    done = place.run("run", "loose", check=False)
    assert done.returncode == 2
    assert "guess is str, and a branch depends on it. Let a step return the truth value" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr
