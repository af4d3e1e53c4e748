"""``stackyard artifact``: look at what a step made, and fetch it."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.cli.arguments import add_json, add_stack, open_project_stack
from stackyard.errors import ArtifactNotFound, UsageError, suggest

if TYPE_CHECKING:
    from stackyard.store.records import ArtifactRef
    from stackyard.store.store import Store

_DIGEST = re.compile(r"[0-9a-f]{6,64}")
LOOKED_AT = 50  # newest runs in which the maker of a digest is looked for
PREVIEW = 12  # lines
REFERENCE = "RUN:STEP[.OUTPUT], or a digest or the first characters of one"


@dataclass(frozen=True)
class Found:
    """An artifact that was asked for; ``ref`` is None for a digest that no recent run mentions."""

    digest: str
    size: int
    ref: ArtifactRef | None = None
    run_id: str = ""
    step: str = ""
    output: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def add(name: str, line: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")

    one = add("show", "what an artifact is, and a glimpse of it")
    one.add_argument("artifact", metavar="ARTIFACT", help=REFERENCE)
    add_stack(one)
    add_json(one)
    get = add("get", "write an artifact to a file or folder; nothing is overwritten")
    get.add_argument("artifact", metavar="ARTIFACT", help=REFERENCE)
    get.add_argument(
        "path",
        metavar="PATH",
        help="where to write; the ending chooses the form: .csv, .parquet or .arrow of a table, "
        ".json of a plain value; without one, the artifact's own; in a folder that there is, the "
        "file is called after the step",
    )
    add_stack(get)
    add_json(get)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    _, stack = open_project_stack(args.stack)
    store = stack.store()
    found = find(store, args.artifact)
    return _show(store, found, args) if args.action == "show" else _get(store, found, args)


def find(store: Store, reference: str) -> Found:
    """Return the artifact that a person means.

    Raises:
        UsageError: the reference is malformed, not unique, or names nothing.
        ArtifactNotFound: the artifact was deleted.
    """
    if ":" in reference:
        return _of_step(store, reference)
    if _DIGEST.fullmatch(reference) is None:
        raise UsageError(f"artifact {reference!r}: name it as {REFERENCE} (at least 6)")
    keys = store.backend.list(f"artifacts/{reference[:2]}/{reference}")
    if len(keys) > 1:
        shown = ", ".join(key.rpartition("/")[2][:16] for key in keys[:5])
        raise UsageError(f"artifact {reference!r} is not unique: {shown}. Type more of its digest")
    if not keys:
        raise UsageError(
            f"artifact {reference!r}: store {store.url} has none whose digest begins so. "
            "See what a run made: stackyard runs show latest"
        )
    digest = keys[0].rpartition("/")[2]
    size = store.backend.size(keys[0])
    for run in store.records.runs(limit=LOOKED_AT):
        for attempt in store.records.latest(run.run_id).values():
            for name, ref in attempt.outputs.items():
                if ref.digest == digest and attempt.reused is None:
                    return Found(digest, size, ref, run.run_id, attempt.step, name)
    return Found(digest, size)


def _of_step(store: Store, reference: str) -> Found:
    from stackyard.store.backend import artifact_key

    run_part, _, rest = reference.partition(":")
    step, _, name = rest.partition(".")
    run_id = store.records.find(run_part)
    attempts = store.records.latest(run_id)
    attempt = attempts.get(step)
    if attempt is None:
        raise UsageError(
            f"artifact {reference!r}: run {run_id} has no result of a step {step!r}. "
            f"Steps: {', '.join(attempts) or 'none'}.{suggest(step, list(attempts))}"
        )
    if attempt.status == "failed":
        raise UsageError(
            f"artifact {reference!r}: step {step!r} failed in run {run_id}, so there is nothing of "
            f"it. See why: stackyard runs show {run_id}"
        )
    outputs = attempt.outputs
    if not name and len(outputs) == 1:
        name = next(iter(outputs))
    if name not in outputs:
        known = ", ".join(f"{step}.{o}" for o in outputs) or "none"
        raise UsageError(
            f"artifact {reference!r}: name one of the step's outputs. Outputs: {known}."
            f"{suggest(name, list(outputs))}"
        )
    ref = outputs[name]
    key = artifact_key(ref.digest)
    if not store.backend.exists(key):
        raise ArtifactNotFound(
            f"artifact {reference!r}: {ref.digest[:16]} is not in store {store.url} any more. "
            f"Make it again: stackyard run {store.records.run(run_id).pipeline}"
        )
    return Found(ref.digest, store.backend.size(key), ref, run_id, step, name)


def _show(store: Store, found: Found, args: argparse.Namespace) -> int:
    facts: dict[str, Any] = {"digest": found.digest, "size": found.size}
    if found.ref is not None:
        facts |= {"type": found.ref.type, "format": found.ref.format}
        facts |= {"run_id": found.run_id, "step": found.step, "output": found.output}
    facts["path"] = str(store.artifacts.fetch(found.digest))
    shape = None
    if found.ref is not None and found.ref.format == "frame":
        from stackyard.store.formats.frame import outline

        shape = outline(store.artifacts.path(found.digest))
        facts["rows"] = shape.rows
        for part, columns in (("columns", shape.columns), ("index", shape.index)):
            facts[part] = [{"name": name, "type": dtype} for name, dtype in columns]
    if args.json:
        output.json_document(facts)
        return 0
    facts["size"] = output.size(found.size)
    if shape is not None:
        del facts["index"]
        facts["columns"] = len(shape.columns)
    output.table(list(facts.items()), ("artifact", ""), cut=())
    if shape is not None:
        output.show()
        rows = [(f"{name} (index)".strip(), dtype) for name, dtype in shape.index]
        output.table([*rows, *shape.columns], ("column", "type"))
    for line in _preview(store, found):
        output.show(line)
    return 0


def _preview(store: Store, found: Found) -> list[str]:
    """The first lines of the value; nothing for one whose reading would run code."""
    if found.ref is None or store.artifacts.formats.named(found.ref.format).runs_code:
        return []
    lines = repr(store.artifacts.load(found.ref)).splitlines()
    more = [f"... {len(lines) - PREVIEW} more lines"] if len(lines) > PREVIEW else []
    return ["", *(output.plain(line[:200]) for line in lines[:PREVIEW]), *more]


def _get(store: Store, found: Found, args: argparse.Namespace) -> int:
    from stackyard.cli import artifact_file

    how = artifact_file.forms(store, found)
    target = artifact_file.named(Path(args.path), how, args.artifact, found)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already; nothing was written. Name another path")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target.absolute().parent} is no folder. Make it first")
    written = artifact_file.write(store, found, target, how)
    if args.json:
        document = {"digest": found.digest, "path": str(target), "written_as": written}
        output.json_document(document | ({"artifact": asdict(found.ref)} if found.ref else {}))
    else:
        output.show(f"{target}  {written}")
    return 0
