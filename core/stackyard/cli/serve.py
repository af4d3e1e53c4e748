"""``stackyard serve``: models of the registry behind endpoints of the stack's server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.cli.arguments import Once, add_json, add_stack, open_project_stack
from stackyard.errors import UsageError
from stackyard.whole_file import write_whole

if TYPE_CHECKING:
    from stackyard.components.registry import ModelPackage
    from stackyard.components.server import Endpoint, Server
    from stackyard.stack import Stack

KIND = "server"
SHOWN = 20  # rows of an answer in the table


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
    for sub in commands.choices.values():
        sub.add_argument(
            "--component", action=Once, metavar="C",
            help=f"a named server of the stack, {KIND}.NAME (default: {KIND})",
        )  # fmt: skip
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
    kind, _, instance = (args.component or KIND).partition(".")
    if kind != KIND:
        raise UsageError(f"--component {args.component}: is no server. Write {KIND}.NAME")
    with closing(stack.component(KIND, instance or None)) as server:
        if args.action == "status":
            return _status(server, args)
        if args.action == "predict":
            return _predict(server, args)
        if args.action == "undeploy":
            return _undeploy(server, args)
        if args.action == "render":
            return _render(stack, server, args)
        made = _deploy(stack, server, args) if args.action == "deploy" else _changed(server, args)
    return _told([made], args)


def _deploy(stack: Stack, server: Server, args: argparse.Namespace) -> Endpoint:
    package, name, version = _fetched(stack, args)
    output.say(f"deploying {args.model} {version} to {name}")
    return server.deploy(package, name, version)


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
    if args.action == "traffic":
        return server.set_traffic(args.endpoint, _shares(args.shares))
    if args.action == "promote":
        return server.promote(args.endpoint, args.version)
    if args.action == "rollback":
        return server.rollback(args.endpoint)
    return server.set_shadow(args.endpoint, None if args.off else args.version)


def _status(server: Server, args: argparse.Namespace) -> int:
    found = [server.status(args.endpoint)] if args.endpoint else list(server.list())
    if not found and not args.json:
        output.say("nothing is served; serve a model: stackyard serve deploy MODEL")
        return 0
    return _told(found, args)


def _predict(server: Server, args: argparse.Namespace) -> int:
    from stackyard.inference import decode_response

    answer = server.predict(args.endpoint, _request(args.rows), version=args.version)
    if args.json:
        output.json_document(answer)
        return 0
    frame = decode_response(answer)
    rows = [tuple(row) for row in frame.head(SHOWN).itertuples(index=False)]
    output.table(rows, [str(name) for name in frame])
    more = f", the first {SHOWN} are shown" if len(frame) > SHOWN else ""
    output.say(
        f"{len(frame)} rows{more}; version {answer['model_version']}, request {answer['id']}"
    )
    return 0


def _undeploy(server: Server, args: argparse.Namespace) -> int:
    known = args.endpoint in {endpoint.name for endpoint in server.list()}
    server.undeploy(args.endpoint)
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


def _request(path: str) -> Any:
    """What to send, from a file or standard input.

    Raises:
        UsageError: it cannot be read.
    """
    from stackyard.inference import encode_request

    if path == "-":
        return _json(sys.stdin.read(), "standard input")
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"{path}: there is no such file")
    if file.suffix == ".json":
        return _json(file.read_text(encoding="utf-8"), path)
    if file.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{path}: is no .csv, .parquet or .json")
    import pandas as pd

    read = pd.read_csv if file.suffix == ".csv" else pd.read_parquet
    try:
        frame = read(file)
    except (ValueError, OSError) as exc:
        raise UsageError(f"{path}: cannot be read: {exc}") from exc
    return encode_request(frame)


def _json(text: str, where: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as exc:
        raise UsageError(f"{where}: is no JSON: {exc}") from exc
