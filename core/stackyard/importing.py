"""Imports modules of a project, with errors that name the user's file and line."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from traceback import walk_tb
from types import ModuleType, TracebackType

from stackyard.bytecode import compile_always
from stackyard.errors import PipelineError, StackyardError, suggest
from stackyard.location import said

_active: tuple[Path, ...] = ()


def use_roots(roots: tuple[Path, ...]) -> None:
    """Put ``roots`` first on ``sys.path``; roots of before go, with the modules from them."""
    global _active
    gone = [root for root in _active if root not in roots]
    if gone:
        sys.path[:] = [entry for entry in sys.path if entry not in map(str, gone)]
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and any(Path(file).is_relative_to(root) for root in gone):
                del sys.modules[name]
    compile_always(roots)
    wanted = [str(root) for root in roots]
    if sys.path[: len(wanted)] != wanted:
        sys.path[:] = [*wanted, *(entry for entry in sys.path if entry not in wanted)]
    _active = roots


def module_name(file: Path, roots: Sequence[Path]) -> str | None:
    """Return the name under which ``file`` is imported, None if it is below no root.

    Raises:
        PipelineError: a part of its path cannot be a module's name.
    """
    inside = [root for root in roots if file.is_relative_to(root)]
    if not inside:
        return None
    parts = list(file.relative_to(max(inside, key=lambda root: len(root.parts))).parts)
    parts[-1] = parts[-1].removesuffix(".py")
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    bad = next((part for part in parts if not (part.isidentifier() and part.isascii())), None)
    if bad is not None:
        raise PipelineError(
            f"{str(file)!r} cannot be imported: {bad!r} is no module name. Use ASCII letters, "
            "digits and underscores"
        )
    return ".".join(parts)


def import_file(file: Path, roots: Sequence[Path], root: Path) -> ModuleType:
    """Import the module that ``file`` is.

    Raises:
        PipelineError: importing raised, or another module has its name; one line with file:line.
    """
    name = module_name(file, roots)
    assert name is not None
    importlib.invalidate_caches()  # the file may be younger than the last import
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for the answer alone
            module = importlib.import_module(name)
    except StackyardError:
        raise
    except SyntaxError as exc:
        where = f"{_shown(exc.filename or str(file), root)}:{exc.lineno or 1}"
        raise PipelineError(f"{where}: {type(exc).__name__}: {exc.msg}") from exc
    except (Exception, SystemExit) as exc:  # whatever the user's module raises is an error in it
        where = _innermost(exc.__traceback__, roots, root) or f"{_shown(str(file), root)}:1"
        raise PipelineError(f"{where}: {said(exc)}{_cure(exc, root)}") from exc
    actual = getattr(module, "__file__", None)
    if actual is None or not os.path.samefile(actual, file):
        raise PipelineError(
            f"{_shown(str(file), root)}:1: the module name {name!r} belongs to "
            f"{actual or 'Python'}. Rename the file"
        )
    return module


def _innermost(trace: TracebackType | None, roots: Sequence[Path], root: Path) -> str | None:
    where = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if any(Path(file).is_relative_to(base) for base in roots):
            where = f"{_shown(file, root)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def _cure(exc: BaseException, root: Path) -> str:
    if isinstance(exc, NameError) and exc.name and exc.__traceback__ is not None:
        *_, (frame, _) = walk_tb(exc.__traceback__)
        near = suggest(exc.name, [*frame.f_locals, *frame.f_globals, *frame.f_builtins])
        return f".{near}" if near else ""
    if not isinstance(exc, ModuleNotFoundError):
        return ""
    name = (exc.name or "").partition(".")[0]
    if name and ((root / f"{name}.py").is_file() or (root / name).is_dir()):
        return (
            f". {name} lies in the project's root, from which nothing is imported. Move it into "
            "src/, or install the project: uv pip install -e ."
        )
    return ". Install it into this environment, or import it inside the step that needs it"


def _shown(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file
