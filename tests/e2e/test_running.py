"""How steps run: tried again, side by side or not, failing, printing, watched by listeners."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.background import shown
from tests.e2e.conftest import Place

SLEEPERS = """
    import time
    from stackyard import pipeline, step

    @step
    def left() -> list[float]:
        began = time.time()
        time.sleep(1.2)
        return [began, time.time()]

    @step
    def right() -> list[float]:
        began = time.time()
        time.sleep(1.2)
        return [began, time.time()]

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


def stack(place: Place, parallel: str) -> None:
    """Let the stack say when steps run side by side."""
    orchestrator = f"{{flavor: local, workers: 2, parallel: {parallel}}}"
    place.write("stacks/local.yaml", f"components:\n  orchestrator: {orchestrator}\n")


def attempts(place: Place, step: str) -> list[dict[str, Any]]:
    """The attempts of a step in the latest run."""
    (found,) = [s["attempts"] for s in shown(place)["steps"] if s["name"] == step]
    return list(found)


def spans(place: Place) -> list[tuple[float, float]]:
    """When the steps of the latest run were at work, in order."""
    made = [a for s in shown(place)["steps"] for a in s["attempts"] if s["name"] != "both"]
    return sorted((a["started"], a["started"] + a["seconds"]) for a in made)


def side_by_side(place: Place) -> bool:
    """Whether any two steps of the latest run overlapped in time."""
    times = spans(place)
    return any(later[0] < earlier[1] for earlier, later in pairwise(times))


def test_retries_back_off(place: Place) -> None:
    place.write(
        "dags/flaky.py",
        """
        from stackyard import pipeline, step

        @step(retries=3, retry_delay=0.4)
        def flaky() -> int:
            raise OSError("not today")

        @pipeline
        def flaky_pipeline() -> None:
            flaky()
        """,
    )
    done = place.run("run", "dags/flaky.py", check=False)
    assert done.returncode == 1
    assert "OSError: not today; again in 0.4 s" in done.stderr
    tries = attempts(place, "flaky")
    assert [a["attempt"] for a in tries] == [1, 2, 3, 4]
    assert {a["status"] for a in tries} == {"failed"}
    ends = [a["started"] + a["seconds"] for a in tries]
    pauses = [b["started"] - end for b, end in zip(tries[1:], ends, strict=False)]
    for pause, wanted in zip(pauses, (0.4, 0.8, 1.6), strict=True):
        assert wanted - 0.01 <= pause < wanted + 0.4, pauses


def test_other_steps_go_on_while_one_waits_for_its_retry(place: Place) -> None:
    place.write(
        "dags/waiting.py",
        """
        import time
        from stackyard import pipeline, step

        @step(retries=1, retry_delay=1.0)
        def flaky() -> int:
            raise OSError("not today")

        @step
        def first() -> int:
            time.sleep(0.2)
            return 1

        @step
        def second(value: int) -> int:
            return value

        @pipeline
        def waiting() -> None:
            flaky()
            second(first())
        """,
    )
    place.run("run", "waiting", check=False)
    assert attempts(place, "second")[0]["started"] < attempts(place, "flaky")[1]["started"]


def test_always_side_by_side(place: Place) -> None:
    place.write("dags/sleepers.py", SLEEPERS)
    stack(place, "always")
    place.run("run", "dags/sleepers.py:sleepers")
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
    place.run("run", reference, "--no-cache")
    assert side_by_side(place), "both took more than a second when they ran last"
    short = text.replace("time.sleep(1.2)", "time.sleep(0.1)")
    place.write("dags/sleepers.py", short)
    place.run("run", reference, "--no-cache")
    place.run("run", reference, "--no-cache")
    assert not side_by_side(place), "a process each would cost more than it gains"


@pytest.mark.parametrize("parallel", ["never", "always"])
def test_a_failing_branch_stops_only_what_follows_it(place: Place, parallel: str) -> None:
    stack(place, parallel)
    place.write(
        "dags/branches.py",
        """
        import sys
        from stackyard import pipeline, step

        @step
        def fails() -> int:
            sys.exit(3)

        @step
        def behind(value: int) -> int:
            return value

        @step
        def start() -> int:
            return 1

        @step
        def follow(value: int) -> int:
            return value + 1

        @pipeline
        def branches() -> None:
            behind(fails())
            follow(follow(start()))
        """,
    )
    done = place.run("run", "branches", "--json", check=False)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [(s["name"], s["status"]) for s in document["steps"]] == [
        ("fails", "failed"), ("behind", "skipped"),
        ("start", "succeeded"), ("follow", "succeeded"), ("follow_2", "succeeded"),
    ]  # fmt: skip
    assert document["error"] == "step 'fails' failed: SystemExit: 3"
    assert re.search(r"^behind +skipped +step 'fails' failed$", done.stderr, re.MULTILINE)


