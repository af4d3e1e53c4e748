"""``stackyard run``: run a pipeline on a stack, watch it, say how it ended."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stackyard.cli import output
from stackyard.cli.arguments import Once, add_json, add_stack, given_params
from stackyard.cli.progress import ENDED
from stackyard.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from stackyard.cli.progress import Progress
    from stackyard.project import Project
    from stackyard.summary import RunSummary


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "pipeline",
        nargs="?",
        metavar="PIPELINE",
        help="a pipeline's name, or path.py[:name]; with --resume, default: the run's own",
    )
    add_stack(parser)
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter; may be repeated",
    )
    parser.add_argument(
        "--resume",
        action=Once,
        metavar="RUN",
        help="continue this run: its id, a unique beginning of one, or 'latest'",
    )
    parser.add_argument(
        "--only", action=Once, metavar="STEP", help="run one step on the last run's inputs"
    )
    parser.add_argument("--no-cache", action="store_true", help="reuse no result of earlier runs")
    parser.add_argument(
        "--triggered",
        action="store_true",
        help="run what waits for an event that was told, PIPELINE or all, with its parameters",
    )
    parser.add_argument("--explain", action="store_true", help="say why each step ran or did not")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Make the run; 0 where it succeeded, 1 where it failed or was cancelled."""
    from stackyard.cli.progress import open_progress
    from stackyard.project import find_project
    from stackyard.run import start

    project = find_project()
    given = given_params(args.param)
    if args.triggered:
        return _triggered(project, args)
    reference, stack = _asked(project, args)
    pipeline = project.load(reference)
    names = [args.only] if args.only else [step.name for step in pipeline.graph().steps]
    with open_progress(names, why=args.explain) as watch, _answered(watch):
        made = start(
            project,
            pipeline,
            stack,
            given,
            resume=args.resume,
            only=args.only,
            cache=not args.no_cache,
            watch=watch,
        )
    if args.json:
        output.json_document(made.summary.to_json())
    tell(made.summary, reference)
    return made.summary.exit_code


def _triggered(project: Project, args: argparse.Namespace) -> int:
    from stackyard.cli.triggered import run_triggered

    if args.param or args.resume or args.only:
        raise UsageError("stackyard run --triggered: the event says with which parameters")
    made = run_triggered(project, args)
    if args.json:
        output.json_document({"runs": [one.summary.to_json() for one in made]})
    for one in made:
        tell(one.summary, one.summary.pipeline)
    return max((one.summary.exit_code for one in made), default=0)


@contextmanager
def _answered(watch: Progress) -> Iterator[None]:
    """Within it, what stops the run is answered at once: a step may take its time to end."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():  # it cannot have handlers
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: h for n in numbers if callable(h := signal.getsignal(n))}

    def stop(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        watch.stopping()
        before[signal.Signals(number)](number, frame)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(summary: RunSummary, reference: str) -> None:
    """Say how a run ended and where to look next, in as few lines as that takes."""
    for warning in summary.warnings:
        output.warn(output.plain_lines(warning))
    count = Counter(step.status for step in summary.steps)
    parts = [f"{count[s]} {'ran' if s == 'succeeded' else s}" for s in ENDED if count[s]]
    status = output.status(summary.status, sys.stderr)
    counted = ", ".join(parts) or "no step ran"
    output.say(f"{status} in {output.seconds(summary.seconds)}: {counted}  run {summary.run_id}")
    if summary.around > 2:
        output.say(f"{output.seconds(summary.around)} more to start it and to tell the tracker")
    for url in dict.fromkeys(u for u in (summary.tracking_url, summary.url) if u):
        output.say(f"see: {url}")
    if summary.status == "succeeded":
        return
    if summary.error and summary.status != "cancelled":
        output.say(f"error: {output.plain_lines(summary.error)}")
    resume = f"stackyard run {reference} --stack {summary.stack} --resume {summary.run_id}"
    output.say(f"look: stackyard runs show {summary.run_id}")
    output.say(f"continue: {resume}")


def _asked(project: Project, args: argparse.Namespace) -> tuple[str, str]:
    """The pipeline and the stack; a run that is resumed answers for what is not given."""
    from stackyard.choice import chosen
    from stackyard.stack import open_stack

    stack = chosen(project, args.stack)
    if args.pipeline is not None:
        return args.pipeline, stack
    if args.resume is None:
        known = ", ".join(project.pipelines()) or "none yet"
        raise UsageError(f"stackyard run: name a pipeline. Pipelines: {known}")
    records = open_stack(project, stack).store().records
    record = records.run(records.find(args.resume))
    return record.pipeline, stack if args.stack else record.stack
