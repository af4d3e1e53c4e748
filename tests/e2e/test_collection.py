"""``runs gc`` with the shortest of graces beside runs: what they use stays, what is old goes."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.background import started, until
from tests.e2e.conftest import Place
from tests.e2e.test_concurrency import PIPELINE as SHARED
from tests.e2e.test_concurrency import STACK, WORK, check_sound, gc_beside, store, work
from tests.e2e.tracking import client, files, runs

LASTING = """
    import time
    from pathlib import Path
    from stackyard import Tracker, from_stack, pipeline, step

    @step(cache=True)
    def before() -> str:
        return "only of these runs"

    @step
    def keeps(*, tracker: Tracker = from_stack()) -> list[str]:
        tracker.log_text("kept early", "early.txt")
        Path("keeping").touch()
        while not Path("go").exists():
            time.sleep(0.02)
        return ["late"]

    @step
    def join(a: str, b: list[str]) -> str:
        return a + b[0]

    @pipeline
    def lasting() -> None:
        join(before(), keeps())
"""


def sweep(place: Place, turns: int) -> set[str]:
    """Old runs are deleted while new ones are made, published, and one goes on all the time.

    Returns what then becomes of the steps when the newest run that was kept is made again.
    """
    place.write("stacks/local.yaml", STACK)
    place.write("dags/shared.py", SHARED)
    place.write("dags/lasting.py", LASTING)
    place.write("work.py", WORK)
    with started(place, "run", "lasting", "--json") as lasting:
        with gc_beside(place, "--keep-last", "2", "--grace", "1s") as reports:
            until((place.root / "keeping").exists)
            for _ in range(3):  # newer runs of the pipeline: this one is not among those to keep
                place.run("run", "lasting", "--only", "before")
            made = work(place, turns)
            time.sleep(8)  # twice the grace and what clocks may be wrong by
        (place.root / "go").touch()  # a second after its end it would be collected, rightly
        out, err = lasting.communicate(timeout=60)
        assert lasting.returncode == 0, err
    document = json.loads(out)
    assert document["warnings"] == []
    gone = {run_id for report in reports for run_id in report["runs"]}
    assert gone
    assert document["run_id"] not in gone
    check_sound(place, [document["run_id"]])
    (told,) = runs(client(place.root), document["run_id"])
    assert set(files(client(place.root), told)) == {"early.txt"}
    # As long as a run goes on, what is younger than it stays. Now that may go as well.
    again = ("runs", "gc", "--keep-last", "2", "--grace", "1s")

    def collected() -> bool:
        report = place.json(*again)
        gone.update(report["runs"])
        return bool(report["artifacts"])

    until(collected)
    kept = [r["run_id"] for r in place.json("runs", "list", "--limit", "1000")["runs"]]
    assert set(made) - gone <= set(kept)
    check_sound(place, kept)
    newest = store(place).records.run(max(set(made) & set(kept))).params
    given = (f"--param={name}={value}" for name, value in newest.items())
    return set(place.steps("shared", *given).values())


@pytest.mark.full
def test_gc_beside_runs(place: Place) -> None:
    assert sweep(place, turns=25) == {"cached"}
