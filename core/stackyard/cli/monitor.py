"""``stackyard monitor``: what a run found about drift, as a table, a document or a page."""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.cli.arguments import add_json, add_run, add_stack, open_project_stack
from stackyard.cli.page import write_page
from stackyard.errors import UsageError, suggest

if TYPE_CHECKING:
    from stackyard.components.monitor_report import MonitorReport
    from stackyard.stack import Stack
    from stackyard.store.records import AttemptRecord
    from stackyard.store.store import Store

LOOKED_AT = 50  # newest runs in which a report is looked for


@dataclass(frozen=True)
class Found:
    """A report, the attempt that made it, and the digest of the tool's page if that was kept."""

    report: MonitorReport
    attempt: AttemptRecord
    component: str
    native: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)
    line = "what a run found about drift: each score with method, threshold and verdict"
    one = commands.add_parser("show", help=line, description=f"{line[0].upper()}{line[1:]}.")
    add_run(one, latest="'latest', the newest run that compared anything")
    one.add_argument("--step", metavar="STEP", help="the step, where several of the run compared")
    page = one.add_mutually_exclusive_group()
    page.add_argument("--html", action="store_true", help="write one self-contained page")
    page.add_argument(
        "--native", action="store_true", help="write the tool's own page; may be some megabytes"
    )
    one.add_argument("--out", metavar="FILE", help="where the page goes")
    add_stack(one, "the stack whose store it is")
    add_json(one)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    if args.out and not (args.html or args.native):
        raise UsageError("stackyard monitor show: --out says where the page goes; add --html")
    project, stack = open_project_stack(args.stack)
    store = stack.store()
    run_id = _run(store, args.run_id)
    pipeline = store.records.run(run_id).pipeline
    found = _report(store, run_id, args.step)
    step = found.attempt.step
    if args.html or args.native:
        name = f"{run_id}-{step}{'-native' if args.native else ''}.html"
        if args.html:
            from stackyard.monitor_page import MARK, render

            text, mark = render(found.report, run_id, pipeline, step), MARK
        else:
            text, mark = _native(store, stack, found), ""
        path = write_page(project, name, args.out, text, mark, "a report on drift")
        if args.json:
            output.json_document({"run_id": run_id, "step": step, "path": str(path)})
        else:
            output.show(str(path))
    elif args.json:
        scores = [{**asdict(s), "drifted": s.drifted} for s in found.report.scores]
        head = {"run_id": run_id, "pipeline": pipeline, "step": step}
        output.json_document({**head, **asdict(found.report), "scores": scores})
    else:
        _tell(found.report, run_id, pipeline, step)
    return 0


def _tell(report: MonitorReport, run_id: str, pipeline: str, step: str) -> None:
    from stackyard.monitoring import TITLES, heading, table

    first, *rest = heading(report)
    word = output.status(report.verdict)
    output.show(f"{pipeline}, step {step}: {word}{first.removeprefix(report.verdict)}")
    for line in rest:
        output.show(line)
    output.show()
    output.table(table(report), TITLES, drop=("method",))
    output.say(f"\na page of it: stackyard monitor show {run_id} --step {step} --html")


def _run(store: Store, reference: str) -> str:
    """The run that is meant; ``latest`` is the newest that compared anything."""
    if reference == "latest":
        for record in store.records.runs(limit=LOOKED_AT):
            if _reports(store, record.run_id):
                return record.run_id
    return store.records.find(reference)


def _report(store: Store, run_id: str, step: str | None) -> Found:
    found = _reports(store, run_id)
    steps = list(found)
    if not steps:
        near = [r for r in store.records.runs(limit=LOOKED_AT) if _reports(store, r.run_id)]
        known = ", ".join(f"{r.run_id} ({r.pipeline})" for r in near[:3]) or "none"
        raise UsageError(f"no step of run {run_id} compared anything. Runs with a report: {known}")
    if step is None and len(steps) > 1:
        raise UsageError(f"steps {', '.join(steps)} of run {run_id} compared: name one with --step")
    if step is not None and step not in found:
        raise UsageError(
            f"step {step!r} of run {run_id} compared nothing. Steps: {', '.join(steps)}."
            f"{suggest(step, steps)}"
        )
    return found[step or steps[0]]


def _reports(store: Store, run_id: str) -> dict[str, Found]:
    """The last report of each step that made one."""
    from stackyard.components.monitor_report import MonitorReport
    from stackyard.evidence import noted
    from stackyard.monitoring import NativePage

    found = {}
    for name, attempt in store.records.latest(run_id).items():
        native = None
        for row in attempt.journal:
            page = noted(row, NativePage)
            native = native if page is None else page.digest
        for row in attempt.journal:
            report = noted(row, MonitorReport)
            if report is not None:
                found[name] = Found(report, attempt, str(row.get("component", "")), native)
    return found


def _native(store: Store, stack: Stack, found: Found) -> str:
    """The tool's page that the step kept, or one made anew of what the step was given."""
    from stackyard.monitoring import as_watch

    if found.native is not None:
        return store.artifacts.fetch(found.native).read_text(encoding="utf-8")
    inputs: Any = found.attempt.inputs
    if not {"current", "reference"} <= set(inputs):
        raise UsageError(
            f"step {found.attempt.step!r} was not given 'current' and 'reference' as the step "
            "'monitor' is, so the tool's page cannot be made anew"
        )
    with closing(stack.component(found.component or "monitor")) as monitor:
        monitor.require("html")
        frames = [store.artifacts.load(inputs[name]) for name in ("current", "reference")]
        text: str = monitor.page(*frames, as_watch(found.attempt.values))
        return text
