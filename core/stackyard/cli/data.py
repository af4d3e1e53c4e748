"""``stackyard data``: the versions of the stack's data versioner, and those that a run had."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.cli import output
from stackyard.cli.arguments import Once, add_component, add_json, add_stack, open_project_stack
from stackyard.cli.data_versions import (
    KIND,
    VERSION,
    Wanted,
    find,
    has,
    once,
    opened,
    places,
    whole_id,
)
from stackyard.display import plural
from stackyard.errors import NotFound, StackyardError, Unsupported, UsageError, suggest

if TYPE_CHECKING:
    from stackyard.components.data_versioner import DataVersion, DataVersioner
    from stackyard.project import Project
    from stackyard.stack import Stack


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, line: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")

    def add_versions(one: argparse.ArgumentParser, *, of_run: bool = True) -> None:
        one.add_argument(
            "dataset", nargs="?", metavar=VERSION,
            help="a dataset, and a version's id or a unique beginning of it (default: the newest)",
        )  # fmt: skip
        if of_run:
            one.add_argument(
                "--run", dest="run_id", action=Once, metavar="RUN",
                help="all versions that a run had: its id, a unique beginning of it, or 'latest'",
            )  # fmt: skip

    one = add("list", "versions that are known here, newest first")
    one.add_argument("name", nargs="?", metavar="NAME", help="only of this dataset")
    one = add("diff", "files that were added, changed and removed between two versions")
    one.add_argument("name", metavar="NAME", help="the dataset")
    for which in ("first", "second"):
        one.add_argument(which, metavar="ID", help="a version's id, or a unique beginning of it")
    one = add("checkout", "write a version to a folder; what is not here is pulled")
    add_versions(one)
    one.add_argument(
        "--to", action=Once, metavar="PATH",
        help="where, new or empty; with --run a folder in which each dataset goes by its name, "
        "a single file with its ending, NAME@ID where two would have one place "
        "(default: .stackyard/data/RUN)",
    )  # fmt: skip
    one.add_argument(
        "--overwrite", action="store_true", help="let it take the place of what is there"
    )
    add_versions(add("push", "copy a version to the remote"))
    add_versions(add("pull", "bring a version from the remote; repairs what is damaged here"))
    add_versions(add("verify", "read the files of a version, or of all, again"), of_run=False)
    for sub in commands.choices.values():
        add_component(sub, KIND)
        add_stack(sub)
        add_json(sub)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    project, stack = open_project_stack(args.stack)
    actions = {
        "list": _list,
        "diff": _diff,
        "checkout": _checkout,
        "push": _send,
        "pull": _send,
        "verify": _verify,
    }
    return actions[args.action](project, stack, args)


def _list(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    with opened(stack, args.component) as versioner:
        found = versioner.list(args.name)
        datasets = sorted({v.name for v in versioner.list()}) if args.name and not found else []
    if datasets:
        raise UsageError(
            f"there is no dataset {args.name!r} here. Datasets: {', '.join(datasets)}."
            f"{suggest(args.name, datasets)}"
        )
    if args.json:
        output.json_document({"versions": [asdict(version) for version in found]})
    elif found:
        _tell(found)
    else:
        output.say("no version is known here yet; a step makes one: data.commit(path, name)")
    return 0


def _diff(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    with opened(stack, args.component) as versioner:
        ids = [whole_id(versioner, args.name, given) for given in (args.first, args.second)]
        found = versioner.diff(args.name, *ids)
    if args.json:
        output.json_document(
            {"name": args.name, "first": ids[0], "second": ids[1], **asdict(found)}
        )
        return 0
    changes = {"added": found.added, "changed": found.changed, "removed": found.removed}
    rows = [(change, path) for change, paths in changes.items() for path in paths]
    if rows:
        output.table(rows, ("change", "file"))
    else:
        output.say("no file is different")
    return 0


def _checkout(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    wanted, stack, run_id = find(project, stack, args)
    wanted = once(stack, wanted)
    if run_id is None and not args.to:
        raise UsageError(f"stackyard data checkout {args.dataset}: say where: --to PATH")
    folder = Path(args.to) if args.to else project.root / ".stackyard" / "data" / str(run_id)
    folder = folder.absolute()
    suffixes = []
    for one in wanted:
        with opened(stack, one.component) as versioner:
            suffixes.append(_bring(versioner, one))
    of_run = [folder / place for place in places(wanted, suffixes)]
    made = []
    for one, target in zip(wanted, [folder] if run_id is None else of_run, strict=True):
        if args.overwrite:
            _check_no_code(project, target)
        with opened(stack, one.component) as versioner:
            _write(versioner, one, target, overwrite=args.overwrite)
        made.append({"name": one.name, "id": one.id, "path": str(target)})
    if args.json:
        output.json_document({"run_id": run_id, "versions": made})
    else:
        output.table([tuple(row.values()) for row in made], ("dataset", "version", "path"))
    return 0


def _check_no_code(project: Project, target: Path) -> None:
    """Refuse to have data take the place of what the project is made of.

    Raises:
        UsageError: ``target`` is or holds a folder of code or of stacks.
    """
    place = target.resolve()
    for folder in (*project.code_roots, project.stacks):
        if folder.exists() and folder.resolve().is_relative_to(place):
            raise UsageError(
                f"{target} holds the project's code or stacks and is not overwritten. Choose "
                "another target: --to PATH"
            )


def _bring(versioner: DataVersioner, one: Wanted) -> str:
    """Pull a version that is not here, if there is a remote; return the ending of a single file."""
    for version in versioner.list(one.name):
        if version.id == one.id:
            return version.suffix
    if "remote" not in versioner.capabilities:
        return ""  # checking it out says what there is
    output.say(f"{one.name}@{one.id} is not here; pulling it")
    return versioner.pull(one.name, one.id).suffix


def _write(versioner: DataVersioner, one: Wanted, target: Path, *, overwrite: bool) -> None:
    """Check a version out; pull what is not whole here, if there is a remote."""
    try:
        versioner.checkout(one.name, one.id, target, overwrite=overwrite)
    except NotFound:
        if "remote" not in versioner.capabilities:
            raise
        output.say(f"{one.name}@{one.id} is not whole here; pulling it")
        versioner.pull(one.name, one.id)
        versioner.checkout(one.name, one.id, target, overwrite=overwrite)


def _send(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    """``push`` and ``pull``; of a run, all that can be, with a word on what cannot."""
    wanted, stack, run_id = find(project, stack, args)
    done: list[Wanted] = []
    left: list[tuple[Wanted, StackyardError]] = []
    for one in wanted:
        try:
            with opened(stack, one.component) as versioner:
                move = versioner.push if args.action == "push" else versioner.pull
                move(one.name, one.id)
        except StackyardError as exc:
            if run_id is None:
                raise
            left.append((one, exc))
        else:
            done.append(one)
    there = {(one.name, one.id) for one in done}
    lost = False
    for one, error in left:
        what = f"{one.name}@{one.id}: not {args.action}ed: {error}"
        cannot = isinstance(error, Unsupported) or not has(stack, one.component)
        if cannot and (one.name, one.id) in there:
            output.warn(what)  # another component's remote has it
        else:
            output.say(f"error: {what}")
            lost = True
    if args.json:
        reasons = [{**asdict(one), "reason": str(error)} for one, error in left]
        moved = [asdict(one) for one in done]
        output.json_document({f"{args.action}ed": moved, "left_out": reasons})
    elif done:
        rows = [(one.name, one.id, f"{args.action}ed") for one in done]
        output.table(rows, ("dataset", "version", ""))
    return 1 if lost else 0


def _verify(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    with opened(stack, args.component) as versioner:
        if args.dataset:
            name, _, given = args.dataset.partition("@")
            chosen = [(name, whole_id(versioner, name, given))]
        else:
            chosen = [(version.name, version.id) for version in versioner.list()]
        found = [(name, id_, list(versioner.verify(name, id_))) for name, id_ in chosen]
    wrong = [row for row in found if row[2]]
    if args.json:
        rows = [{"name": name, "id": id_, "damaged": paths} for name, id_, paths in found]
        output.json_document({"ok": not wrong, "versions": rows})
        return 1 if wrong else 0
    named = f" --component {args.component}" if args.component not in (None, KIND) else ""
    for name, id_, paths in wrong:
        for path in paths:
            output.show(f"{name}@{id_}: damaged or gone: {output.plain(path)}")
        output.say(f"bring it back: stackyard data pull {name}@{id_}{named}")
    if not wrong:
        output.say(f"{plural(len(found), 'version')}: all files are sound")
    return 1 if wrong else 0


def _tell(versions: Sequence[DataVersion]) -> None:
    rows = [
        (v.name, v.id, v.files, output.size(v.size), output.when(v.committed)) for v in versions
    ]
    headers = ("dataset", "version", "files", "size", "committed")
    output.table(rows, headers, drop=("files", "size"))
