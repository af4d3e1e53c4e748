"""``stackyard doctor``: what is installed, reachable, misconfigured, and the fix."""

from __future__ import annotations

import argparse
import sys

from stackyard.cli import output
from stackyard.cli.arguments import add_json, add_stack, age

MARKS = {True: ("✓", "32"), False: ("✗", "31"), None: ("·", "33")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    from stackyard.diagnosis import DEADLINE

    add_stack(parser)
    parser.add_argument(
        "--deadline",
        type=age,
        default=DEADLINE,
        metavar="TIME",
        help="how long each component may take to answer (default: %(default)gs)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Examine everything; 1 where something is wrong."""
    from stackyard.diagnosis import examine
    from stackyard.project import find_project

    found, section = [], ""
    for line in examine(find_project, args.stack, args.deadline):
        found.append(line)
        if args.json:
            continue
        if line.section != section:
            section = line.section
            output.show(output.paint(section, "1", sys.stdout))
        mark, colour = MARKS[line.ok]
        output.show(f"  {output.paint(mark, colour, sys.stdout)} {_lines(line.what)}")
        if line.cure:
            output.show(f"      fix: {_lines(line.cure)}")
    wrong = sum(line.ok is False for line in found)
    if args.json:
        output.json_document({"ok": not wrong, "findings": found})
    elif wrong:
        output.say(f"\n{wrong} {'thing is' if wrong == 1 else 'things are'} wrong")
    else:
        output.say("\nall is well")
    return 1 if wrong else 0


def _lines(text: str) -> str:
    return "\n      ".join(output.plain(line) for line in text.splitlines())
