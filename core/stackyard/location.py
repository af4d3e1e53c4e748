"""Where in the user's code something was written, as errors name it."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType, TracebackType

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = ("<frozen ", os.path.dirname(os.__file__) + os.sep)
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def caller() -> tuple[str, int]:
    """Return file and line of the nearest frame in the user's own code.

    Frames of libraries are passed over, so that ``np.mean(result)`` is found where it is written.
    The walk ends where the graph is built: what is further out did not write the pipeline.
    """
    frame: FrameType | None = sys._getframe(1)
    nearest = None
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            nearest = nearest or frame
            if not _of_library(code.co_filename):
                nearest = frame
                break
        elif code.co_name == "_build":
            break
        frame = frame.f_back
    found = nearest or sys._getframe(1)
    return found.f_code.co_filename, found.f_lineno


def _of_library(file: str) -> bool:
    return file.startswith(_STANDARD) or any(folder in file for folder in _INSTALLED)


def place(file: str, line: int) -> str:
    """Return ``file:line`` as a person would type it: relative below the current folder."""
    if "ipykernel_" in file or file.startswith("<ipython-input"):
        return f"notebook cell:{line}"
    folder = os.getcwd() + os.sep
    return f"{file.removeprefix(folder)}:{line}"


def here() -> str:
    """Return ``file:line`` of the nearest frame outside this package."""
    return place(*caller())


def defined(code: CodeType) -> str:
    """Return ``file:line`` of a function."""
    return place(code.co_filename, code.co_firstlineno)


def raised(trace: TracebackType | None, file: str) -> str:
    """Return ``file:line`` of the innermost frame of ``trace`` that is in ``file``."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return place(file, line)


def innermost(exc: BaseException) -> str:
    """Return ``file:line`` that raised it."""
    from traceback import extract_tb

    frame = extract_tb(exc.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def said(exc: BaseException) -> str:
    """Return an exception's type and message on one line."""
    return f"{type(exc).__name__}: {' '.join(str(exc).split()) or 'no message'}"
