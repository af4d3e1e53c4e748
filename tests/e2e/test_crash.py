"""A run that is killed at any moment is resumed to the same end; nothing finished runs twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.background import until
from tests.e2e.conftest import Place, environment

CHAIN = """
    import os, time
    from typing import NamedTuple
    from stackyard import pipeline, step

    class Halves(NamedTuple):
        low: list[int]
        high: list[int]

    def witness(name: str) -> None:
        with open(os.environ["WITNESS"], "a") as file:
            file.write(name + "\\n")
        time.sleep(0.05)

    @step
    def numbers(count: int = 2000) -> list[int]:
        witness("numbers")
        return [n * 7919 % 104729 for n in range(count)]

    @step
    def halve(values: list[int]) -> Halves:
        witness("halve")
        middle = sorted(values)[len(values) // 2]
        return Halves([v for v in values if v < middle], [v for v in values if v >= middle])

    @step(timeout="30s")
    def order(values: list[int]) -> list[int]:
        witness("order")
        return sorted(values)

    @step(timeout="30s")
    def reverse(values: list[int]) -> list[int]:
        witness("reverse")
        return sorted(values, reverse=True)

    @step
    def join(low: list[int], high: list[int]) -> dict[str, int]:
        witness("join")
        return {"sum": sum(low) + sum(high), "first": high[0]}

    @step(effect=True)
    def announce(result: dict[str, int]) -> str:
        witness("announce")
        return f"{result['sum']}"

    @pipeline
    def crashing(count: int = 2000) -> None:
        parts = halve(numbers(count))
        announce(join(order(parts.low), reverse(parts.high)))
"""


def digests(document: dict[str, object]) -> dict[str, str]:
    steps = document["steps"]
    assert isinstance(steps, list)
    return {f"{s['name']}.{o}": d["digest"] for s in steps for o, d in s["outputs"].items()}


def workers(place: Place) -> list[int]:
    """Workers of runs of the project that still live."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if "stackyard.worker" in words and str(place.root) in words[-1]:
                found.append(process.pid)
    return found


def kill_series(place: Place, tmp_path: Path, kills: int, seed: int) -> int:
    """Kill runs at any moment: each resumes to the same end, and runs nothing twice.

    Returns how many were killed in their middle.
    """
    moments = random.Random(seed)
    place.write("dags/crashing.py", CHAIN)
    witness = tmp_path / "witness"
    env = {"WITNESS": str(witness)}
    begun = time.monotonic()
    undisturbed = digests(place.json("run", "crashing", env=env))
    whole = time.monotonic() - begun
    interrupted = 0
    for number in range(kills):
        witness.write_text("")
        count = str(3000 + number)  # other data, so that nothing comes from earlier runs
        known = {r["run_id"] for r in place.json("runs", "list")["runs"]}
        process = subprocess.Popen(
            place.command("run", "crashing", "--param", f"count={count}"),
            cwd=place.root, env=environment(env), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(moments.uniform(0.1, whole))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: not workers(place))  # they notice that their parent is gone
        begun_runs = {r["run_id"] for r in place.json("runs", "list")["runs"]} - known
        finished: set[str] = set()
        if begun_runs:
            (run_id,) = begun_runs
            shown = place.json("runs", "show", run_id)
            finished = {s["name"] for s in shown["steps"] if s["status"] in ("succeeded", "cached")}
            interrupted += 0 < len(finished) < 6
            resume = ("--resume", "latest")
        else:
            resume = ()
        witness.write_text("")
        document = place.json("run", "crashing", "--param", f"count={count}", *resume, env=env)
        ran = witness.read_text().split()
        assert document["status"] == "succeeded"
        assert not finished & set(ran), f"kill {number}: ran again: {finished & set(ran)}"
        assert len(ran) == len(set(ran))
        begun = time.monotonic()
        clean = place.json("run", "crashing", "--param", f"count={count}", "--no-cache", env=env)
        whole = time.monotonic() - begun  # on a machine that gets busy, or was when it began
        assert digests(document) == digests(clean)
        place.run("runs", "verify", document["run_id"])
    assert digests(place.json("run", "crashing", "--no-cache", env=env)) == undisturbed
    return interrupted


def test_killed_runs_resume_to_the_same_end(place: Place, tmp_path: Path) -> None:
    interrupted = kill_series(place, tmp_path, kills=5, seed=1)
    assert interrupted >= 1, "the kills did not hit the middle of runs"


def test_what_a_killed_run_was_busy_with(place: Place) -> None:
    place.write(
        "dags/killed.py",
        """
        import os, signal
        from stackyard import pipeline, step

        @step
        def first() -> int:
            return 1

        @step
        def second(value: int) -> int:
            os.kill(os.getpid(), signal.SIGKILL)

        @step
        def third(value: int) -> int:
            return value

        @pipeline
        def killed() -> None:
            third(second(first()))
        """,
    )
    assert place.run("run", "killed", check=False).returncode == -signal.SIGKILL
    shown = place.json("runs", "show", "latest")
    assert shown["status"] == "interrupted"
    assert {s["name"]: s["status"] for s in shown["steps"]} == {
        "first": "succeeded", "second": "interrupted", "third": "skipped",
    }  # fmt: skip
    place.run("run", "killed", "--only", "second", check=False)
    shown = place.json("runs", "show", "latest")
    assert [(s["name"], s["status"]) for s in shown["steps"]] == [("second", "interrupted")]


@pytest.mark.full
def test_fifty_kills(place: Place, tmp_path: Path) -> None:
    interrupted = kill_series(place, tmp_path, kills=50, seed=2)
    assert interrupted >= 10, "the kills did not hit the middle of runs"


def test_a_killed_worker_is_a_failed_attempt_and_is_retried(place: Place, tmp_path: Path) -> None:
    place.write(
        "dags/fragile.py",
        """
        import os, signal
        from pathlib import Path
        from stackyard import pipeline, step

        @step(retries=1, retry_delay=0.1, timeout="20s")
        def dies_once() -> int:
            mark = Path(os.environ["MARK"])
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return 1

        @pipeline
        def fragile() -> None:
            dies_once()
        """,
    )
    document = place.json("run", "fragile", env={"MARK": str(tmp_path / "mark")})
    (step,) = document["steps"]
    assert (step["status"], step["attempt"]) == ("succeeded", 2)
    shown = json.loads(place.run("runs", "show", document["run_id"], "--json").stdout)
    assert "signal 9" in json.dumps(shown)
