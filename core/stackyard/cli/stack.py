"""``stackyard stack``: list, show, check, compare and choose stacks; their local services."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from stackyard.cli import output, services
from stackyard.cli.arguments import add_json

if TYPE_CHECKING:
    from stackyard.profile import Profile
    from stackyard.project import Project


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``stackyard stack``."""
    actions = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")

    add_json(add("list", "the project's stacks and which one is used"))
    show = add("show", "a stack with all that it extends; imports no tool, looks nothing up")
    _add_name(show)
    show.add_argument(
        "--resolved", action="store_true",
        help="variables replaced, and for each value the file and line it comes from",
    )  # fmt: skip
    add_json(show)
    check = add("check", "everything that is wrong with a stack, and what pipelines miss in it")
    _add_name(check)
    check.add_argument(
        "--for", dest="pipelines", action="append", metavar="PIPELINE",
        help="hold only this pipeline against it; may be repeated (default: all)",
    )  # fmt: skip
    add_json(check)
    diff = add("diff", "what differs between two stacks")
    diff.add_argument("first", metavar="A")
    diff.add_argument("second", metavar="B")
    add_json(diff)
    use = add("use", "use a stack from now on, in this project on this machine")
    use.add_argument("name", metavar="NAME")
    schema = add("schema", "JSON Schema of stack files with the plugins installed here")
    schema.add_argument(
        "--out", metavar="FILE", help="write it there, e.g. stacks/stack.schema.json"
    )
    schema.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if --out is not up to date"
    )
    services.configure_up(add("up", "start the local services that a stack needs"))
    services.configure_down(add("down", "stop local services and all that they started"))


def run(args: argparse.Namespace) -> int:
    """Run one of the commands."""
    commands = {
        "list": _list, "show": _show, "check": _check, "diff": _diff, "use": _use,
        "schema": _schema, "up": services.run_up, "down": services.run_down,
    }  # fmt: skip
    return commands[args.action](args)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="default: the one that is used")
    parser.add_argument("--stack", metavar="S", help="the same as NAME")


def _profile(args: argparse.Namespace) -> tuple[Project, Profile]:
    from stackyard.choice import chosen
    from stackyard.errors import UsageError
    from stackyard.profile import load_profile
    from stackyard.project import find_project

    if args.name and args.stack and args.name != args.stack:
        raise UsageError(f"two stacks are named: {args.name!r} and --stack {args.stack!r}")
    project = find_project()
    return project, load_profile(project, chosen(project, args.name or args.stack))


def _list(args: argparse.Namespace) -> int:
    from stackyard.choice import LEAST, list_profiles, why_chosen
    from stackyard.errors import ConfigError, UsageError
    from stackyard.profile import load_profile
    from stackyard.project import find_project

    project = find_project()
    used, why = why_chosen(project)
    names = list_profiles(project)
    if not names:
        raise UsageError(f"{project.stacks} holds no stack. Begin with {LEAST}")
    rows: list[dict[str, object]] = []
    for name in names:
        row: dict[str, object] = {"name": name, "used": name == used}
        try:
            profile = load_profile(project, name)
        except ConfigError as exc:
            row["error"] = str(exc)
        else:
            row["description"] = profile.description
            row["components"] = {c.name: c.flavor for c in profile.components.values()}
            row["files"] = list(profile.files)
        rows.append(row)
    if args.json:
        output.json_document({"stacks": rows, "used": used, "because": why})
        return 0
    headers = ("", "stack", "components", "description")
    output.table([_list_row(r) for r in rows], headers, cut=headers[2:])
    if used not in names:
        output.warn(f"the stack to use is {used!r} ({why}), and there is no stacks/{used}.yaml")
    return 0


def _list_row(row: dict[str, object]) -> tuple[object, ...]:
    components = row.get("components")
    shown = ""
    if isinstance(components, dict):
        shown = " ".join(f"{name}={flavor}" for name, flavor in components.items())
    about = f"error: {row['error']}" if "error" in row else row.get("description")
    return ("*" if row["used"] else "", row["name"], shown, about)


def _show(args: argparse.Namespace) -> int:
    from stackyard.cli import stack_views

    _, profile = _profile(args)
    if args.resolved:
        rows = stack_views.values(profile)
        if args.json:
            output.json_document({"name": profile.name, "files": profile.files, "values": rows})
            return 0
        shown = [(r["path"], stack_views.text(r["value"]), r["origin"]) for r in rows]
        output.table(shown, ("key", "value", "from"), cut=("value",))
        return 0
    plain = stack_views.tree(profile)
    if args.json:
        output.json_document({"name": profile.name, "files": profile.files, "stack": plain})
        return 0
    output.say(f"stack {profile.name}, from {' over '.join(profile.files)}")
    output.show(stack_views.yaml_text(plain))
    return 0


def _check(args: argparse.Namespace) -> int:
    from stackyard.stack import Stack
    from stackyard.stack_check import check

    project, profile = _profile(args)
    found = check(Stack(profile, project), args.pipelines)
    if args.json:
        document = {
            "stack": profile.name, "ok": not found.errors, "errors": found.errors,
            "warnings": found.warnings, "pipelines": found.pipelines,
        }  # fmt: skip
        output.json_document(document)
    for line in (line for text in found.warnings for line in text.splitlines()):
        output.warn(output.plain(line))
    for line in (line for text in found.errors for line in text.splitlines()):
        output.say(f"{output.paint('error:', '31', sys.stderr)} {output.plain(line)}")
    if not found.errors and not args.json:
        held = f"; pipelines: {', '.join(found.pipelines)}" if found.pipelines else ""
        output.show(f"stack {profile.name!r} is ok{held}")
    return 2 if found.errors else 0


def _diff(args: argparse.Namespace) -> int:
    from stackyard.cli import stack_views
    from stackyard.profile import load_profile
    from stackyard.project import find_project

    project = find_project()
    first, second = (load_profile(project, name) for name in (args.first, args.second))
    rows = stack_views.difference(first, second)
    if args.json:
        output.json_document({"first": first.name, "second": second.name, "differences": rows})
        return 0
    if not rows:
        output.show(f"{first.name} and {second.name} say the same")
        return 0
    shown = [(r["path"], stack_views.side(r["first"]), stack_views.side(r["second"])) for r in rows]
    output.table(shown, ("key", first.name, second.name), cut=(first.name, second.name))
    return 0


def _use(args: argparse.Namespace) -> int:
    import os

    from stackyard.choice import use
    from stackyard.profile import load_profile
    from stackyard.project import find_project

    project = find_project()
    profile = load_profile(project, args.name)
    use(project, profile.name)
    output.show(f"stack {profile.name!r} is used in this project from now on")
    ruling = os.environ.get("STACKYARD_STACK")
    if ruling and ruling != profile.name:
        output.warn(f"STACKYARD_STACK={ruling} is set and rules over it")
    return 0


def _schema(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from stackyard import plugins
    from stackyard.errors import UsageError
    from stackyard.stack_schema import stack_schema
    from stackyard.whole_file import write_whole

    text = json.dumps(stack_schema(plugins.load_here()), indent=2) + "\n"
    if args.out is None:
        if args.check:
            raise UsageError("stack schema --check: name the file to check with --out FILE")
        output.show(text.rstrip())
        return 0
    path = Path(args.out)
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    if before == text:
        output.say(f"{path} is up to date")
        return 0
    if args.check:
        output.say(f"{path} is not up to date. Write it: stackyard stack schema --out {path}")
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    output.say(f"wrote {path}")
    return 0
