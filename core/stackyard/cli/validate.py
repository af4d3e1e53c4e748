"""``stackyard validate``: propose suites for review, and check a file against one."""

from __future__ import annotations

import argparse
import difflib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.cli.arguments import (
    add_component,
    add_json,
    add_stack,
    open_component,
    open_project_stack,
    positive_number,
    whole_number,
)
from stackyard.display import plural
from stackyard.errors import UsageError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from stackyard.components.validator import Suite
    from stackyard.store.records import ArtifactRef, AttemptRecord
    from stackyard.store.store import Store

KIND = "validator"
ENDINGS = (".parquet", ".csv")
TABLES = f"a table, {' or '.join(ENDINGS)}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, line: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")

    one = add("profile", "propose a suite that a table passes, for review")
    one.add_argument("file", metavar="FILE", help=TABLES)
    one.add_argument("--name", metavar="NAME", help="the suite's name (default: the file's name)")
    _add_proposal(one)
    one = add("learn", "propose bounds from the data of earlier runs, for review")
    one.add_argument("pipeline", metavar="PIPELINE", help="a pipeline that has runs in the store")
    one.add_argument(
        "--step", default="validate", metavar="STEP",
        help="the step whose data is learned from, or STEP.INPUT (default: %(default)s)",
    )  # fmt: skip
    one.add_argument(
        "--runs", type=positive_number, default=12, metavar="N",
        help="how many of the newest runs that succeeded on different data (default: %(default)s)",
    )  # fmt: skip
    one.add_argument(
        "--false-alarms", type=_rate, default=0.01, metavar="RATE",
        help="the chance that sound data fails the suite (default: %(default)s)",
    )  # fmt: skip
    _add_proposal(one)
    one = add("run", "check a table against a suite; ends with 1 if it does not pass")
    one.add_argument("file", metavar="FILE", help=TABLES)
    one.add_argument("suite", metavar="SUITE", help="the suite's YAML file")
    one.add_argument(
        "--examples", type=whole_number, default=0, metavar="N",
        help="unexpected values to show of each check (default: none)",
    )  # fmt: skip
    for sub in commands.choices.values():
        add_component(sub, KIND)
        add_stack(sub, "the stack whose validator is asked")
        add_json(sub)


def _add_proposal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE", help="where to write it (default: print it)")
    parser.add_argument(
        "--force", action="store_true", help="overwrite a file that there is, showing what changes"
    )


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    _, stack = open_project_stack(args.stack)
    if args.action == "run":
        from stackyard.suites import read_suite

        if Path(args.suite).suffix.lower() in ENDINGS:
            raise UsageError(
                f"{args.suite} is a table, and stands where the suite belongs. Write: stackyard "
                f"validate run {args.suite} {args.file}"
            )
        suite = read_suite(args.suite)
        with open_component(stack, KIND, args.component) as validator:
            return _run(validator, _table(args.file), suite, args)
    with open_component(stack, KIND, args.component) as validator:
        if args.action == "profile":
            name = args.name or Path(args.file).name.partition(".")[0]
            proposed = validator.profile(_table(args.file), name)
        else:
            validator.require("learn")
            store = stack.store()
            inputs = _history(store, args.pipeline, args.step, args.runs)
            frames = (store.artifacts.load(ref) for ref in inputs)
            proposed = validator.learn(frames, args.pipeline, false_alarms=args.false_alarms)
    return _give(proposed, args)


def _run(validator: Any, frame: pd.DataFrame, suite: dict[str, Any], args: Any) -> int:
    from stackyard.components.validator import Suite
    from stackyard.validation import lines

    report = validator.validate(frame, Suite.of(suite), examples=args.examples)
    if args.json:
        output.json_document({"passed": report.passed, **asdict(report)})
    else:
        for line in lines(report):
            output.show(line)
    if not report.passed:
        wrong = f"{len(report.of('fail', 'error'))} of {plural(len(report.checks), 'expectation')}"
        output.say(
            f"error: {args.file}, suite {report.suite!r}: {wrong} did not pass "
            f"({len(report.stopping)} critical)"
        )
    return 0 if report.passed else 1


