"""Finds pipelines in source files by reading them, without importing anything."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackyard.annotation import imported_names
from stackyard.errors import suggest

_MARKS = ("stackyard.pipeline", "stackyard.pipeline.pipeline")


@dataclass(frozen=True)
class Found:
    """``files`` by the name of a pipeline; ``broken`` files with ``line: why`` of each.

    ``near``: functions that are marked with a name nobody defined and that is nearly ``pipeline``,
    with file, line and what is written there.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    broken: dict[Path, str] = field(default_factory=dict)
    near: dict[str, tuple[Path, int, str]] = field(default_factory=dict)


def find_pipelines(code_roots: Sequence[Path]) -> Found:
    """Return the functions decorated with ``@pipeline`` in all files below ``code_roots``."""
    found = Found()
    for file in dict.fromkeys(file for root in code_roots for file in source_files(root)):
        source = file.read_bytes()
        if b"stackyard" not in source or b"pipeline" not in source:
            continue
        try:
            tree = ast.parse(source)
        except SyntaxError as exc:
            found.broken[file] = f"{exc.lineno or 1}: {exc.msg}"
            continue
        except ValueError as exc:  # a NUL byte
            found.broken[file] = f"1: {exc}"
            continue
        for name in _pipelines(tree):
            found.files.setdefault(name, []).append(file)
        for name, line, mark in _nearly(tree):
            found.near[name] = file, line, mark
    return found


def source_files(root: Path) -> Iterator[Path]:
    """Yield the Python files below a code root in a fixed order, ``dags/generated`` left out."""
    for folder, folders, files in os.walk(root):
        generated = os.path.basename(folder) == "dags"
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__")) and not (generated and name == "generated")
        )
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _pipelines(tree: ast.Module) -> Iterator[str]:
    names = imported_names(tree, "")
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            if _dotted(call.func if call else decorator, names) in _MARKS:
                yield (_named(call) if call else None) or node.name


def _nearly(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    names = imported_names(tree, "")
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            mark = decorator.func if isinstance(decorator, ast.Call) else decorator
            word = mark.id if isinstance(mark, ast.Name) else ""
            if word not in names and suggest(word, ("pipeline",)):
                yield node.name, mark.lineno, word


def _named(call: ast.Call) -> str | None:
    for keyword in call.keywords:
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value) if keyword.value.value is not None else None
    return None


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return ""
