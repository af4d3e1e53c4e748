"""``stackyard plugin new``: a distribution that works, to be filled in."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from stackyard.cli import output
from stackyard.cli.arguments import Once
from stackyard.cli.new_files import write_new


def configure(actions: Any) -> None:
    """Add the command."""
    about = "write a plugin for a tool of your own: it installs, and keeps the contract"
    parser = actions.add_parser("new", help=about, description=f"{about.capitalize()}.")
    parser.add_argument("name", metavar="NAME", help="the distribution's name, e.g. acme-tracker")
    parser.add_argument(
        "--kind",
        action="append",
        metavar="K",
        required=True,
        help="what it adds: a kind of component (orchestrator, tracker, registry, data-versioner, "
        "feature-store, validator, monitor, server), format, secret-provider or resource; may be "
        "given several times",
    )
    parser.add_argument(
        "--dir", action=Once, metavar="DIR", help="the folder (default: one of its name here)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the files; refuse to overwrite anything."""
    from stackyard import plugins
    from stackyard.scaffold import check_free, known_point, names_of, plugin_files

    points = list(dict.fromkeys(known_point(kind) for kind in args.kind))
    names = names_of(args.name, points)
    check_free(names.flavor, points, plugins.load_here())
    folder = Path(args.dir or names.distribution)
    files = plugin_files(names, points)
    write_new(folder, files, f"stackyard plugin new {names.distribution} ... --dir DIR")
    for name in files:
        output.show(str(folder / name))
    output.say()
    output.say("Next:")
    output.say(f"  cd {shlex.quote(str(folder))}")
    output.say('  uv pip install -e ".[test]"')
    output.say("  python -m pytest")
    output.say("  stackyard plugin list")
    return 0
