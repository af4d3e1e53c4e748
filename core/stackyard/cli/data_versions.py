"""Which versions a ``stackyard data`` command means, and the components that have them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackyard.cli.arguments import open_component
from stackyard.errors import NotFound, UsageError, suggest

if TYPE_CHECKING:
    from stackyard.components.data_versioner import DataVersioner
    from stackyard.project import Project
    from stackyard.stack import Stack

KIND = "data_versioner"
VERSION = "NAME[@ID]"


@dataclass(frozen=True)
class Wanted:
    """A version that was asked for, and the component that has it."""

    name: str
    id: str
    component: str


def opened(stack: Stack, component: str | None) -> closing[DataVersioner]:
    """The component, closed at the end of a ``with``."""
    return open_component(stack, KIND, component)


def has(stack: Stack, component: str) -> bool:
    """Whether the stack has a component, which a run of before may have had alone."""
    return stack.has(KIND, component.partition(".")[2] or None)


def find(
    project: Project, stack: Stack, args: argparse.Namespace
) -> tuple[list[Wanted], Stack, str | None]:
    """The versions that the command names, the stack that has them, and the run, if it names one.

    Raises:
        UsageError: it names neither or both, or the run had no data.
    """
    if (args.dataset is None) == (args.run_id is None):
        which = "name either" if args.run_id is None else "not both of"
        raise UsageError(
            f"stackyard data {args.action}: {which} a version, {VERSION}, or --run RUN"
        )
    if args.run_id is None:
        name, _, given = args.dataset.partition("@")
        component = args.component or KIND
        with opened(stack, component) as versioner:
            return [Wanted(name, whole_id(versioner, name, given), component)], stack, None
    from stackyard.evidence import evidence
    from stackyard.stack import open_stack

    records = stack.store().records
    run_id = records.find(args.run_id)
    found = evidence(records.latest(run_id).values())
    rows = [Wanted(e.name, e.value, e.component) for e in found if e.kind == "data"]
    rows = [row for row in dict.fromkeys(rows) if args.component in (None, row.component)]
    if not rows:
        of = f" of {args.component}" if args.component else ""
        raise UsageError(
            f"run {run_id} had no data{of}: none of its steps committed or checked out a version"
        )
    return rows, stack if args.stack else open_stack(project, records.run(run_id).stack), run_id


def whole_id(versioner: DataVersioner, name: str, given: str) -> str:
    """The whole id of the version that ``given`` begins, or of the newest one.

    An id that is not known here is returned as it is: it may be in the remote.

    Raises:
        NotFound: no version of ``name`` is known here, and ``given`` is empty.
        UsageError: several ids begin so.
    """
    known = versioner.list(name)
    if not given and not known:
        datasets = sorted({version.name for version in versioner.list()})
        raise NotFound(
            f"no version of {name!r} is known here. Datasets: {', '.join(datasets) or 'none'}."
            f"{suggest(name, datasets)} One that is in a remote only needs its id: {name}@ID"
        )
    found = [version.id for version in known if version.id.startswith(given)]
    if given in found or not found:
        return given
    if given and len(found) > 1:
        raise UsageError(
            f"{name}@{given} is not unique: {', '.join(found[:5])}. Type more of the id"
        )
    return found[0]


def once(stack: Stack, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Each version from one component: one that has it here, else one with a remote.

    Where several do, from the unnamed one. One that the stack has no more comes last.
    """
    found: dict[tuple[str, str], list[Wanted]] = {}
    for one in sorted(wanted, key=lambda w: w.component != KIND):
        found.setdefault((one.name, one.id), []).append(one)
    return [min(same, key=lambda one: _distance(stack, one)) for same in found.values()]


def places(wanted: Sequence[Wanted], suffixes: Sequence[str]) -> list[str]:
    """What each version goes by in a folder: its dataset's name, with the ending of a single file.

    The id comes between where a dataset is there twice, or the ending makes two the same.
    """
    files = list(zip(wanted, suffixes, strict=True))
    found = [one.name + ("" if one.name.endswith(suffix) else suffix) for one, suffix in files]
    names, taken = Counter(one.name for one in wanted), Counter(found)
    return [
        f"{one.name}@{one.id[:8]}{suffix}" if names[one.name] > 1 or taken[place] > 1 else place
        for (one, suffix), place in zip(files, found, strict=True)
    ]


def _distance(stack: Stack, one: Wanted) -> int:
    if not has(stack, one.component):
        return 3
    with opened(stack, one.component) as versioner:
        if any(version.id == one.id for version in versioner.list(one.name)):
            return 0
        return 1 if "remote" in versioner.capabilities else 2