def _give(proposed: Suite, args: argparse.Namespace) -> int:
    """Print the suite or write it; a file that somebody reviewed is never lost silently."""
    from stackyard.suites import written
    from stackyard.whole_file import write_whole

    text = written(proposed)
    path = Path(args.out) if args.out else None
    if path is not None:
        before = path.read_text(encoding="utf-8") if path.exists() else text
        old, new = before.splitlines(), text.splitlines()
        for line in difflib.unified_diff(old, new, str(path), "proposed", lineterm=""):
            output.say(output.plain(line))
        if before != text and not args.force:
            raise UsageError(
                f"{path} exists already and would change as shown; nothing was written. Write it "
                "with --force, or name another file"
            )
        write_whole(path, text)
    if args.json:
        output.json_document({"path": args.out, "suite": proposed.plain()})
    elif path is None:
        output.show(text.rstrip())
    else:
        output.show(f"{path}  {plural(len(proposed.expectations), 'expectation')}")
    return 0


def _history(store: Store, pipeline: str, place: str, number: int) -> list[ArtifactRef]:
    """The frames that a step of earlier runs was given, oldest first, each content once."""
    found: dict[str, ArtifactRef] = {}
    looked = 0
    other: UsageError | None = None
    for attempt in _attempts(store, pipeline, place.partition(".")[0]):
        looked += 1
        try:
            ref = _frame(attempt, place)
        except UsageError as exc:  # the pipeline was another one then
            other = other or exc
            continue
        if _kept(store, ref):
            found.setdefault(ref.digest, ref)
        if len(found) == number:
            break
    if not found and other is not None:
        raise other
    if len(found) < number:
        output.warn(
            f"asked for {plural(number, 'run')}, and there are {len(found)} with different data "
            f"among the {looked} of pipeline {pipeline!r} that succeeded"
        )
    return list(found.values())[::-1]


def _attempts(store: Store, pipeline: str, step: str) -> Iterator[AttemptRecord]:
    """The attempts of ``step`` in the runs that succeeded, newest first."""
    from stackyard.store.run_status import run_status

    names = store.records.pipelines()
    if pipeline not in names:
        raise UsageError(
            f"there is no run of a pipeline {pipeline!r} in store {store.url}. Pipelines with "
            f"runs: {', '.join(names) or 'none'}.{suggest(pipeline, names)}"
        )
    steps: dict[str, None] = {}
    for record in store.records.runs(pipeline):
        if run_status(store.records, record.run_id) == "succeeded":
            attempts = store.records.latest(record.run_id)
            steps |= dict.fromkeys(attempts)
            if step in attempts:
                yield attempts[step]
    if steps and step not in steps:
        raise UsageError(
            f"no run of pipeline {pipeline!r} that succeeded has a step {step!r}. Steps: "
            f"{', '.join(steps)}.{suggest(step, list(steps))} Name one: --step STEP"
        )


def _frame(attempt: AttemptRecord, place: str) -> ArtifactRef:
    """The frame among the inputs of a step that ``STEP`` or ``STEP.INPUT`` means."""
    frames = {name: ref for name, ref in attempt.inputs.items() if ref.format == "frame"}
    step, _, name = place.partition(".")
    if not name and len(frames) == 1:
        return next(iter(frames.values()))
    if name not in frames:
        known = ", ".join(f"{step}.{n}" for n in frames) or "none"
        raise UsageError(
            f"--step {place}: name one of the frames that the step is given. There are: {known}."
            f"{suggest(name, list(frames))}"
        )
    return frames[name]


def _kept(store: Store, ref: ArtifactRef) -> bool:
    from stackyard.store.backend import artifact_key

    return store.backend.exists(artifact_key(ref.digest))


def _table(name: str) -> pd.DataFrame:
    """Read a table from a file."""
    import pandas as pd

    path = Path(name)
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        raise UsageError(f"{name}: name {TABLES}, not {path.suffix or 'a file without ending'!r}")
    if not path.is_file():
        raise UsageError(f"{name}: there is no such file")
    try:
        return read(path)
    except (ValueError, OSError) as exc:  # pyarrow's and pandas' errors of content are ValueErrors
        raise UsageError(f"{name}: cannot be read as {path.suffix[1:]}: {exc}") from exc


def _rate(text: str) -> float:
    """A probability given as an option."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no probability, e.g. 0.01")
    return rate
