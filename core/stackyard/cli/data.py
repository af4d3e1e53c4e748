"""``stackyard data``: the versions of the stack's data versioner, and those that a run had."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.cli import output
from stackyard.cli.arguments import (
    Once,
    add_component,
    add_json,
    add_stack,
    open_component,
    open_project_stack,
)
from stackyard.errors import NotFound, UsageError, suggest

if TYPE_CHECKING:
    from stackyard.components.data_versioner import DataVersion, DataVersioner
    from stackyard.project import Project
    from stackyard.stack import Stack

KIND = "data_versioner"
VERSION = "NAME[@ID]"


@dataclass(frozen=True)
class Wanted:
    """A version that was asked for, and the component that has it."""

    component: str
    name: str
    id: str


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
        help="where, new or empty; with --run a folder in which each dataset goes by its name "
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
    with _opened(stack, args.component) as versioner:
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
    with _opened(stack, args.component) as versioner:
        ids = [_id(versioner, args.name, given) for given in (args.first, args.second)]
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
    wanted, stack, run_id = _wanted(project, stack, args)
    wanted = _once(wanted)
    if run_id is None and not args.to:
        raise UsageError(f"stackyard data checkout {args.dataset}: say where: --to PATH")
    folder = Path(args.to) if args.to else project.root / ".stackyard" / "data" / str(run_id)
    folder = folder.absolute()
    made = []
    for one in wanted:
        several = sum(other.name == one.name for other in wanted) > 1
        place = f"{one.name}@{one.id[:8]}" if several else one.name
        target = folder / place if run_id is not None else folder
        if args.overwrite:
            _check_no_code(project, target)
        with _opened(stack, one.component) as versioner:
            _write(versioner, one, target, overwrite=args.overwrite)
        made.append({"name": one.name, "id": one.id, "path": str(target)})
    if args.json:
        output.json_document({"run_id": run_id, "versions": made})
    else:
        output.table([tuple(row.values()) for row in made], ("dataset", "version", "path"))
    return 0


def _once(wanted: Sequence[Wanted]) -> list[Wanted]:
    """Each version from one component, the unnamed one if it has it."""
    found: dict[tuple[str, str], Wanted] = {}
    for one in sorted(wanted, key=lambda w: w.component != KIND):
        found.setdefault((one.name, one.id), one)
    return list(found.values())


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


def _write(versioner: DataVersioner, one: Wanted, target: Path, *, overwrite: bool) -> None:
    """Check a version out; pull what is not here, or not whole, if there is a remote."""
    try:
        versioner.checkout(one.name, one.id, target, overwrite=overwrite)
    except NotFound:
        if "remote" not in versioner.capabilities:
            raise
        output.say(f"{one.name}@{one.id} is not here; pulling it")
        versioner.pull(one.name, one.id)
        versioner.checkout(one.name, one.id, target, overwrite=overwrite)


def _shared(stack: Stack, wanted: list[Wanted]) -> list[Wanted]:
    """Those whose component has a remote; all, where none has, so that it says what it lacks."""
    able = []
    for one in wanted:
        with _opened(stack, one.component) as versioner:
            if "remote" in versioner.capabilities:
                able.append(one)
    for one in [one for one in wanted if able and one not in able]:
        output.warn(f"{one.name}@{one.id}: {one.component} has no remote; left out")
    return able or wanted


def _send(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    """``push`` and ``pull``."""
    wanted, stack, _ = _wanted(project, stack, args)
    wanted = _shared(stack, wanted)
    for one in wanted:
        with _opened(stack, one.component) as versioner:
            move = versioner.push if args.action == "push" else versioner.pull
            move(one.name, one.id)
    done = f"{args.action}ed"
    if args.json:
        output.json_document({done: [{"name": one.name, "id": one.id} for one in wanted]})
    else:
        output.table([(one.name, one.id, done) for one in wanted], ("dataset", "version", ""))
    return 0


def _verify(project: Project, stack: Stack, args: argparse.Namespace) -> int:
    with _opened(stack, args.component) as versioner:
        if args.dataset:
            name, _, given = args.dataset.partition("@")
            chosen = [(name, _id(versioner, name, given))]
        else:
            chosen = [(version.name, version.id) for version in versioner.list()]
        found = [(name, id_, list(versioner.verify(name, id_))) for name, id_ in chosen]
    wrong = [row for row in found if row[2]]
    if args.json:
        rows = [{"name": name, "id": id_, "damaged": paths} for name, id_, paths in found]
        output.json_document({"ok": not wrong, "versions": rows})
        return 1 if wrong else 0
    for name, id_, paths in wrong:
        for path in paths:
            output.show(f"{name}@{id_}: damaged or gone: {output.plain(path)}")
        output.say(f"bring it back: stackyard data pull {name}@{id_}")
    if not wrong:
        output.say(f"{len(found)} version{'' if len(found) == 1 else 's'}: all files are sound")
    return 1 if wrong else 0


def _tell(versions: Sequence[DataVersion]) -> None:
    rows = [
        (v.name, v.id, v.files, output.size(v.size), output.when(v.committed)) for v in versions
    ]
    headers = ("dataset", "version", "files", "size", "committed")
    output.table(rows, headers, drop=("files", "size"))


def _opened(stack: Stack, component: str | None) -> closing[DataVersioner]:
    return open_component(stack, KIND, component)


def _wanted(
    project: Project, stack: Stack, args: argparse.Namespace
) -> tuple[list[Wanted], Stack, str | None]:
    """The versions that the command names, the stack that has them, and the run, if it names one.

    Raises:
        UsageError: it names neither or both, or the run had no data.
    """
    if (args.dataset is None) == (args.run_id is None):
        raise UsageError(f"stackyard data {args.action}: name a version, {VERSION}, or --run RUN")
    if args.run_id is None:
        name, _, given = args.dataset.partition("@")
        component = args.component or KIND
        with _opened(stack, component) as versioner:
            return [Wanted(component, name, _id(versioner, name, given))], stack, None
    from stackyard.evidence import evidence
    from stackyard.stack import open_stack

    records = stack.store().records
    run_id = records.find(args.run_id)
    found = evidence(records.latest(run_id).values())
    rows = [Wanted(e.component, e.name, e.value) for e in found if e.kind == "data"]
    rows = [row for row in dict.fromkeys(rows) if args.component in (None, row.component)]
    if not rows:
        of = f" of {args.component}" if args.component else ""
        raise UsageError(
            f"run {run_id} had no data{of}: none of its steps committed or checked out a version"
        )
    return rows, stack if args.stack else open_stack(project, records.run(run_id).stack), run_id


def _id(versioner: DataVersioner, name: str, given: str) -> str:
    """The whole id of the version that ``given`` begins, or of the newest one.

    An id that is not known here is returned as it is: it may be in the remote.

    Raises:
        NotFound: no version of ``name`` is known here, and ``given`` is empty.
        UsageError: several ids begin so.
    """
    known = versioner.list(name)
    if not given and not known:
        datasets = sorted({version.name for version in versioner.list()})
        raise NotFound(
            f"no version of {name!r} is known here. Datasets: {', '.join(datasets) or 'none'}."
            f"{suggest(name, datasets)} One that is in a remote only needs its id: {name}@ID"
        )
    found = [version.id for version in known if version.id.startswith(given)]
    if given in found or not found:
        return given
    if given and len(found) > 1:
        raise UsageError(
            f"{name}@{given} is not unique: {', '.join(found[:5])}. Type more of the id"
        )
    return found[0]
