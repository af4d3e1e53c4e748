"""Whole runs on a real Airflow with the real step process, against the same runs in process."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from plugins.airflow.tests.conftest import RealAirflow
from stackyard.cli.compile import write
from stackyard.components.orchestrator import StepEvent
from stackyard.errors import ArtifactNotFound, RunError
from stackyard.project import Project, find_project
from stackyard.run import Run, start
from stackyard.store.run_status import run_status
from stackyard.store.store import open_store
from tests.e2e.background import lives, until
from tests.pipelines import BRANCHES, EVERYTHING

PIPELINES = '''
from __future__ import annotations

import os
import time
from collections import deque
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from stackyard import Period, pipeline, step


class Parts(NamedTuple):
    low: list[int]
    high: list[int]


@step(cache=True)
def load(period: Period, n: int = 10) -> dict[str, object]:
    """Load {{ 7*7 }} numbers."""
    return {"rows": list(range(n)), "period": period, "tags": {"b", "a"}}


@step
def split(found: dict[str, object]) -> Parts:
    rows = list(found["rows"])
    return Parts(rows[: len(rows) // 2], rows[len(rows) // 2 :])


@step(retries=1, retry_delay=0.1)
def total(rows: list[int], broken: str = "") -> int:
    if broken and Path(broken).exists():
        raise ValueError("the total is broken")
    return sum(rows)


@step(effect=True)
def publish(value: int, seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return f"published {value}"


@pipeline
def numbers(period: Period = Period("2013-01"), n: int = 10, broken: str = "", nap: float = 0.0):
    """Numbers."""
    parts = split(load(period, n))
    publish(total(parts.high, broken), nap)


@step(timeout=6)
def stuck(note: str) -> int:
    Path(note).write_text(str(os.getpid()))
    deque(repeat(None), maxlen=0)  # for ever, where no signal handler can run
    return 1


@pipeline
def endless(note: str = ""):
    stuck(note)


@pipeline(schedule="0 * * * *", start="2026-01-01", timezone="America/New_York")
def every_hour(period: Period = Period.scheduled(), n: int = 3):
    split(load(period, n))
'''


@pytest.fixture(scope="module")
def project(airflow: RealAirflow) -> Iterator[Project]:
    """The project whose Airflow runs, with pipelines and two stacks on one store."""
    root = airflow.root
    for folder in ("dags", "stacks"):
        (root / folder).mkdir(exist_ok=True)
    source = textwrap.dedent(PIPELINES).replace('Period("2013-01")', 'Period.parse("2013-01")')
    (root / "dags" / "counting.py").write_text(source)
    local = root / "stacks" / "local.yaml"
    local.write_text("components: {orchestrator: {flavor: local}}\n")
    config = f"{{flavor: airflow, port: {airflow.orchestrator.config.port}}}"
    (root / "stacks" / "dev.yaml").write_text(f"components: {{orchestrator: {config}}}\n")
    lost = f"{config[:-1]}, project: /nowhere/at/all}}"
    (root / "stacks" / "lost.yaml").write_text(
        f"components: {{orchestrator: {lost[:-1]}, dags_folder: dags/generated/dev}}}}\n"
        "pipelines: {numbers: {airflow: {dag_id: lost}}}\n"
    )
    yield find_project(root)


def _outputs(run: Run) -> dict[str, dict[str, str]]:
    return {
        s.name: {name: ref.digest for name, ref in s.outputs.items()} for s in run.summary.steps
    }


def _statuses(run: Run) -> dict[str, str]:
    return {s.name: s.status for s in run.summary.steps}


def test_airflow_gives_the_same_digests_and_shares_the_cache(project: Project) -> None:
    events: list[StepEvent] = []
    local = start(project, "numbers", "local")
    cached = start(project, "numbers", "dev", watch=events.append)
    assert _statuses(cached) == {
        "load": "cached", "split": "cached", "total": "cached", "publish": "succeeded",
    }  # fmt: skip
    assert {e.step for e in events if e.status == "cached"} == {"load", "split", "total"}
    why = {s.name: s.why for s in cached.summary.steps}
    assert {e.step: e.text for e in events if e.text} == why
    fresh = start(project, "numbers", "dev", cache=False)
    assert set(_statuses(fresh).values()) == {"succeeded"}
    assert _outputs(local) == _outputs(cached) == _outputs(fresh)
    assert fresh["publish"] == "published 35"
    assert fresh.summary.url is not None


def test_frames_and_nested_values_have_the_digests_they_have_in_process(project: Project) -> None:
    (project.root / "dags" / "everything.py").write_text(EVERYTHING)
    local = start(project, "everything", "local")
    there = start(project, "everything", "dev", cache=False)
    assert set(_statuses(there).values()) == {"succeeded"}
    assert _outputs(local) == _outputs(there)


@pytest.mark.parametrize("params", [{"scale": 9, "strict": False}, {"scale": 1}])
def test_branches_go_the_way_they_go_in_process(
    project: Project, params: dict[str, object]
) -> None:
    (project.root / "dags" / "branches.py").write_text(BRANCHES)
    events: list[StepEvent] = []
    there = start(project, "branches", "dev", params, cache=False, watch=events.append)
    assert there.status == "succeeded"
    local = start(project, "branches", "local", params, cache=False)
    assert _statuses(there) == _statuses(local)
    assert _outputs(there) == _outputs(local)
    reasons = [
        {s.name: s.why for s in r.summary.steps if s.status == "skipped"} for r in (there, local)
    ]
    assert reasons[0] == reasons[1]
    assert {e.step for e in events if e.status == "skipped"} == set(reasons[0])


TELLING = """
from stackyard import Period, pipeline, step, trigger


