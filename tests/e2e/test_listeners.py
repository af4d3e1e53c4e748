"""Plugins that listen to runs: told of everything, and unable to break anything."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.background import shown
from tests.e2e.conftest import Place


def plugin(folder: Path, name: str, code: str) -> None:
    """A distribution as an installer leaves it, with one plugin module."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[stackyard.plugins]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(code)


def test_a_listener_that_raises_is_reported_and_breaks_nothing(
    place: Place, tmp_path: Path
) -> None:
    plugin(
        tmp_path / "site",
        "grumpy",
        """
import os, sys
from stackyard.hookspecs import hookimpl

@hookimpl
def stackyard_before_run(run):
    raise RuntimeError("no runs today")

@hookimpl
def stackyard_after_step(run, event):
    if event.step == "two":
        sys.exit(9)
    raise KeyError(event.step)
""",
    )
    plugin(
        tmp_path / "site",
        "quiet",
        """
import os
from stackyard.hookspecs import hookimpl

def note(*words):
    with open(os.environ["HEARD"], "a") as file:
        print(*words, file=file)

@hookimpl
def stackyard_before_run(run):
    note("run", run.status)

@hookimpl
def stackyard_before_step(event):
    note("step", event.step, event.status)

@hookimpl
def stackyard_after_step(run, event):
    note("step", event.step, event.status)

@hookimpl
def stackyard_on_failure(event):
    note("failure", event.step, event.text)

@hookimpl
def stackyard_after_run(run):
    note("run", run.status, *(f"{s.name}={s.status}" for s in run.steps))
""",
    )
    place.write(
        "dags/heard.py",
        """
        from stackyard import pipeline, step

        @step(cache=True)
        def one() -> int:
            return 1

        @step(timeout="1m")
        def two(value: int) -> int:
            return value

        @step
        def three(value: int) -> int:
            raise ValueError("three")

        @pipeline
        def heard(fail: int = 0) -> None:
            three(two(one()))
        """,
    )
    heard = tmp_path / "heard"
    env = {"PYTHONPATH": str(tmp_path / "site"), "HEARD": str(heard)}
    done = place.run("run", "heard", env=env, check=False)
    assert done.returncode == 1
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning:")]
    assert warnings[0] == (
        "warning: listener grumpy failed in stackyard_before_run: RuntimeError: no runs today"
    )
    assert "warning: listener grumpy failed in stackyard_after_step: SystemExit: 9" in warnings
    assert "warning: listener grumpy failed in stackyard_after_step: KeyError: 'one'" in warnings
    assert heard.read_text().splitlines() == [
        "run running",
        "step one running", "step one succeeded",
        "step two running", "step two succeeded",
        "step three running", "step three failed", "failure three ValueError: three",
        "run failed one=succeeded two=succeeded three=failed",
    ]  # fmt: skip
    assert shown(place)["status"] == "failed"
