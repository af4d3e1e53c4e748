"""Steps that fail: tried again, resumed, and what becomes of the rest of their run."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.background import attempts, shown
from tests.e2e.conftest import Place, stack


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
    assert "again in 0.4 s: OSError: not today" in done.stderr
    tries = attempts(place, "flaky")
    assert [a["attempt"] for a in tries] == [1, 2, 3, 4]
    assert {a["status"] for a in tries} == {"failed"}
    ends = [a["started"] + a["seconds"] for a in tries]
    pauses = [b["started"] - end for b, end in zip(tries[1:], ends, strict=False)]
    for pause, wanted in zip(pauses, (0.4, 0.8, 1.6), strict=True):
        assert wanted - 0.01 <= pause < wanted + 20, pauses


def test_other_steps_go_on_while_one_waits_for_its_retry(place: Place) -> None:
    place.write(
        "dags/waiting.py",
        """
        import time
        from stackyard import pipeline, step

        @step(retries=1, retry_delay=4.0)
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


@pytest.mark.parametrize("timeout", ["", "timeout='1m'"], ids=["here", "worker"])
@pytest.mark.parametrize("raised", ["asyncio.CancelledError('x')", "GeneratorExit('x')"])
def test_an_error_that_is_no_exception(place: Place, raised: str, timeout: str) -> None:
    place.write(
        "dags/odd.py",
        f"""
        import asyncio
        from stackyard import pipeline, step

        @step({timeout})
        def fails() -> int:
            raise {raised}

        @pipeline
        def odd() -> None:
            fails()
        """,
    )
    done = place.run("run", "odd", "--json", check=False)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    kind = raised.partition("(")[0].rpartition(".")[2]
    assert document["status"] == "failed"
    assert document["error"] == f"step 'fails' failed: {kind}: x"
    (attempt,) = place.json("runs", "show", "latest")["steps"][0]["attempts"]
    assert f"raise {raised}" in attempt["traceback"]


HOPELESS = """
    from stackyard import ViewDefinition, pipeline, step
    from stackyard.errors import StepFailed

    @step(retries=2, retry_delay=0.1)
    def load() -> str:
        {line}

    @pipeline
    def hopeless() -> None:
        load()
    """


@pytest.mark.parametrize(
    "line",
    ["raise StepFailed('no such month')", "return ViewDefinition.of({}).name", "return 7"],
)
def test_what_waiting_cannot_cure_is_not_tried_again(place: Place, line: str) -> None:
    place.write("dags/hopeless.py", HOPELESS.replace("{line}", line))
    done = place.run("run", "hopeless", check=False)
    assert done.returncode == 1
    assert [a["status"] for a in attempts(place, "load")] == ["failed"]
    assert "retrying" not in done.stderr


def test_a_long_error_is_told_in_full_once(place: Place) -> None:
    """Each attempt has one line; the end has the whole."""
    raised = "raise OSError('no flights; ' * 20 + 'try' + ' another')"
    place.write("dags/hopeless.py", HOPELESS.replace("{line}", raised))
    told = place.run("run", "hopeless", check=False).stderr
    assert told.count("try another") == 1
    lines = told.splitlines()
    assert [line for line in lines if "retrying" in line] == lines[:2]
    assert lines[2].startswith("load  failed") and lines[2].endswith(" ...")
    (error,) = [line for line in lines if line.startswith("error:")]
    assert error == "error: step 'load' failed: OSError: " + "no flights; " * 20 + "try another"


def test_frames_of_the_library_are_shown_on_request(place: Place) -> None:
    place.write(
        "dags/views.py",
        """
        from stackyard import ViewDefinition, pipeline, step

        @step
        def define() -> str:
            return ViewDefinition.of({}).name

        @pipeline
        def views() -> None:
            define()
        """,
    )
    told = place.run("run", "views", check=False).stderr
    assert "return ViewDefinition.of({}).name" in told
    assert "feature_view.py" not in told
    shown = place.run("runs", "show", "latest")
    assert "return ViewDefinition.of({}).name" in shown.stdout
    assert "feature_view.py" not in shown.stdout
    command = re.search(r"own frames: stackyard (runs show .* -v)", shown.stderr)
    assert command is not None
    assert "feature_view.py" in place.run(*command[1].split()).stdout
    page = place.run("runs", "show", "latest", "--html").stdout.strip()
    assert "feature_view.py" in (place.root / page).read_text("utf-8")


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
