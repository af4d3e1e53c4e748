"""A chain of steps on one real Airflow: our generated DAG beside two DAGs written by hand.

All three run the same plain functions of ``src/functions.py``: ours through ``python -m
stackyard.step``, one through BashOperator and a script that keeps values in pickle files, one as
in-process TaskFlow. The Airflow is the one that ``stackyard stack up`` starts.

A pandas step imports pandas, as nearly every step of a real pipeline does one library or more; a
trivial one imports nothing, so that its chain shows what a task costs at least.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.benchmarks.chains import KINDS, STEPS, WAYS, project
from tests.benchmarks.measuring import Cost, Row, best
from tests.ports import free_port

ROUNDS = 5
LONGEST = 60.0  # seconds that one run may take
FINISH = "stackyard_finish"


@dataclass(frozen=True)
class Figures:
    """One run on Airflow, in seconds for each step; ``cpu`` is of Airflow and steps together.

    ``finish`` is the task that closes the record, once a run: seconds, in ``run`` not counted.
    """

    run: float
    task: float
    cpu: float
    finish: float = 0.0


def rows() -> list[Row]:
    """Start an Airflow, run all chains in turn, stop it, and compare."""
    measured: dict[tuple[str, str], list[Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder, running(folder) as local:
        for number in range(ROUNDS + 1):
            for kind in KINDS:
                for way in WAYS:
                    found = local.run(f"{kind}_{way}", f"{kind}-{way}-{number}")
                    if number:  # the first one only warms Airflow up
                        measured.setdefault((kind, way), []).append(found)
        processes = {kind: local.processes(kind) for kind in KINDS}
    made = [bare(kind, costs) for kind, costs in processes.items()]
    return [*made, *(row for kind in KINDS for row in compared(kind, measured))]


def compared(kind: str, measured: dict[tuple[str, str], list[Figures]]) -> list[Row]:
    """The two budgets of a kind of step.

    The ratio has no budget for a trivial step: beside a script of 20 ms, 1.1x would leave 2 ms to
    find the pipeline, look the cache up and write records. What that may cost is the share above.
    """
    ours, bash, taskflow = (middle(measured[kind, way]) for way in WAYS)
    ratio, over = ours.run / bash.run, ours.run - taskflow.run
    return [
        Row(
            f"generated DAG, {kind} step, beside BashOperator by hand",
            f"{ratio:.2f}x: {ours.run:.2f} and {bash.run:.2f} s of the run per step; a task "
            f"{ours.task:.2f} and {bash.task:.2f} s; CPU {ours.cpu:.2f} and {bash.cpu:.2f} s; "
            f"finishing the run {ours.finish:.2f} s",
            "1.1x" if kind == "pandas" else "none",
            kind != "pandas" or ratio <= 1.1,
        ),
        Row(
            f"generated DAG, {kind} step, over TaskFlow by hand",
            f"{over:+.2f} s: {ours.run:.2f} and {taskflow.run:.2f} s of the run per step; a task "
            f"{ours.task:.2f} and {taskflow.task:.2f} s; CPU {taskflow.cpu:.2f} s",
            "0.2 s",
            over <= 0.2,
        ),
    ]


def middle(runs: list[Figures]) -> Figures:
    """The medians."""
    return Figures(*(median(getattr(r, f) for r in runs) for f in ("run", "task", "cpu", "finish")))


def bare(kind: str, costs: tuple[Cost, Cost]) -> Row:
    """What the command of one task costs without Airflow, and our share of it."""
    ours, by_hand = costs
    share = ours.cpu - by_hand.cpu
    return Row(
        f"python -m stackyard.step, {kind} step, over a script that runs it",
        f"{1000 * share:.0f} ms CPU: {ours.cpu:.3f} and {by_hand.cpu:.3f} CPU s, "
        f"{ours.wall:.3f} and {by_hand.wall:.3f} s wall",
        "150 ms",
        share < 0.15,
    )


class LocalAirflow:
    """A project with the six DAGs, and its running Airflow."""

    def __init__(self, root: Path, orchestrator: Any, pids: list[int]) -> None:
        self.root = root
        self.client = orchestrator._client()
        self.pids = pids
        self.database = root / ".stackyard/services/airflow/airflow.db"

    def run(self, dag: str, run_id: str) -> Figures:
        """Run a DAG to its end; seconds by Airflow's own clock."""
        until = time.monotonic() + LONGEST
        while self.client.dag(dag) is None and time.monotonic() < until:
            time.sleep(0.5)
        self.client.unpause(dag)
        before = self.cpu_seconds()
        conf = {"stackyard": {"cache": False}} if dag.endswith("_ours") else {}
        self.client.trigger(dag, run_id, conf, "benchmark")
        state = "queued"
        while state not in ("success", "failed") and time.monotonic() < until:
            time.sleep(0.2)
            query = "select state, start_date, end_date from dag_run where run_id = ?"
            ((state, begun, ended),) = self.ask(query, run_id)
        if state != "success":
            raise RuntimeError(f"{dag}: {state} after {LONGEST} s; see {self.database.parent}")
        time.sleep(1.5)  # a slot of the executor is given back a second after its task
        query = "select task_id, start_date, end_date from task_instance where run_id = ?"
        tasks = {task: seconds(start, end) for task, start, end in self.ask(query, run_id)}
        finish = tasks.pop(FINISH, 0.0)
        assert len(tasks) == STEPS, tasks
        cpu = self.cpu_seconds() - before
        each = median(tasks.values())
        return Figures((seconds(begun, ended) - finish) / STEPS, each, cpu / STEPS, finish)

    def ask(self, query: str, *values: str) -> list[Any]:
        """Read Airflow's database, which costs its server nothing."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(query, values).fetchall()

    def cpu_seconds(self) -> float:
        """CPU seconds of Airflow so far, with all processes that it has waited for."""
        total = 0.0
        for pid in self.pids:
            parent = psutil.Process(pid)
            for process in (parent, *parent.children(recursive=True)):
                try:
                    total += sum(process.cpu_times()[:4])
                except psutil.NoSuchProcess:
                    continue
        return total

    def processes(self, kind: str) -> tuple[Cost, Cost]:
        """The commands of one task, ours and by hand, without Airflow around them."""
        env = {"STACKYARD_PROJECT": str(self.root), "STACKYARD_PIPELINE": f"{kind}_ours"}
        env |= {"STACKYARD_STACK": "dev", "STACKYARD_RUN": "without Airflow", "STACKYARD_TRY": "2"}
        step = [sys.executable, "-m", "stackyard.step"]
        first = best([*step, "zero"], env=env, times=2)
        assert first.cpu > 0
        reference = self.reference([*step, "zero"], env)
        ours = best([*step, "more"], env=env | {"STACKYARD_INPUTS": reference})
        script = [sys.executable, str(self.root / "script.py")]
        one, two = str(self.root / "one"), str(self.root / "two")
        best([*script, "zero", one], times=1)
        return ours, best([*script, kind, two, one])

    def reference(self, words: list[str], env: dict[str, str]) -> str:
        """What a step hands on."""
        done = subprocess.run(words, env=os.environ | env, capture_output=True, check=True)
        return '{"zero": ' + done.stdout.decode().splitlines()[-1] + "}"


def seconds(begun: str, ended: str) -> float:
    """Between two of Airflow's times."""
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


@contextmanager
def running(folder: str) -> Iterator[LocalAirflow]:
    """Make the project, start its Airflow as ``stack up`` does, and stop it again."""
    from stackyard.opening import open_stack
    from stackyard.project import find_project
    from stackyard.supervisor import Supervisor

    root = Path(folder).resolve()
    project(root, free_port())
    here = find_project(root)
    stack = open_stack(here, "dev")
    here.activate()
    orchestrator = stack.component("orchestrator")
    for kind in KINDS:
        graph, settings = stack.profile.apply(here.load(f"{kind}_ours").graph())
        for name, text in orchestrator.compile(graph, settings, "dev").items():
            (root / "dags/generated/dev" / name).write_text(text)
    supervisor = Supervisor(root)
    (service,) = orchestrator.services()
    try:
        state = supervisor.up(service, prepare=lambda: orchestrator.prepare(service))
        yield LocalAirflow(root, orchestrator, [c.pid for c in state.commands])
    finally:
        orchestrator.close()
        supervisor.down(service.name)
