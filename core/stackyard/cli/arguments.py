"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from stackyard.errors import ParameterError, UsageError

if TYPE_CHECKING:
    from stackyard.components.base import History
    from stackyard.project import Project
    from stackyard.stack import Stack


class Once(argparse.Action):
    """Stores an option's value, and refuses a second one instead of silently taking the last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store it."""
        before = getattr(namespace, self.dest, None)
        if before is not None:
            raise argparse.ArgumentError(self, f"given twice, {before!r} and {values!r}")
        setattr(namespace, self.dest, values)


def add_stack(parser: argparse.ArgumentParser, what: str = "the stack") -> None:
    """Add ``--stack``; ``what`` says what it is for."""
    parser.add_argument(
        "--stack",
        action=Once,
        metavar="S",
        help=f"{what} (default: STACKYARD_STACK, else what 'stack use' chose, else local)",
    )


def add_component(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add ``--component``, for a command about components of one kind."""
    parser.add_argument(
        "--component",
        action=Once,
        metavar="C",
        help=f"a named {kind.replace('_', ' ')} of the stack, {kind}.NAME (default: {kind})",
    )


def open_component(
    stack: Stack, kind: str, option: str | None, *, history: History | None = None
) -> closing[Any]:
    """The component that ``--component`` names, closed at the end of a ``with``.

    Raises:
        UsageError: it is of another kind.
    """
    found, _, instance = (option or kind).partition(".")
    if found != kind:
        what = kind.replace("_", " ")
        raise UsageError(f"--component {option}: is no {what}. Write {kind}.NAME")
    return closing(stack.component(kind, instance or None, history=history))


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_run(
    parser: argparse.ArgumentParser,
    name: str = "run_id",
    metavar: str = "RUN",
    latest: str = "'latest'",
) -> None:
    """Add the positional argument that names a run."""
    parser.add_argument(
        name, metavar=metavar, help=f"a run's id, a unique beginning of one, or {latest}"
    )


def whole_number(text: str, least: int = 0) -> int:
    """A count given as an option."""
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} or more")
    return int(text)


def positive_number(text: str) -> int:
    """A count given as an option, of at least one."""
    return whole_number(text, 1)


def age(text: str) -> float:
    """A duration given as an option, in seconds; whoever types ``30`` may mean days."""
    from stackyard.options import seconds

    try:
        length = seconds(text)
    except ValueError:
        length = None
    if length is None or (length and text.strip()[-1].isdigit()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration with its unit. Write e.g. 30d, 12h, 20m or 90s"
        )
    return length


def open_project_stack(option: str | None) -> tuple[Project, Stack]:
    """The project around the current folder, and the stack that ``--stack`` or a default names."""
    from stackyard.choice import chosen
    from stackyard.project import find_project
    from stackyard.stack import open_stack

    project = find_project()
    return project, open_stack(project, chosen(project, option))


def given_params(words: Sequence[str]) -> dict[str, str]:
    """The parameters of ``--param name=value``, as text.

    Raises:
        ParameterError: a word has no ``=``, or a name is given twice.
    """
    given: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ParameterError(f"--param {word!r}: write it as NAME=VALUE")
        if name in given:
            raise ParameterError(f"--param {name}: given twice, {given[name]!r} and {value!r}")
        given[name] = value
    return given
