"""Writes docs/reference/command-line.md from the command line's own parsers.

python docs/command_line.py          writes it
python docs/command_line.py --check  exits 1 if the file is not up to date
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from stackyard.cli.main import COMMANDS, build_parser

FILE = Path(__file__).parent / "reference" / "command-line.md"
TOP = """\
# The command line

<!-- Written by docs/command_line.py; change the commands, not this file. -->

`PIPELINE` is a name found in `dags/` (or another folder of code), or `path.py[:name]`. `RUN` is a
run's id, a unique beginning of one, or `latest`. A stack is chosen by `--stack`, else
`STACKYARD_STACK`, else what `stackyard stack use` chose, else it is `local`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the run failed or was cancelled with Ctrl-C; a check found something |
| 2 | the request or the configuration is wrong, or the store cannot be used; nothing was run |

What a command answers goes to standard output; progress, notes, warnings and errors go to standard
error. With `--json` standard output carries exactly one JSON document, also where the command
fails: then it is `{"error": "..."}`. A terminal sees live progress and colour, with `NO_COLOR=1`
without colour; a pipe, or `TERM=dumb`, gets plain lines. In a narrow terminal tables leave out and
shorten columns, in a pipe never. `-v` shows the whole traceback of an error.

A step of a run is `succeeded`, `cached`, `failed`, `interrupted` (it had begun when the run was
cancelled or killed), `skipped` (it never began), or while the run goes on `waiting`.
"""


def document() -> str:
    """The page."""
    parser = build_parser("*")
    commands = _subcommands(parser)
    parts = [TOP, "\n| command | |\n|---|---|\n"]
    for name, line in COMMANDS.items():
        parts.append(f"| [`stackyard {name}`](#stackyard-{name}) | {line} |\n")
    for name in COMMANDS:
        parts.extend(_command(commands[name], 2))
    return "".join(parts)


def _command(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {parser.prog}\n"
    if parser.description:
        yield f"\n{parser.description}\n"
    below = _subcommands(parser)
    if not below:
        yield f"\n{_usage(parser)}\n"
    rows = [_row(action) for action in _shown(parser)] if not below else []
    if rows:
        yield "\n| argument | |\n|---|---|\n"
        yield from rows
    for sub in below.values():
        yield from _command(sub, level + 1)


def _usage(parser: argparse.ArgumentParser) -> str:
    words = [parser.prog]
    for action in _shown(parser):
        word = _spelling(action)
        if action.option_strings:
            again = f"[{word}]..." if isinstance(action, argparse._AppendAction) else ""
            needed = word if action.required else ""
            word = " ".join(filter(None, (needed, again))) or f"[{word}]"
        elif action.nargs == "?":
            word = f"[{word}]"
        words.append(word)
    line = " ".join(word.replace(" ", "\0") for word in words)  # no break within an option
    indent = " " * 4
    return textwrap.fill(
        line, 126, initial_indent=indent, subsequent_indent=2 * indent, break_on_hyphens=False
    ).replace("\0", " ")


def _row(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default}
    text = text.replace("|", "\\|")
    return f"| `{_spelling(action)}` | {text} |\n"


def _spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest)
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"{action.option_strings[-1]}{value}"


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Arguments without what every command has; positional ones first."""
    found = [a for a in parser._actions if a.dest not in ("help", "verbose")]
    found = [a for a in found if a.help is not argparse.SUPPRESS]
    return sorted(found, key=lambda a: bool(a.option_strings))


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def main(argv: list[str]) -> int:
    """Write or check the file."""
    text = document()
    before = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    if "--check" in argv:
        if before != text:
            print(f"{FILE} is not up to date. Write it: python docs/command_line.py")
        return int(before != text)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
