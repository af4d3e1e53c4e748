"""``stackyard model``: the versions of the stack's registry, which is in use, and since when."""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.cli.arguments import (
    Once,
    add_component,
    add_json,
    add_stack,
    open_component,
    open_project_stack,
)
from stackyard.cli.history import Cell, show_history
from stackyard.store.history import StoreHistory

if TYPE_CHECKING:
    from stackyard.stack import Stack

KIND = "registry"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, line: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")

    one = add("list", "models and their versions, newest first, with their aliases")
    one.add_argument("name", nargs="?", metavar="NAME", help="only of this model")
    one = add("history", "every change of an alias: when, who, from, to, why")
    one.add_argument("name", metavar="NAME", help="the model")
    one = add("promote", "point an alias at a version, or ask for it")
    one.add_argument("name", metavar="NAME", help="the model")
    one.add_argument("number", metavar="VERSION", help="the version")
    one.add_argument("--alias", action=Once, default=None, metavar="A", help="(default: champion)")
    one.add_argument(
        "--why",
        action=Once,
        required=True,
        metavar="TEXT",
        help="on what evidence, for the history",
    )
    for sub in commands.choices.values():
        add_component(sub, KIND)
        add_stack(sub)
        add_json(sub)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    _, stack = open_project_stack(args.stack)
    return {"list": _list, "history": _history, "promote": _promote}[args.action](stack, args)


def _list(stack: Stack, args: argparse.Namespace) -> int:
    with _opened(stack, args.component) as registry:
        found = registry.list(args.name)
    if args.json:
        output.json_document({"versions": [asdict(version) for version in found]})
    elif found:
        rows = [
            (v.name, v.version, ", ".join(v.aliases), v.run or "", v.package.digest[:12])
            for v in found
        ]
        output.table(rows, ("model", "version", "aliases", "run", "digest"))
    else:
        output.say(
            f"there is no model {args.name!r}" if args.name else "no model is registered here yet"
        )
    return 0


def _history(stack: Stack, args: argparse.Namespace) -> int:
    none = f"no alias of a model {args.name!r} was changed here. Models"
    columns: dict[str, Cell] = {
        "alias": lambda change: change["alias"],
        "from": lambda change: change["before"] or "-",
        "to": lambda change: change["after"] or "-",
    }
    history = _of_store(stack, args.component)
    return show_history(history, args.name, columns, none=none, json=args.json)


def _promote(stack: Stack, args: argparse.Namespace) -> int:
    alias = args.alias or "champion"
    with _opened(stack, args.component) as registry:
        if "request" in registry.capabilities:
            asked = registry.request_alias(args.name, alias, args.number, why=args.why)
            status, said = (
                asked.status,
                f"request {asked.id}: {asked.status} {asked.reason}".strip(),
            )
        else:
            before = registry.pointed(args.name, alias)
            registry.set_alias(args.name, alias, args.number, why=args.why)
            status = "granted"
            said = f"{alias} of {args.name}: {before or 'none'} -> {args.number}"
    if args.json:
        output.json_document({"name": args.name, "alias": alias, "status": status})
    else:
        output.show(said)
    return 1 if status == "refused" else 0


def _opened(stack: Stack, component: str | None) -> closing[Any]:
    """The registry, whose changes go into the history of the stack's store."""
    return open_component(stack, KIND, component, history=_of_store(stack, component))


def _of_store(stack: Stack, component: str | None) -> StoreHistory:
    return StoreHistory(stack.store().backend, component or KIND)
