"""What a step returns, prints and logs, and where that ends up."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.background import attempts, shown
from tests.e2e.conftest import Place


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


def test_an_output_of_another_class_than_promised(place: Place) -> None:
    """Fails the step that returned it, inline and in a process of its own, not the next one."""
    place.write(
        "dags/promises.py",
        """
        from typing import TYPE_CHECKING, NamedTuple
        from stackyard import pipeline, step
        if TYPE_CHECKING:
            import pandas as pd

        class Split(NamedTuple):
            train: "pd.DataFrame"
            size: int

        @step
        def count() -> int:
            return "7"

        @step(timeout="1m")
        def split() -> Split:
            import pandas as pd
            return Split(None, 7)

        @step
        def after(size: int) -> int:
            return size

        @pipeline
        def promises() -> None:
            after(count())
            split()
        """,
    )
    done = place.run("run", "promises", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [t for t in done.stderr.splitlines() if t.startswith("error:")]
    assert "step 'count' returned str; its annotation promises int" in line
    assert "step 'split' returned None as 'train'; its annotation promises pandas.DataFrame" in line
    assert {s["name"]: s["attempts"][-1]["outputs"] for s in shown(place)["steps"][:1]} == {
        "count": {}
    }


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
