"""Which stacks a project has, and which of them is used."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from stackyard.errors import ConfigError
from stackyard.whole_file import write_whole

if TYPE_CHECKING:
    from stackyard.project import Project

STACK_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9_-]{0,99}")
LEAST = "a file stacks/local.yaml with the line 'components: {orchestrator: {flavor: local}}'"


def list_profiles(project: Project) -> list[str]:
    """Names of the project's stacks; files beginning with ``_`` are parents only."""
    found = sorted(project.stacks.glob("*.yaml"))
    return [p.stem for p in found if not p.stem.startswith("_") and STACK_NAME.fullmatch(p.stem)]


def chosen(project: Project, option: str | None = None) -> str:
    """The stack to use: ``--stack``, ``STACKYARD_STACK``, what ``stack use`` wrote, ``local``.

    Raises:
        ConfigError: the name cannot be one of a stack.
    """
    return why_chosen(project, option)[0]


def why_chosen(project: Project, option: str | None = None) -> tuple[str, str]:
    """As ``chosen``, with what it was chosen by."""
    if option:
        return check_stack_name(option, "--stack"), "--stack"
    from_environment = os.environ.get("STACKYARD_STACK")
    if from_environment:
        return check_stack_name(from_environment, "STACKYARD_STACK"), "STACKYARD_STACK"
    file = project.root / ".stackyard" / "stack"
    try:
        used = file.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        used = ""
    if used:
        return check_stack_name(used, ".stackyard/stack"), "stackyard stack use"
    return "local", "default"


def use(project: Project, name: str) -> None:
    """Make ``name`` the stack that is used where nothing else names one."""
    folder = project.root / ".stackyard"
    folder.mkdir(exist_ok=True)
    write_whole(folder / "stack", f"{check_stack_name(name, 'stack use')}\n")


def check_stack_name(name: str, where: str) -> str:
    """Return ``name`` if a stack may be called so.

    Raises:
        ConfigError: it holds anything but ASCII letters, digits, ``_`` and ``-``.
    """
    if not STACK_NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: stack {name!r}: use up to 100 ASCII letters, digits, '_' and '-', "
            "beginning with a letter"
        )
    return name