@step
def large(value: int) -> bool:
    return value > 3


@step
def learn(period: Period, depth: int) -> str:
    return f"learned {period.start.month} at {depth}"


@pipeline
def watches(value: int = 9):
    trigger(
        "data.moved", large(value), {"period": "2013-07", "depth": 3}, why="it moved",
        cooldown="0s", per_day=9,
    )


@pipeline(on="data.moved")
def waits(period: Period = Period.parse("2013-01"), depth: int = 6):
    learn(period, depth)


@pipeline(on="data.moved", schedule="@monthly", start="2026-01-01")
def waits_too(period: Period = Period.scheduled(), depth: int = 6):
    learn(period, depth)


@pipeline(on="data.moved")
def only_waits(period: Period, depth: int = 6):
    learn(period, depth)
"""


def test_an_event_starts_what_waits_for_it(project: Project, airflow: RealAirflow) -> None:
    (project.root / "dags" / "telling.py").write_text(TELLING)
    for name in ("waits", "waits_too"):  # Airflow knows both before the event is told
        start(project, name, "dev", {"period": "2013-02"})
    write(project, "only_waits", "dev")  # nobody has started it, or given it its parameter
    client = airflow.orchestrator._client()
    known = until(lambda: client.dag("only_waits"), 120)
    assert not known.paused
    records = open_store(str(project.root / ".stackyard/store"), root=project.root).records
    quiet = start(project, "watches", "dev", {"value": 1})
    assert _statuses(quiet)["tell_data_moved"] == "skipped"
    told = start(project, "watches", "dev")
    assert _statuses(told)["tell_data_moved"] == "succeeded"

    def answers(name: str) -> list[str]:
        with suppress(ArtifactNotFound):  # of a run that is listed, and not yet written
            return [r for r in records.run_ids(name) if records.run(r).reason == "event"]
        return []

    for name in ("waits", "waits_too", "only_waits"):
        until(lambda name=name: answers(name))
        (run_id,) = answers(name)  # and none of the skipped task
        until(lambda run_id=run_id: records.ended(run_id) is not None)
        assert run_status(records, run_id) == "succeeded"
        params = records.run(run_id).params
        assert params["depth"] == 3
        assert str(params["period"]).startswith("2013-07-01")


def test_a_failure_is_shown_and_resumed_on_another_orchestrator(project: Project) -> None:
    flag = project.root / "broken"
    flag.touch()
    events: list[StepEvent] = []
    failed = start(project, "numbers", "dev", {"n": 12, "broken": str(flag)}, watch=events.append)
    assert failed.status == "failed"
    assert _statuses(failed) == {
        "load": "succeeded", "split": "succeeded", "total": "failed", "publish": "skipped",
    }  # fmt: skip
    assert failed.summary.error is not None
    assert "the total is broken" in failed.summary.error
    last = [e for e in events if e.step == "total"][-1]
    assert last.status == "failed"
    assert last.attempt == 2
    assert any("counting.py" in line for line in last.log)  # the user's traceback
    flag.unlink()
    resumed = start(project, "numbers", "local", resume=failed.run_id)
    assert resumed.status == "succeeded"
    assert _statuses(resumed)["load"] == "cached"
    again = start(project, "numbers", "dev", resume=failed.run_id)
    assert again.status == "succeeded"
    assert _outputs(again) == _outputs(resumed)


def test_a_cleared_task_does_its_work_again(project: Project, airflow: RealAirflow) -> None:
    run = start(project, "numbers", "dev", {"n": 14})
    airflow.orchestrator._client().clear("numbers", run.run_id, ["load"])
    records = open_store(str(project.root / ".stackyard/store"), root=project.root).records
    first = records.ended(run.run_id)
    until(lambda: records.ended(run.run_id) != first)
    second = records.ended(run.run_id)
    assert second is not None
    assert second.status == "succeeded"
    latest = records.latest(run.run_id)
    assert {(r.status, r.attempt) for r in latest.values()} == {("succeeded", 2)}


def test_a_scheduled_run_that_nobody_watches_has_a_closed_record(project: Project) -> None:
    start(project, "every_hour", "dev")  # unpauses it; Airflow makes the run of the last interval
    records = open_store(str(project.root / ".stackyard/store"), root=project.root).records

    def closed() -> Any:
        runs = [r for r in records.runs(pipeline="every_hour") if r.reason == "schedule"]
        return next((r for r in runs if records.ended(r.run_id)), None)

    found = until(closed)
    assert run_status(records, found.run_id) == "succeeded"
    assert found.orchestrator == "airflow"
    begin, _, end = found.params["period"].partition("/")
    assert begin[14:16] == end[14:16] == "00"
    assert begin[19:] in ("-05:00", "-04:00")  # as a period in process: in the pipeline's zone
    assert set(records.latest(found.run_id)) == {"load", "split"}


def test_only_one_step_and_parameters_of_every_kind(project: Project) -> None:
    whole = start(project, "numbers", "dev", {"n": "16", "period": "2013-02..2013-03"})
    assert whole.status == "succeeded"
    alone = start(project, "numbers", "dev", only="total")
    assert alone.status == "succeeded"
    assert [s.name for s in alone.summary.steps] == ["total"]
    assert alone["total"] == whole["total"]


def test_ctrl_c_leaves_a_cancelled_run_that_can_be_resumed(project: Project) -> None:
    def interrupt(event: StepEvent) -> None:
        if event.step == "publish" and event.status == "running":
            raise KeyboardInterrupt

    stopped = start(project, "numbers", "dev", {"nap": 30.0}, watch=interrupt)
    assert stopped.status == "cancelled"
    assert stopped.summary.exit_code == 1
    assert _statuses(stopped)["publish"] == "interrupted"
    resumed = start(project, "numbers", "local", {"nap": 0.0}, resume=stopped.run_id)
    assert resumed.status == "succeeded"


def test_a_timeout_stops_also_what_python_cannot_interrupt(project: Project) -> None:
    note = project.root / "stuck.pid"
    stopped = start(project, "endless", "dev", {"note": str(note)})
    assert stopped.status == "failed"
    pid = int(note.read_text())  # it did get as far as to be stuck
    until(lambda: not lives(pid))


def test_tasks_that_do_not_find_their_project_say_so(project: Project) -> None:
    with pytest.raises(RunError, match=r"step 'load' failed: error: .*/nowhere/at/all"):
        start(project, "numbers", "lost")


def test_nothing_was_left_in_the_dag_folder_but_dag_files(project: Project) -> None:
    folder: Path = project.root / "dags" / "generated" / "dev"
    assert {p.suffix for p in folder.iterdir()} <= {".py", ""}  # "" is __pycache__
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
