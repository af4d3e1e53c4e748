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
    which no other frame had a part; without a cause there is no whole of it either.
    """
    whole, shown = TracebackException.from_exception(exc), TracebackException.from_exception(exc)
    ours = _ours(exc)
    if all(ours):
        if isinstance(exc, StackyardError) and exc.__cause__ is None and exc.__context__ is None:
            return None, None
        text = redact("".join(whole.format()))
        return (None, text) if isinstance(exc, StackyardError) else (text, None)
    less = _hide(shown, exc)
    del whole.stack[: ours.index(False)], shown.stack[: ours.index(False)]
    text = redact("".join(shown.format()))
    return text, redact("".join(whole.format())) if less else None


def _hide(shown: TracebackException, exc: BaseException) -> bool:
    """Hide our frames below the last other one, here and in the causes; whether there are any."""
    less = False
    waiting = [(shown, exc)]  # no recursion: a chain of causes may be longer than the stack
    while waiting:
        to, of = waiting.pop()
        ours = _ours(of)
        if isinstance(of, StackyardError) and ours and ours[-1] and not all(ours):
            del to.stack[len(ours) - ours[::-1].index(False) :]
            to.__cause__ = to.__context__ = None
            less = True
            continue
        causes = ((to.__cause__, of.__cause__), (to.__context__, of.__context__))
        waiting += [(one, other) for one, other in causes if one is not None and other is not None]
    return less


def _ours(exc: BaseException) -> list[bool]:
    """For each frame, the outermost first, whether it is ours."""
    frames = [f for f, _ in traceback.walk_tb(exc.__traceback__)]
    return [_OURS.match(str(f.f_globals.get("__name__"))) is not None for f in frames]
