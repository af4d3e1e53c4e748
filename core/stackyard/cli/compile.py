"""``stackyard compile``: write the files that a stack's orchestrator runs a pipeline from."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stackyard.cli import output
from stackyard.cli.arguments import add_json, add_stack, open_project_stack
from stackyard.errors import PipelineError, PluginError, UsageError
from stackyard.whole_file import write_whole

if TYPE_CHECKING:
    from stackyard.project import Project
    from stackyard.stack import Stack

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}")
DIFF_LINES = 40


@dataclass(frozen=True)
class Generated:
    """A generated file: what it should hold and what it holds, None where it is missing."""

    pipeline: str
    path: Path
    text: str
    before: bytes | None

    @property
    def state(self) -> str:
        """``current``, ``stale`` or ``missing``."""
        if self.before is None:
            return "missing"
        return "current" if self.before == self.text.encode() else "stale"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "pipeline", nargs="?", metavar="PIPELINE", help="a pipeline's name, or path.py[:name]"
    )
    parser.add_argument("--all", action="store_true", help="every pipeline of the project")
    add_stack(parser)
    parser.add_argument(
        "--out", metavar="DIR", help="where to write (default: dags/generated/STACK)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a file is not up to date"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write or check the files; 1 where ``--check`` finds one that is not up to date."""
    project, stack = open_project_stack(args.stack)
    if (args.pipeline is None) is not args.all:
        known = ", ".join(project.pipelines()) or "none yet"
        raise UsageError(f"stackyard compile: name a pipeline or give --all. Pipelines: {known}")
    references = _all(project) if args.all else [args.pipeline]
    folder = Path(args.out) if args.out else default_folder(project, stack.profile.name)
    files = [f for r in references for f in generate(project, r, stack, folder)]
    left = _left_over(folder, files) if args.all and not args.out else []
    if not args.check:
        _write(files)
    if args.json:
        done = {"current": "unchanged", "stale": "written", "missing": "written"}
        rows: list[dict[str, str | None]] = [
            {
                "pipeline": f.pipeline,
                "path": str(f.path),
                "state": f.state if args.check else done[f.state],
            }
            for f in files
        ]
        rows += [{"pipeline": None, "path": str(path), "state": "left over"} for path in left]
        output.json_document({"stack": stack.profile.name, "files": rows})
    elif args.check:
        _tell_check(files, left, stack.profile.name)
    else:
        _tell_written(files, left, stack.profile.name)
    stale = left or any(f.state != "current" for f in files)
    return 1 if args.check and stale else 0


def _all(project: Project) -> list[str]:
    """Every pipeline of the project.

    Raises:
        PipelineError: a file cannot be read, so what it makes is not known.
    """
    broken = project.unreadable()
    if broken:
        raise PipelineError(f"{'; '.join(broken)}. Nothing was compiled: put it right first")
    return list(project.pipelines())


def write(project: Project, reference: str, stack_name: str) -> list[Path]:
    """Compile one pipeline into the default folder; return the files, the pipeline's own first."""
    from stackyard.stack import open_stack

    stack = open_stack(project, stack_name)
    files = list(generate(project, reference, stack, default_folder(project, stack_name)))
    _write(files)
    return [file.path for file in files]


def default_folder(project: Project, stack_name: str) -> Path:
    """Where generated files go unless somebody says otherwise."""
    return project.root / "dags" / "generated" / stack_name


def generate(project: Project, reference: str, stack: Stack, folder: Path) -> Iterator[Generated]:
    """Compile a pipeline; writes nothing.

    Raises:
        UsageError: the stack's orchestrator compiles nothing, or the stack lacks what the pipeline
            needs.
    """
    from stackyard.preflight import compiled, require

    name = stack.profile.name
    graph, settings = stack.profile.apply(project.load(reference).graph())
    require(stack, graph)
    files = compiled(stack, graph, settings)
    if not files:
        spec = stack.profile.component("orchestrator")
        raise UsageError(
            f"stack {name!r}: its orchestrator {spec.flavor if spec else 'local'!r} runs pipelines "
            "as they are and compiles nothing. Choose another stack: --stack NAME"
        )
    for relative, text in files.items():
        parts = PurePosixPath(relative).parts
        if not parts or not all(_PART.fullmatch(part) for part in parts):
            raise PluginError(
                f"orchestrator of stack {name!r} compiled to a file {relative!r}, which is no "
                "plain relative path; nothing was written"
            )
        path = folder.joinpath(*parts)
        before = path.read_bytes() if path.is_file() else None
        yield Generated(graph.name, path, text, before)


def _write(files: Sequence[Generated]) -> None:
    for file in files:
        if file.state != "current":
            file.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file.path, file.text)  # a scheduler may be reading it


def _left_over(folder: Path, files: Sequence[Generated]) -> list[Path]:
    """Files in the folder of generated files that no pipeline makes any more."""
    made = {file.path for file in files}
    suffixes = {path.suffix for path in made}
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in suffixes)
    return [p for p in found if p not in made and "__pycache__" not in p.parts]


def _tell_written(files: Sequence[Generated], left: Sequence[Path], stack: str) -> None:
    for file in files:
        output.show(f"{_shown(file.path)}  {'unchanged' if file.state == 'current' else 'written'}")
    for path in left:
        output.warn(f"{_shown(path)}: no pipeline makes it any more; delete it")
    if files:
        output.say(f"next: stackyard run {files[0].pipeline} --stack {stack}")


def _tell_check(files: Sequence[Generated], left: Sequence[Path], stack: str) -> None:
    stale = [file for file in files if file.state != "current"]
    for file in stale:
        output.show(f"{_shown(file.path)}: {file.state}")
        for line in _difference(file):
            output.show(f"    {line}")
        output.say(f"write it: stackyard compile {file.pipeline} --stack {stack}")
    for path in left:
        output.show(f"{_shown(path)}: no pipeline makes it any more; delete it")
    if not stale and not left:
        output.show(f"up to date: {len(files)} files")


def _difference(file: Generated) -> list[str]:
    if file.before is None:
        return []
    before = file.before.decode("utf-8", "replace").splitlines()
    lines = list(
        difflib.unified_diff(
            before, file.text.splitlines(), "as it is", "as compiled", "", "", 1, ""
        )
    )
    more = [f"... {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return lines[:DIFF_LINES] + more


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
