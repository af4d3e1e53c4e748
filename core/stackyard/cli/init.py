"""``stackyard init``: a working project in a folder."""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path

from stackyard.choice import LEAST
from stackyard.cli import output
from stackyard.cli.new_files import write_new

# Where a file of the template goes, if not to its own name.
RENAMED = {"gitignore": ".gitignore"}
NAMED = ("README.md", "pyproject.toml")  # these speak of the project by its name


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "dir", nargs="?", default=".", metavar="DIR", help="the folder (default: this one)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the project; refuse to overwrite anything."""
    folder = Path(args.dir)
    files = make_project(folder)
    for name in files:
        output.show(str(folder / name))
    output.say()
    output.say("Next:")
    if folder.resolve() != Path.cwd():
        import shlex

        output.say(f"  cd {shlex.quote(str(folder))}")
    if not all(importlib.util.find_spec(name) for name in ("pandas", "sklearn", "skops")):
        output.say("  uv pip install pandas pyarrow scikit-learn skops")
    output.say("  stackyard run iris      # and once more: everything is cached")
    output.say("  python -m pytest")
    return 0


def make_project(folder: Path) -> list[str]:
    """Write the template into ``folder``; return the names of the files.

    Raises:
        UsageError: a file of the template exists there; nothing was written.
    """
    template = Path(__file__).parents[1] / "templates" / "project"
    texts = {}
    for source in sorted(p for p in template.rglob("*") if p.is_file()):
        name = source.relative_to(template).as_posix()
        if "__pycache__" not in name:
            text = source.read_text(encoding="utf-8")
            if name in NAMED:
                text = text.replace("PROJECT_NAME", project_name(folder))
            texts[RENAMED.get(name, name)] = text
    own = f". A project of your own needs no init but {LEAST}, and pipelines in dags/"
    write_new(folder, texts, "stackyard init DIR", own)
    return list(texts)


def project_name(folder: Path) -> str:
    """A distribution's name made from the folder's: ``My project`` gives ``my-project``."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return name or "project"
