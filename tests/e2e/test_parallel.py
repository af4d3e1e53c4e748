"""Which steps run side by side."""

from __future__ import annotations

from itertools import pairwise

from tests.e2e.background import attempts, shown
from tests.e2e.conftest import Place, stack

SLEEPERS = """
    import os
    import time
    from pathlib import Path
    from stackyard import pipeline, step

    def work(own: str, other: str) -> list[float]:
        began = time.time()
        Path(own).touch()
        time.sleep(1.2)
        while "MEET" in os.environ and not Path(other).exists() and time.time() < began + 60:
            time.sleep(0.02)
        return [began, time.time()]

    @step
    def left() -> list[float]:
        return work("left", "right")

    @step
    def right() -> list[float]:
        return work("right", "left")

    @step(timeout="1m")
    def timed() -> list[float]:
        began = time.time()
        time.sleep(0.3)
        return [began, time.time()]

    @step
    def both(a: list[float], b: list[float]) -> list[list[float]]:
        return [a, b]

    @pipeline
    def sleepers() -> None:
        both(left(), right())

    @pipeline
    def mixed() -> None:
        timed()
        timed()
        left()
"""


def spans(place: Place) -> list[tuple[float, float]]:
    """When the steps of the latest run were at work, in order."""
    made = [a for s in shown(place)["steps"] for a in s["attempts"] if s["name"] != "both"]
    return sorted((a["started"], a["started"] + a["seconds"]) for a in made)


def side_by_side(place: Place) -> bool:
    """Whether any two steps of the latest run overlapped in time."""
    times = spans(place)
    return any(later[0] < earlier[1] for earlier, later in pairwise(times))


def test_always_side_by_side(place: Place) -> None:
    place.write("dags/sleepers.py", SLEEPERS)
    stack(place, "always")
    place.run("run", "dags/sleepers.py:sleepers", env={"MEET": "1"})
    assert side_by_side(place)


def test_never_side_by_side(place: Place) -> None:
    """Not even steps that have a process of their own."""
    place.write("dags/sleepers.py", SLEEPERS)
    stack(place, "never")
    place.run("run", "dags/sleepers.py:mixed")
    assert len(spans(place)) == 3
    assert not side_by_side(place)


def test_side_by_side_when_earlier_runs_say_that_it_helps(place: Place) -> None:
    text = SLEEPERS.replace("@step\n", "@step(cache=True)\n")
    place.write("dags/sleepers.py", text)
    stack(place, "auto")
    reference = "dags/sleepers.py:sleepers"
    place.run("run", reference)
    assert not side_by_side(place), "nothing was known"
    place.run("run", reference)
    assert {a["status"] for a in attempts(place, "left")} == {"cached"}
    for name in ("left", "right"):
        (place.root / name).unlink()
    place.run("run", reference, "--no-cache", env={"MEET": "1"})
    assert side_by_side(place), "both took more than a second when they ran last"
    short = text.replace("time.sleep(1.2)", "time.sleep(0.1)")
    place.write("dags/sleepers.py", short)
    place.run("run", reference, "--no-cache")
    place.run("run", reference, "--no-cache")
    assert not side_by_side(place), "a process each would cost more than it gains"
