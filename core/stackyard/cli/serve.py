"""``stackyard serve``: models of the registry behind endpoints of the stack's server."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
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
from stackyard.cli.history import show_history
from stackyard.cli.predict import predict
from stackyard.errors import NotFound, UsageError
from stackyard.rollout_history import remember
from stackyard.store.history import StoreHistory
from stackyard.whole_file import write_whole

if TYPE_CHECKING:
    from stackyard.components.registry import ModelPackage
    from stackyard.components.server import Endpoint, Server
    from stackyard.stack import Stack

KIND = "server"
CHANGES = ("deploy", "traffic", "promote", "rollback", "shadow", "undeploy")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, line: str, *, endpoint: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if endpoint:
            one.add_argument("endpoint", metavar="ENDPOINT", help="the endpoint's name")
        return one

    one = add("deploy", "serve a version of a model; beside the one that is served", endpoint=False)
    _add_model(one)
    one = add("render", "write what deploy would apply, for GitOps", endpoint=False)
    _add_model(one)
    one.add_argument(
        "--out", action=Once, metavar="DIR", help="folder to write to (default: show it)"
    )
    one = add("status", "how endpoints are, and who gets which share", endpoint=False)
    one.add_argument("endpoint", nargs="?", metavar="ENDPOINT", help="only this one")
    one = add("predict", "send rows to an endpoint")
    one.add_argument(
        "rows", metavar="FILE",
        help="rows as .csv or .parquet, or a request of the Open Inference Protocol V2 as .json; "
        "'-' reads such a request from standard input",
    )  # fmt: skip
    one.add_argument(
        "--version", action=Once, metavar="V", help="ask this version, whatever its share is"
    )
    one = add("traffic", "give versions their percent of the requests")
    one.add_argument(
        "shares", nargs="+", metavar="VERSION=PERCENT",
        help="whole percents, 100 in all; a version that is not named gets none",
    )  # fmt: skip
    one = add("promote", "make a version the champion, which gets every request")
    one.add_argument("version", metavar="VERSION", help="a version that is ready")
    add("rollback", "take back what was done last: a share, a shadow, a promotion")
    one = add("shadow", "send a version a copy of every request; nobody sees its answers")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("version", nargs="?", metavar="VERSION", help="a version that is ready")
    which.add_argument("--off", action="store_true", help="end it")
    add("undeploy", "stop an endpoint; its inference log stays")
    add("history", "every change of an endpoint, by runs and by hand: when, what, who, why")
    for name, sub in commands.choices.items():
        if name in CHANGES:
            sub.add_argument(
                "--why", action=Once, metavar="TEXT",
                help="on what evidence, for the history",
            )  # fmt: skip
        add_component(sub, KIND)
        add_stack(sub)
        add_json(sub)


def _add_model(parser: argparse.ArgumentParser) -> None:
    """Which version of which model, and to which endpoint."""
    parser.add_argument("model", metavar="MODEL", help="the model's name in the registry")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--version", action=Once, metavar="V", help="a version (default: the newest)"
    )
    which.add_argument("--alias", action=Once, metavar="A", help="the version with this alias")
    parser.add_argument(
        "--to", action=Once, metavar="ENDPOINT",
        help="the endpoint (default: the model's name, with '-' for what is no letter or digit)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    _, stack = open_project_stack(args.stack)
    if args.action == "history":
        return _history(stack, args)
    history = _of_store(stack, args) if args.action in CHANGES else None
    with open_component(stack, KIND, args.component, history=history) as server:
        if args.action == "status":
            return _status(server, args)
        if args.action == "predict":
            return predict(server, args)
        if args.action == "undeploy":
            return _undeploy(server, args)
        if args.action == "render":
            return _render(stack, server, args)
        made = _deploy(stack, server, args) if args.action == "deploy" else _changed(server, args)
    return _told([made], args)


def _deploy(stack: Stack, server: Server, args: argparse.Namespace) -> Endpoint:
    package, name, version = _fetched(stack, args)
    output.say(f"deploying {args.model} {version} to {name}")
    made = server.deploy(package, name, version)
    remember(server, name, "deployed", version, made.traffic, args.why or "")
    return made


def _render(stack: Stack, server: Server, args: argparse.Namespace) -> int:
    server.require("render")
    files = server.render(*_fetched(stack, args))
    if args.json:
        output.json_document({"files": files})
    elif args.out is None:
        output.show("---\n".join(files.values()).rstrip("\n"))
    else:
        folder = Path(args.out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                write_whole(folder / name, text)
                output.show(f"wrote {folder / name}")
        except OSError as exc:
            raise UsageError(f"--out {args.out}: cannot be written to: {exc.strerror}") from exc
    return 0


def _fetched(stack: Stack, args: argparse.Namespace) -> tuple[ModelPackage, str, str]:
    """The package that was asked for, on this machine, its endpoint and its version."""
    from stackyard.components.server import endpoint_name

    with closing(stack.component("registry", None)) as registry:
        found = registry.get(args.model, args.version, alias=args.alias)
        package = registry.fetch(found)
    return package, args.to or endpoint_name(args.model), found.version


def _changed(server: Server, args: argparse.Namespace) -> Endpoint:
    """``traffic``, ``promote``, ``rollback`` and ``shadow``."""
    name = args.endpoint
    if args.action == "traffic":
        change, made = "traffic", server.set_traffic(name, _shares(args.shares))
    elif args.action == "promote":
        change, made = "live", server.promote(name, args.version)
    elif args.action == "rollback":
        change, made = "rolled back", server.rollback(name)
    elif args.off:
        change, made = "shadow ended", server.set_shadow(name, None)
    else:
        change, made = "shadow", server.set_shadow(name, args.version)
    beside = next((one for one in made.traffic if one != made.champion), made.champion)
    version = made.champion if change == "live" else beside
    remember(server, name, change, version, made.traffic, args.why or "")
    return made


def _of_store(stack: Stack, args: argparse.Namespace) -> StoreHistory:
    return StoreHistory(stack.store().backend, args.component or KIND)


def _history(stack: Stack, args: argparse.Namespace) -> int:
    none = f"nothing was changed at an endpoint {args.endpoint!r} here. Endpoints"
    columns = {"change": _change, "traffic": _shares_of}
    history = _of_store(stack, args)
    return show_history(history, args.endpoint, columns, none=none, json=args.json)


def _change(change: dict[str, Any]) -> str:
    return f"{change['version']} {change['change']}".strip()


def _shares_of(change: dict[str, Any]) -> str:
    """The largest share first."""
    shares = sorted(change["traffic"].items(), key=lambda one: -one[1])
    return ", ".join(f"{version} {share} %" for version, share in shares)


def _status(server: Server, args: argparse.Namespace) -> int:
    found = [server.status(args.endpoint)] if args.endpoint else list(server.list())
    if not found and not args.json:
        output.say("nothing is served; serve a model: stackyard serve deploy MODEL")
        return 0
    return _told(found, args)


def _undeploy(server: Server, args: argparse.Namespace) -> int:
    try:
        known = bool(server.status(args.endpoint))
    except NotFound:
        known = False
    server.undeploy(args.endpoint)
    if known:
        remember(server, args.endpoint, "undeployed", "", {}, args.why or "")
    if args.json:
        output.json_document({"undeployed": [args.endpoint] if known else []})
    else:
        output.show(f"{args.endpoint}: {'stopped' if known else 'was not served'}")
    return 0


def _told(found: Sequence[Endpoint], args: argparse.Namespace) -> int:
    """Show endpoints; 1 if one of them is not ready."""
    ready = all(endpoint.status == "ready" for endpoint in found)
    if args.json:
        output.json_document({"endpoints": found})
        return 0 if ready else 1
    rows = [
        (one.name, version, _role(one, version), f"{share} %", one.status, one.url)
        for one in found
        for version, share in one.traffic.items()
    ]
    output.table(rows, ("endpoint", "version", "", "traffic", "status", "url"), drop=("url",))
    for one in found:
        if one.reason:
            output.say(f"{one.name}: {output.plain(one.reason)}")
    return 0 if ready else 1


def _role(endpoint: Endpoint, version: str) -> str:
    if version == endpoint.champion:
        return "champion"
    if version == endpoint.shadow:
        return "shadow"
    return "previous" if version == endpoint.previous else "challenger"


def _shares(words: Sequence[str]) -> dict[str, int]:
    """The shares of ``VERSION=PERCENT``.

    Raises:
        UsageError: a word is none, or a version is given twice.
    """
    shares: dict[str, int] = {}
    for word in words:
        version, _, percent = word.rpartition("=")
        if not version or not percent.removesuffix("%").isdecimal():
            raise UsageError(f"{word!r}: write VERSION=PERCENT, e.g. 3=90 4=10")
        if version in shares:
            raise UsageError(f"version {version}: given twice")
        shares[version] = int(percent.removesuffix("%"))
    return shares
