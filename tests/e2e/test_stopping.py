"""Runs that are stopped from outside: nothing is left running, nothing finished is lost."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.background import lives, number, shown, started, until
from tests.e2e.conftest import Place, environment

STEPS = """
    import os, subprocess, sys, time
    from pathlib import Path
    from stackyard import pipeline, step

    PLACE = Path(os.environ["MARKS"])

    def note(name: str, pid: int) -> None:
        (PLACE / f"{name}.new").write_text(str(pid))
        (PLACE / f"{name}.new").rename(PLACE / name)

    def linger(go_on: str) -> None:
        note("step", os.getpid())
        while not (PLACE / go_on).exists():
            time.sleep(0.02)

    @step
    def first() -> int:
        with open(PLACE / "first", "a") as file:
            file.write("x")
        return 1

    @step
    def inline(value: int) -> int:
        linger("go")
        return value + 1

    @step(timeout="1m")
    def isolated(value: int) -> int:
        if not (PLACE / "go").exists():
            child = [sys.executable, "-c", "import time; time.sleep(60)"]
            note("child", subprocess.Popen(child).pid)
            note("group", subprocess.Popen(child, process_group=0).pid)
            note("session", subprocess.Popen(child, start_new_session=True).pid)
        linger("go")
        return value + 1

    @step
    def last(value: int) -> int:
        return value + 1

    @pipeline
    def here() -> None:
        last(inline(first()))

    @pipeline
    def apart() -> None:
        last(isolated(first()))
"""
LEAVING = """
from stackyard.cli import main

def interrupted():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 1

main.main = interrupted
main.process()
"""
CHILDREN = ("child", "group", "session")


@pytest.fixture
def marks(place: Place, tmp_path: Path) -> Path:
    """The folder through which steps and tests see each other."""
    place.write("dags/steps.py", STEPS)
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def end(process: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str, str]:
    """Send the signal to the command alone; its exit code and what it said."""
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("pipeline", ["here", "apart"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_is_cancelled_and_goes_on_later(
    place: Place, marks: Path, pipeline: str, how: signal.Signals
) -> None:
    env = {"MARKS": str(marks)}
    reference = f"dags/steps.py:{pipeline}"
    with started(place, "run", reference, "--json", env=env) as process:
        step = number(marks / "step")
        below = psutil.Process(process.pid).children(recursive=True)
        assert (pipeline == "apart") == (step != process.pid)
        code, out, err = end(process, how)
    assert code == 1, err
    assert "Traceback" not in err
    stopped = json.loads(out)
    assert stopped["status"] == "cancelled"
    statuses = ["succeeded", "interrupted", "skipped"]
    assert [s["status"] for s in stopped["steps"]] == statuses
    assert err.index("stopping; Ctrl-C again") < err.index("cancelled in ")
    assert "1 ran, 1 interrupted, 1 skipped" in err
    assert f"--resume {shown(place)['run_id']}" in err
    until(lambda: not any(lives(p.pid) for p in below))
    record = shown(place)
    by = "stopped by hand" if how == signal.SIGINT else "stopped by signal SIGTERM"
    assert (record["status"], record["error"]) == ("cancelled", by)
    assert [s["status"] for s in record["steps"]] == statuses
    (marks / "go").touch()
    resumed = place.json("run", reference, "--resume", "latest", env=env)
    statuses = [s["status"] for s in resumed["steps"]]
    assert statuses == ["cached", "succeeded", "succeeded"]
    assert (marks / "first").read_text() == "x"


def test_ctrl_c_is_answered_before_the_step_has_ended(place: Place, marks: Path) -> None:
    stubborn = (
        STEPS.replace('linger("go")', 'tidy_up("go")')
        + """
    def tidy_up(go_on: str) -> None:
        try:
            linger(go_on)
        finally:
            linger("let go")
    """
    )
    place.write("dags/steps.py", stubborn)
    with started(place, "run", "dags/steps.py:here", env={"MARKS": str(marks)}) as process:
        number(marks / "step")
        process.send_signal(signal.SIGINT)
        deadline = threading.Timer(30, (marks / "let go").touch)
        deadline.start()
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any(line.startswith("stopping; Ctrl-C again") for line in lines)
        assert not (marks / "let go").exists()
        deadline.cancel()
        (marks / "let go").touch()
        assert "cancelled in " in process.communicate(timeout=60)[1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_a_step_started_ends_with_it(place: Place, marks: Path, how: signal.Signals) -> None:
    """Whether it is in the step's process group, in one of its own or in another session."""
    with started(place, "run", "dags/steps.py:apart", env={"MARKS": str(marks)}) as process:
        number(marks / "step")
        pids = [number(marks / name) for name in CHILDREN]
        assert all(lives(pid) for pid in pids)
        end(process, how)
    until(lambda: not any(lives(pid) for pid in pids))


def test_a_timeout_stops_what_the_step_started(place: Place, marks: Path) -> None:
    text = STEPS.replace('timeout="1m"', 'timeout="6s"')
    place.write("dags/steps.py", text)
    began = time.monotonic()
    done = place.run("run", "dags/steps.py:apart", env={"MARKS": str(marks)}, check=False)
    assert done.returncode == 1
    assert time.monotonic() - began < 40
    assert "StepTimeout: stopped after its timeout of 6 s" in done.stderr
    pids = [number(marks / name) for name in (*CHILDREN, "step")]
    until(lambda: not any(lives(pid) for pid in pids))
    steps = {s["name"]: s["status"] for s in shown(place)["steps"]}
    assert steps == {"first": "succeeded", "isolated": "failed", "last": "skipped"}


