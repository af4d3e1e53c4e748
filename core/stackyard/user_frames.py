"""A failed step's traceback as its author needs it: without the frames of what ran the step."""

from __future__ import annotations

import contextlib
import re
import traceback
from traceback import TracebackException

from stackyard.components.base import redact
from stackyard.errors import StackyardError

# This package and its plugins; contextlib stands between two frames of theirs.
_OURS = re.compile(rf"stackyard([._]|$)|{contextlib.__name__}$")


def tracebacks(exc: BaseException) -> tuple[str | None, str | None]:
    """What is shown of the traceback of a step's error, and the whole of it where that is more.

    Our frames above the first one that is not ours are hidden. Those below the last one are
    hidden, with their causes, where they raised an error of Stackyard's, whose message says all;
    any other error there is a bug and stays whole. Nothing is shown of an error of Stackyard's in
    which no other frame had a part.
    """
    whole, shown = TracebackException.from_exception(exc), TracebackException.from_exception(exc)
    ours = _ours(exc)
    if all(ours):
        text = redact("".join(whole.format()))
        return (None, text) if isinstance(exc, StackyardError) else (text, None)
    less = _hide(shown, exc)
    del whole.stack[: ours.index(False)], shown.stack[: ours.index(False)]
    text = redact("".join(shown.format()))
    return text, redact("".join(whole.format())) if less else None


def _hide(shown: TracebackException, exc: BaseException) -> bool:
    """Hide our frames below the last other one, here and in the causes; whether there are any."""
    ours = _ours(exc)
    if isinstance(exc, StackyardError) and ours and ours[-1] and not all(ours):
        del shown.stack[len(ours) - ours[::-1].index(False) :]
        shown.__cause__ = shown.__context__ = None
        return True
    causes = ((shown.__cause__, exc.__cause__), (shown.__context__, exc.__context__))
    return any([_hide(to, of) for to, of in causes if to is not None and of is not None])


def _ours(exc: BaseException) -> list[bool]:
    """For each frame, the outermost first, whether it is ours."""
    modules = [f.f_globals.get("__name__", "") for f, _ in traceback.walk_tb(exc.__traceback__)]
    return [_OURS.match(name) is not None for name in modules]