def test_resumed_with_other_parameters(place: Place) -> None:
    place.write(
        "dags/picky.py",
        """
        from stackyard import pipeline, step

        @step
        def load(rows: int) -> list[int]:
            return list(range(rows))

        @step
        def train(rows: list[int], depth: int) -> int:
            if depth > 3:
                raise ValueError(f"depth {depth} is too much")
            return len(rows) * depth

        @pipeline
        def picky(rows: int = 5, depth: int = 9) -> None:
            train(load(rows), depth)
        """,
    )
    failed = place.json("run", "picky", "--param", "rows=7", check=False)
    assert failed["status"] == "failed"
    resumed = place.json("run", "picky", "--resume", "latest", "--param", "depth=2")
    assert [s["status"] for s in resumed["steps"]] == ["cached", "succeeded"]
    record = shown(place)
    assert record["params"] == {"rows": 7, "depth": 2}
    assert record["resume"] == failed["run_id"]
    # What the change concerns runs again, though it had finished.
    third = place.json("run", "picky", "--resume", "latest", "--param", "rows=8")
    assert [s["status"] for s in third["steps"]] == ["succeeded", "succeeded"]


def test_what_a_step_prints_and_logs_is_kept(place: Place) -> None:
    place.write(
        "dags/loud.py",
        """
        import logging, os, sys
        from stackyard import pipeline, step

        def say(where: str) -> int:
            print("printed", where)
            print("told", where, file=sys.stderr)
            logging.getLogger("mine").warning("logged %s", where)
            os.system(f"echo from a program {where}")
            return 1

        @step
        def here() -> int:
            return say("here")

        @step(timeout="1m")
        def apart() -> int:
            return say("apart")

        @pipeline
        def loud() -> None:
            here()
            apart()
        """,
    )
    document = place.json("run", "loud")  # standard output is one document
    assert document["status"] == "succeeded"
    page = Path(place.run("runs", "show", "latest", "--html").stdout.strip()).read_text()
    for step in ("here", "apart"):
        log = attempts(place, step)[0]["log"]
        place.run("artifact", "get", log, f"{step}.txt")
        text = (place.root / f"{step}.txt").read_text()
        assert f"printed {step}\ntold {step}\nWARNING mine: logged {step}\n" in text
        assert f"WARNING mine: logged {step}" in page


def test_an_output_that_cannot_be_stored(place: Place) -> None:
    """Names the step and what to do; trying again would not help; the rest of the run goes on."""
    place.write(
        "dags/odd.py",
        """
        import threading
        from typing import NamedTuple
        from stackyard import pipeline, step

        class Pair(NamedTuple):
            good: int
            bad: object

        @step(retries=2, retry_delay=0.01)
        def locks() -> object:
            print("making a lock")
            return threading.Lock()

        @step(timeout="1m", retries=2, retry_delay=0.01)
        def pair() -> Pair:
            return Pair(1, (n for n in range(3)))

        @step
        def fine() -> int:
            return 1

        @pipeline
        def odd() -> None:
            locks()
            pair()
            fine()
        """,
    )
    done = place.run("run", "odd", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [t for t in done.stderr.splitlines() if t.startswith("error:")]
    assert "step 'locks' failed: Unstorable: cannot store a value of type _thread.lock" in line
    assert "step 'pair' failed: Unstorable: output 'bad': cannot store a value of type" in line
    assert "Return data rather than" in line
    steps = {s["name"]: (s["status"], len(s["attempts"])) for s in shown(place)["steps"]}
    assert steps == {"locks": ("failed", 1), "pair": ("failed", 1), "fine": ("succeeded", 1)}
    assert "making a lock" in place.run("runs", "show", "latest").stdout


def test_what_is_configured_wrongly_is_in_the_record(place: Place) -> None:
    place.write(
        "stacks/local.yaml",
        "components:\n  orchestrator: {flavor: local}\n"
        'resources:\n  house: {class: "needy:House", dsn: "${secret:NOT_SET_ANYWHERE}"}\n',
    )
    place.write(
        "dags/needy.py",
        """
        from dataclasses import dataclass
        from stackyard import Resource, Secret, from_stack, pipeline, step

        @dataclass(frozen=True)
        class House(Resource):
            dsn: Secret

        @step(retries=3, retry_delay=5)
        def ask(*, house: House = from_stack()) -> str:
            return house.dsn.reveal()

        @pipeline
        def needy() -> None:
            ask()
        """,
    )
    done = place.run("run", "needy", check=False)
    assert done.returncode == 2
    assert "NOT_SET_ANYWHERE" in done.stderr
    (attempt,) = attempts(place, "ask")  # and it is not tried again
    assert (attempt["status"], attempt["final"]) == ("failed", True)
    assert "NOT_SET_ANYWHERE" in attempt["error"]
    assert shown(place)["status"] == "failed"