def test_a_timeout_holds_while_another_step_runs(place: Place, tmp_path: Path) -> None:
    """Also while the run's own process is busy with a step."""
    place.write(
        "dags/beside.py",
        f"""
        import time
        from pathlib import Path
        from stackyard import pipeline, step

        @step(timeout="1s")
        def slow() -> int:
            for moment in range(400):
                Path({str(tmp_path / "alive")!r}).write_text(str(time.time()))
                time.sleep(0.1)
            return 1

        @step
        def other() -> float:
            alive = Path({str(tmp_path / "alive")!r})
            began = time.time()
            while time.time() < max(began, alive.exists() and alive.stat().st_mtime) + 2:
                time.sleep(0.05)
            return 0.0

        @pipeline
        def beside() -> None:
            slow()
            other()
        """,
    )
    document = place.json("run", "beside", check=False)
    slow, other = document["steps"]
    assert (slow["status"], other["status"]) == ("failed", "succeeded")
    assert "StepTimeout" in slow["error"]
    attempt = shown(place)["steps"][0]["attempts"][0]
    assert (tmp_path / "alive").stat().st_mtime - attempt["started"] < 20


def test_a_dead_worker_is_noticed_though_its_child_lives(place: Place, tmp_path: Path) -> None:
    """A child that was forked holds all of the worker's pipes open."""
    place.write(
        "dags/forking.py",
        f"""
        import os, signal, time
        from pathlib import Path
        from stackyard import pipeline, step

        @step(timeout="1m")
        def forks() -> int:
            child = os.fork()
            if child == 0:
                time.sleep(60)
            Path({str(tmp_path / "child")!r}).write_text(str(child))
            os.kill(os.getpid(), signal.SIGKILL)
            return 1

        @pipeline
        def forking() -> None:
            forks()
        """,
    )
    began = time.monotonic()
    done = place.run("run", "forking", check=False)
    assert "WorkerDied: the step's process ended with signal 9" in done.stderr
    assert time.monotonic() - began < 30
    child = number(tmp_path / "child")
    until(lambda: not lives(child))


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.02, 0.04, 0.08])
def test_a_second_ctrl_c_is_as_clean(place: Place, marks: Path, pause: float) -> None:
    """Also while processes are being killed; one that stays would hold the output open."""
    with started(place, "run", "dags/steps.py:apart", env={"MARKS": str(marks)}) as process:
        pids = [number(marks / name) for name in (*CHILDREN, "step")]
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
        code, _, err = end(process, signal.SIGINT)
    assert code == 1, err
    assert "Traceback" not in err
    until(lambda: not any(lives(pid) for pid in pids))
    assert shown(place)["status"] in ("cancelled", "interrupted")


@pytest.mark.parametrize("pipeline", ["here", "apart"])
def test_ctrl_c_that_also_ends_who_reads(place: Place, marks: Path, pipeline: str) -> None:
    """As in ``stackyard run ... 2>&1 | tee log``, where the terminal stops both."""
    env = {"MARKS": str(marks)}
    with started(place, "run", f"dags/steps.py:{pipeline}", env=env) as process:
        step = number(marks / "step")
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    until(lambda: not lives(step))
    assert shown(place)["status"] == "cancelled"


def test_an_interrupt_that_was_dealt_with_is_not_in_the_exit_code(tmp_path: Path) -> None:
    """CPython remembers one that came while a dataclass was made, which is exec'd text."""
    (tmp_path / "leaving.py").write_text(LEAVING)
    done = subprocess.run([sys.executable, "-m", "leaving"], cwd=tmp_path)
    assert done.returncode == 1


def test_ctrl_c_while_a_tracker_is_waited_for(place: Place, marks: Path) -> None:
    """The run has ended before, as well as it did."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracker = f"{{flavor: mlflow, tracking_uri: '{uri}'}}"
        place.write(
            "stacks/local.yaml",
            f"components:\n  orchestrator: {{flavor: local}}\n  tracker: {tracker}\n",
        )
        (marks / "go").touch()
        with started(place, "run", "dags/steps.py:here", env={"MARKS": str(marks)}) as process:
            silent.accept()
            time.sleep(0.5)
            code, _, err = end(process, signal.SIGINT)
    assert code == 0, err
    assert "warning: tracker: stopped by hand. The run is kept; replay it with: stackyard" in err
    assert shown(place)["status"] == "succeeded"


def test_a_run_in_the_background_of_a_shell_is_not_stopped(place: Place, marks: Path) -> None:
    """Which switches Ctrl-C off for it, as ``nohup`` does with the end of the session."""
    script = 'trap "" INT TERM; exec "$@"'
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", *place.command("run", "dags/steps.py:here")],
        cwd=place.root,
        env=environment({"MARKS": str(marks)}),
        stderr=subprocess.PIPE,
        text=True,
    )
    number(marks / "step")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    (marks / "go").touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
