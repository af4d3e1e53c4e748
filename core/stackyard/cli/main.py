"""The command ``stackyard``: finds the command's module, runs it, turns errors into exit codes.

Exit codes: 0 done, 1 the run failed or was cancelled with Ctrl-C, 2 the request or the
configuration is wrong. A reader that closes the pipe early gives 141, as for any Unix tool.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from stackyard.errors import StackyardError, UsageError, suggest

# What the operating system says when the user's disk or permissions are in the way, not our code.
_USERS_DISK = {errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, getattr(errno, "EDQUOT", -1)}


# Command to its one line of help. Module ``stackyard.cli.<command>`` has ``configure(parser)`` and
# ``run(args) -> int``; it is imported when its command is given.
COMMANDS = {
    "init": "make a working project: stack, pipeline, test",
    "demo": "the whole job on real flight data, with the embedded tools",
    "run": "run a pipeline on a stack",
    "compile": "write a pipeline's DAG file for a stack's orchestrator",
    "publish": "bring a run's records to the stack's tracker",
    "stack": "list, show, check, compare and choose stacks; start local services",
    "plugin": "list and show plugins, begin one of your own",
    "runs": "list, show, compare, verify and clean up runs",
    "artifact": "look at and fetch what a run made",
    "validate": "propose suites for review, check a table against one",
    "monitor": "what a run found about drift",
    "data": "list, compare, check out, push and pull versions of data",
    "model": "list versions, promote one, and the history of aliases",
    "serve": "deploy models, ask them, share traffic, promote and roll back",
    "doctor": "what is installed, reachable, misconfigured, and the fix",
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with a suggestion, raised as ``UsageError``."""

    def __init__(self, *args: object, **options: object) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.add_argument(
            "-v", "--verbose", action="store_true", default=argparse.SUPPRESS,
            help="show the whole traceback of an error",
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Raise the error instead of printing the usage and leaving."""
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL)
        if wrong:
            choices = [word.strip().strip("'") for word in wrong[2].split(",")]
            message = (
                f"unknown {'command' if 'COMMAND' in message else 'value'} {wrong[1]!r}. "
                f"Known: {', '.join(choices)}.{suggest(wrong[1], choices)}"
            )
        stop = "" if message.endswith((".", "?")) else "."
        raise UsageError(f"{self.prog}: {message}{stop} See: {self.prog} --help")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line, in which only ``command`` knows its options.

    ``"*"`` configures every command, which imports every command module.
    """
    parser = Parser(
        prog="stackyard",
        description="Write an ML pipeline once; a stack per environment chooses the tools.",
        epilog="Help on a command: stackyard COMMAND --help",
    )
    parser.add_argument(  # its own name: a command may have a --version of something else
        "--version", dest="own_version", action="store_true", help="print the version and leave"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, line in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if command in (name, "*"):
            import importlib

            module = importlib.import_module(f"stackyard.cli.{name}")
            module.configure(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's own) and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    _heed_termination()
    try:
        code = _with_documents(given) if "--json" in given else _told(given)
        sys.stdout.flush()  # a closed pipe must show here, where it is handled
        return code
    except BrokenPipeError:
        # The interpreter flushes standard output once more at exit; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def process() -> NoReturn:
    """Run this process's own command line and leave; a second Ctrl-C changes nothing any more."""
    import signal

    try:
        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:  # while the first one was being told
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = 1
    # An interrupt inside of exec'd text, as also dataclasses are made of, leaves a mark in CPython
    # that turns the exit code of `python -m` into "killed by SIGINT", caught or not. The next
    # exec'd text clears it.
    exec("")
    sys.exit(code)


def _heed_termination() -> None:
    """Let SIGTERM stop a command as cleanly as Ctrl-C does, unless it is ignored."""
    import signal
    import threading

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt(f"signal {signal.Signals(number).name}")

    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop)


def _with_documents(given: list[str]) -> int:
    from stackyard.cli.output import Documents

    with Documents():
        return _told(given)


def _told(given: list[str]) -> int:
    """Run the command; tell the errors that are not bugs."""
    try:
        return _main(given)
    except KeyboardInterrupt:
        return _fail(given, "cancelled", 1)
    except StackyardError as exc:
        return _fail(given, f"error: {exc}", exc.exit_code)
    except OSError as exc:
        if exc.errno not in _USERS_DISK:
            raise
        place = f"{exc.filename}: " if exc.filename else ""
        return _fail(given, f"error: {place}{exc.strerror}", 2)


def _main(given: list[str]) -> int:
    command = next((word for word in given if not word.startswith("-")), None)
    parser = build_parser(command)
    args, unknown = parser.parse_known_args(given)
    if unknown:
        words = ["stackyard", args.command, getattr(args, "action", None)]
        name = " ".join(word for word in words if word)
        raise UsageError(f"{name}: unrecognized arguments: {' '.join(unknown)}. See: {name} --help")
    if args.own_version:
        from importlib.metadata import version

        print(f"stackyard {version('stackyard')}")
        return 0
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    code: int = args.run(args)
    return code


def _fail(given: list[str], line: str, code: int) -> int:
    """Tell the error that is being handled; with ``--json`` also as the one document."""
    if "-v" in given or "--verbose" in given:
        import traceback

        traceback.print_exc()
    base = sys.modules.get("stackyard.components.base")  # no secret was revealed without it
    if base is not None:
        line = base.redact(line)
    if not line.isprintable():
        from stackyard.display import plain_lines

        line = plain_lines(line)
    print(line, file=sys.stderr)
    if "--json" in given:
        from stackyard.cli import output

        output.json_error(line.removeprefix("error: "))
    return code


if __name__ == "__main__":
    process()
