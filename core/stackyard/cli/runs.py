"""``stackyard runs``: list, show, compare, verify and clean up runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stackyard.cli import output, upkeep
from stackyard.cli.arguments import (
    add_json,
    add_run,
    add_stack,
    age,
    open_project_stack,
    positive_number,
    whole_number,
)
from stackyard.errors import StoreError, UsageError, suggest
from stackyard.period import short_periods

if TYPE_CHECKING:
    from stackyard.evidence import Evidence
    from stackyard.project import Project
    from stackyard.report import RunReport, StepReport
    from stackyard.store.records import AttemptRecord, RunRecord
    from stackyard.store.run_records import Unreadable
    from stackyard.store.store import Store


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, line: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")

    one = add("list", "runs in the stack's store, newest first")
    one.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    one.add_argument(
        "--limit", type=positive_number, default=20, metavar="N", help="default: %(default)s"
    )
    one = add("show", "a run: its steps, why they ran, what failed")
    add_run(one)
    one.add_argument("--html", action="store_true", help="write one self-contained page")
    one.add_argument("--out", metavar="FILE", help="where the page goes (with --html)")
    one = add("diff", "what is different between two runs, and the first step where it shows")
    add_run(one, "first", "RUN")
    add_run(one, "second", "RUN")
    one = add("verify", "hash every artifact of a run again")
    add_run(one)
    one = add("gc", "delete old runs, and artifacts that nothing needs")
    one.add_argument(
        "--keep-last",
        type=whole_number,
        metavar="N",
        help="delete all but the N newest of each pipeline",
    )
    one.add_argument(
        "--older-than", type=age, metavar="AGE", help="delete only runs older than e.g. 30d"
    )
    one.add_argument(
        "--grace",
        type=age,
        metavar="AGE",
        help="leave alone what is younger (default: 1h; 0 only while nothing writes)",
    )
    one.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    for name, sub in commands.choices.items():
        if name == "list":
            sub.add_argument(
                "--stack", metavar="S",
                help="only runs on this stack (default: all in the store of the stack in use)",
            )  # fmt: skip
        else:
            add_stack(sub, "the stack whose store it is")
        add_json(sub)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    project, stack = open_project_stack(args.stack)
    store = stack.store()
    actions = {
        "list": _list,
        "show": _show,
        "diff": _diff,
        "verify": upkeep.verify_run,
        "gc": upkeep.collect,
    }
    return actions[args.action](project, store, args)


def _list(project: Project, store: Store, args: argparse.Namespace) -> int:
    found = store.records.listed(args.pipeline, args.limit, args.stack)
    rows = [_listed(store, one) for one in found]
    nothing = "" if rows else _nothing(project, store, args)
    if args.json:
        output.json_document({"store": store.url, "runs": rows})
    elif rows:
        headers = ("run", "pipeline", "stack", "status", "started", "time", "by", "why")
        output.table([_row(row) for row in rows], headers, drop=("started", "by", "stack"))
    else:
        output.say(nothing)
    return 0


def _listed(store: Store, one: RunRecord | Unreadable) -> dict[str, Any]:
    """A run as one row; what cannot be read of it hides no other run."""
    from stackyard.store.records import RunRecord
    from stackyard.store.run_status import run_status

    row = dict.fromkeys(
        ("run_id", "pipeline", "stack", "status", "started", "seconds", "actor", "reason", "resume")
    )
    if not isinstance(one, RunRecord):
        return {**row, "run_id": one.run_id, "status": "unreadable", "error": one.error}
    row |= {name: getattr(one, name) for name in row if hasattr(one, name)}
    try:
        end = store.records.ended(one.run_id)
        status = end.status if end else run_status(store.records, one.run_id)
    except StoreError as exc:
        return {**row, "status": "unreadable", "error": str(exc)}
    taken = round(end.ended - one.started, 4) if end else None
    return {**row, "status": status, "seconds": taken, "error": end.error if end else None}


def _nothing(project: Project, store: Store, args: argparse.Namespace) -> str:
    """Why a list of runs is empty.

    Raises:
        UsageError: neither the project nor the store knows a pipeline of the name.
    """
    have, own = store.records.pipelines(), list(project.pipelines())
    name: str | None = args.pipeline
    if name is not None and name not in (*have, *own):
        raise UsageError(
            f"there is no pipeline {name!r} in this project, and store {store.url} has no runs of "
            f"one. Pipelines with runs: {', '.join(have) or 'none'}.{suggest(name, [*have, *own])}"
        )
    of = (f" of {name}" if name else "") + (f" on stack {args.stack}" if args.stack else "")
    known = f". Pipelines with runs: {', '.join(have)}" if have else ""
    return f"no runs{of} in {store.url}{known}"


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    why = (row["reason"] or "") + (f", continues {row['resume']}" if row["resume"] else "")
    if row["status"] == "unreadable":
        why = row["error"]
    return (
        row["run_id"], row["pipeline"], row["stack"], row["status"], output.when(row["started"]),
        output.seconds(row["seconds"]), row["actor"], why,
    )  # fmt: skip


def _show(project: Project, store: Store, args: argparse.Namespace) -> int:
    from stackyard.report import read_report

    if args.out and not args.html:
        raise UsageError("stackyard runs show: --out says where the page goes; add --html")
    report = read_report(store, store.records.find(args.run_id))
    if args.html:
        from stackyard.cli.page import write_page
        from stackyard.html import MARK, render

        name = f"{report.run.run_id}.html"
        path = write_page(project, name, args.out, render(report), MARK, "a run")
        if args.json:
            output.json_document({"run_id": report.run.run_id, "path": str(path)})
        else:
            output.show(str(path))
    elif args.json:
        output.json_document(report.to_json())
    else:
        _tell(report, getattr(args, "verbose", False))
    return 0


def _tell(report: RunReport, verbose: bool) -> None:
    run = report.run
    output.show(
        f"{run.pipeline} on {run.stack}: {output.status(report.status)} in "
        f"{output.seconds(report.seconds)}  run {run.run_id}"
    )
    why = run.reason + (f", continues {run.resume}" if run.resume else "")
    output.show(
        f"started {output.when(run.started)} by {output.plain(run.actor)} ({output.plain(why)})"
    )
    if run.params:
        given = "  ".join(f"{name}={value}" for name, value in run.params.items())
        output.show(f"parameters: {output.plain(short_periods(given)[0])}")
    if report.error_of_run:
        output.show(f"error: {output.plain(report.error_of_run)}")
    for instance, url in report.tracking.items():
        output.show(f"{instance}: {output.plain(url)}")
    output.show()
    rows: list[tuple[object, ...]] = []
    for step in report.steps:
        last = step.last
        if last is None:
            rows.append((step.step.name, step.status, "", "", "", ""))
            continue
        made = "  ".join(
            ref.digest[:12] if name == "result" else f"{name}={ref.digest[:12]}"
            for name, ref in last.outputs.items()
        )
        took = "" if last.status == "cached" else output.seconds(last.seconds)
        rows.append((step.step.name, step.status, last.attempt, took, made, last.error or last.why))
    headers = ("step", "status", "attempt", "time", "outputs", "why")
    output.table(rows, headers, drop=("outputs", "attempt"))
    if report.evidence:
        output.show()
        rows = [(e.kind, e.name, _short(e), e.step, e.text) for e in report.evidence]
        rows = list(dict.fromkeys(rows))  # two components may keep the same data
        output.table(rows, ("rests on", "name", "version or outcome", "step", ""))
    for step in report.steps:
        if step.status == "failed" and step.last is not None:
            _tell_end(step, step.last, verbose)
    output.say(f"\na page of it: stackyard runs show {run.run_id} --html")


def _tell_end(step: StepReport, last: AttemptRecord, verbose: bool) -> None:
    """The last lines of a step that failed, and its traceback; with ``-v`` all of that."""
    shown = (last.traceback or "").splitlines()
    whole = (last.full_traceback or "").splitlines() or shown
    lines = [*step.tail, *whole] if verbose else [*step.tail, *shown][-20:]
    if lines:
        output.show(f"\nstep {step.step.name}, last lines:")
    for line in lines:
        output.show(f"    {output.plain(line)}")
    if whole != shown and not verbose:
        output.say(f"with Stackyard's own frames: stackyard runs show {last.run_id} -v")


def _short(one: Evidence) -> str:
    """A data version as ``stackyard data`` takes it; the beginning of a definition's digest."""
    return one.value[:16] if one.kind == "features" else one.value


def _diff(project: Project, store: Store, args: argparse.Namespace) -> int:
    from stackyard.difference import compare

    records = store.records
    found = compare(store, records.find(args.first), records.find(args.second))
    if args.json:
        output.json_document(found.to_json())
        return 0
    for line in found.lines():
        output.show(line)
    output.show()
    words = {True: "the same", False: "another", None: ""}
    rows = [(s.name, s.first, s.second, words[s.same], s.why) for s in found.steps]
    output.table(rows, ("step", "first", "second", "result", "what changed"))
    return 0
