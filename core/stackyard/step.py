"""``python -m stackyard.step STEP``: one step of a run, as an orchestrator's task runs it.

The contract is the same for a process, a container and a pod.

Environment:
    STACKYARD_PIPELINE   name of the pipeline
    STACKYARD_STACK      name of the stack
    STACKYARD_GRAPH      digest of the graph that the orchestrator's file was compiled from
    STACKYARD_RUN        the orchestrator's own id of the run
    STACKYARD_TRY        1, 2, ...: above 1 the cache is not read (a retry or a cleared task)
    STACKYARD_PARAMS     JSON object: the pipeline's parameters; under ``stackyard`` what the
                         run was asked for: resume, only, cache, reason, actor
    STACKYARD_PERIOD     "start/end" of the data interval, or empty
    STACKYARD_INPUTS     JSON object: upstream step to the reference that its task returned
    STACKYARD_REASON     why the run started: schedule, manual, ...
    STACKYARD_PROJECT    folder of the project on this machine, in which the step then runs; only
                         the first task needs it
    STACKYARD_STORE      the store, where it is not the stack's

Output: the last line of standard output is the reference, JSON of at most 1 kB; everything that
the step prints goes to standard error.

Exit codes: 0 done, 1 the step failed and may be tried again, 2 the request or the configuration is
wrong or no other try can mend the step, 99 a condition does not hold: the step is skipped, and with
it what depends on it.

``python -m stackyard.step --finish`` closes the run's record and projects it to the trackers.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import redact
from stackyard.errors import StackyardError, UsageError
from stackyard.guard import final_sigterm
from stackyard.store.records import AttemptRecord, EndStatus

if TYPE_CHECKING:
    from stackyard.runner import Runner

REFERENCE_LIMIT = 1024
SKIP = 99  # Airflow's BashOperator skips a task that ends so


def main(arguments: list[str] | None = None) -> int:
    """Run the step or close the run; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if arguments[0] == "--finish":
            return _finish()
        return _run(arguments[0])
    except StackyardError as exc:
        print(f"error: {redact(str(exc))}", file=sys.stderr)
        return exc.exit_code


def _run(name: str) -> int:
    from stackyard.execute import execute, failed
    from stackyard.why_run import why_run

    runner = _runner()
    step = runner.graph.step(name)
    only = runner.record.only
    if only is not None and name != only:
        return _beside(runner, name, only)
    upstream = _upstream(runner)
    skipped = runner.left_out(step, upstream)
    if skipped is not None:
        print(f"{name}: skipped ({skipped.why})", file=sys.stderr)
        return SKIP
    attempt = runner.prepare(step, upstream)
    number = _try_number()
    attempt = replace(attempt, number=max(number, attempt.number))
    record = runner.lookup(attempt) if number == 1 else None
    if record is None:
        why = why_run(runner, attempt) if number == 1 else f"try {number}, the cache is not read"
        attempt = replace(attempt, why=why)
        started = time.time()

        def stopped(signum: int, frame: object) -> None:
            failed(runner, attempt, f"stopped by signal {signal.Signals(signum).name}", started)
            os._exit(1)

        signal.signal(signal.SIGTERM, stopped)
        record = execute(runner, attempt, through=True)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print(f"{name}: {record.status} ({record.why})", file=sys.stderr)
    if record.status == "failed":
        print(f"{record.traceback or ''}{record.error}", file=sys.stderr)
        return 2 if record.final else 1
    _print_reference(record)
    return 0


def _beside(runner: Runner, name: str, only: str) -> int:
    """A step beside the one that runs alone: what the last run has of it, and nothing is run."""
    found = runner.earlier.for_only(runner.graph, only).get(name)
    if found is None or not found.finished:
        print(f"{name}: skipped (only {only!r} runs)", file=sys.stderr)
        return SKIP
    _print_reference(replace(found, status="cached"))
    return 0


def _print_reference(record: AttemptRecord) -> None:
    """Print the reference as the very last line, then leave before any library prints at exit."""
    outputs = {name: ref.digest for name, ref in record.outputs.items()}
    reference: dict[str, Any] = {
        "run": record.run_id,
        "step": record.step,
        "attempt": record.attempt,
        "status": record.status,
        "outputs": outputs,
    }
    if len(json.dumps(reference)) > REFERENCE_LIMIT:  # the record has them all
        reference["outputs"] = {}
    sys.stderr.flush()
    print(json.dumps(reference), flush=True)


def _upstream(runner: Runner) -> dict[str, AttemptRecord]:
    """The records of the attempts that the orchestrator's references name."""
    upstream = {}
    for name, reference in _json("STACKYARD_INPUTS").items():
        if reference is None and runner.graph.step(name).when:  # it was skipped
            continue
        parts = {"run", "step", "attempt", "outputs"}
        if not isinstance(reference, Mapping) or not parts <= set(reference):
            raise UsageError(
                f"STACKYARD_INPUTS: {name!r} is {reference!r}, not the reference that its task "
                "printed as its last line"
            )
        record = runner.store.records.read_attempt(
            reference["run"], reference["step"], reference["attempt"]
        )
        for output, digest in reference["outputs"].items():
            found = record.outputs.get(output)
            if found is None or found.digest != digest:
                raise UsageError(
                    f"STACKYARD_INPUTS: {name}.{output} is not what the record of attempt "
                    f"{record.attempt} holds"
                )
        upstream[name] = record
    return upstream


def _finish() -> int:
    runner = _runner()
    latest = runner.store.records.latest(runner.run_id)
    wanted = [runner.record.only] if runner.record.only else [s.name for s in runner.graph.steps]
    for name in wanted:  # also those that their orchestrator skipped without asking
        known = latest.get(name)
        if known is None or known.finished:
            skipped = runner.left_out(runner.graph.step(name), latest)
            latest |= {name: skipped} if skipped is not None else {}
    broken = [n for n in wanted if n in latest and latest[n].status == "failed"]
    missing = [n for n in wanted if n not in latest]
    status: EndStatus = "failed" if broken or missing else "succeeded"
    error = "; ".join(f"step {n!r} failed: {latest[n].error}" for n in broken) or None
    if error is None and missing:
        error = f"never ran: {', '.join(missing)}"
    for warning in runner.finish(status, error):
        print(f"warning: {warning}", file=sys.stderr)
    print(json.dumps({"run": runner.run_id, "status": status}), flush=True)
    return 0


def _runner() -> Runner:
    """Attach to the run, beginning it if this is its first task."""
    from stackyard.opening import open_task

    env = _environment("PIPELINE", "STACK", "RUN")
    project = os.environ.get("STACKYARD_PROJECT")
    runner = open_task(
        pipeline=env["PIPELINE"],
        stack_name=env["STACK"],
        external_run=env["RUN"],
        graph_digest=os.environ.get("STACKYARD_GRAPH", ""),
        given=_json("STACKYARD_PARAMS"),
        period=os.environ.get("STACKYARD_PERIOD", ""),
        reason=os.environ.get("STACKYARD_REASON", "manual"),
        project_root=Path(project) if project else None,
        store_url=os.environ.get("STACKYARD_STORE"),
    )
    os.chdir(runner.stack.project.root)  # relative paths in steps mean what they mean in process
    gc.freeze()
    gc.enable()
    return runner


def _json(variable: str) -> dict[str, Any]:
    """The JSON object in an environment variable; empty where it is not set."""
    text = os.environ.get(variable) or "{}"
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise UsageError(f"{variable}: {text!r} is not JSON ({exc})") from exc
    if not isinstance(found, dict):
        raise UsageError(f"{variable}: {text!r} is not a JSON object")
    return found


def _try_number() -> int:
    text = os.environ.get("STACKYARD_TRY") or "1"
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"STACKYARD_TRY: {text!r} is not 1, 2, ...")
    return int(text)


def _environment(*names: str) -> dict[str, str]:
    missing = [f"STACKYARD_{n}" for n in names if not os.environ.get(f"STACKYARD_{n}")]
    if missing:
        raise UsageError(
            f"python -m stackyard.step: not set: {', '.join(missing)}. An orchestrator sets them; "
            "to run a step by hand: stackyard run PIPELINE --only STEP"
        )
    return {n: os.environ[f"STACKYARD_{n}"] for n in names}


if __name__ == "__main__":
    gc.disable()  # starting makes nothing but what stays: to look for garbage in it takes 6 ms
    final_sigterm()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing that a library prints at exit may follow the reference
