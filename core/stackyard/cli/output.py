"""What commands print: results on standard output, everything said meanwhile on standard error.

With ``--json`` standard output carries exactly one JSON document.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from stackyard.display import plain as plain
from stackyard.display import plain_lines as plain_lines
from stackyard.display import seconds as seconds
from stackyard.display import size as size
from stackyard.display import when as when

COLOURS = {
    "succeeded": "32",
    "ready": "32",
    "ok": "32",
    "cached": "36",
    "running": "33",
    "retrying": "33",
    "failed": "31",
    "interrupted": "31",
    "cancelled": "35",
    "stopped": "35",
    "skipped": "2",
    "waiting": "2",
    "drifted": "31",
    "worse": "31",
    "not drifted": "32",
    "cannot tell": "33",
}


def say(text: str = "") -> None:
    """Tell a person something on the way: a line on standard error."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Warn a person: a line on standard error that begins with ``warning:``."""
    say(f"{paint('warning:', '33', sys.stderr)} {text}")


def show(text: str = "") -> None:
    """Print a line of the command's result to standard output."""
    print(text)


def table(
    rows: Iterable[Sequence[object]],
    headers: Sequence[str],
    *,
    cut: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    wrap: bool = False,
) -> None:
    """Print aligned columns to standard output; a terminal gets colour, a pipe plain lines.

    Where a terminal is too narrow, the columns ``drop`` are left out, the first one first, and the
    columns ``cut`` (default: the last one) shortened; with ``wrap`` the last one is broken into
    lines between its words instead.
    """
    for line in table_lines(rows, headers, sys.stdout, cut=cut, drop=drop, wrap=wrap):
        show(line)


def table_lines(
    rows: Iterable[Sequence[object]],
    headers: Sequence[str],
    stream: TextIO | None = None,
    *,
    cut: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    wrap: bool = False,
) -> list[str]:
    """The lines of ``table``; coloured and made to fit if ``stream`` is given and is a terminal.

    A column whose cells are all numbers, durations or sizes is aligned to the right.
    """
    lines = [[plain("" if c is None else str(c)) for c in row] for row in [headers, *rows]]
    if stream is not None and stream.isatty() and headers:
        lines = _wrapped(lines) if wrap else _fit(lines, cut, drop)
    headers, cells = lines[0], lines[1:]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    right = [_numeric([row[i] for row in cells]) for i in range(len(headers))]
    made = []
    for number, line in enumerate(lines):
        parts = []
        for i, cell in enumerate(line):
            padded = cell.rjust(widths[i]) if right[i] else cell.ljust(widths[i])
            code = "1" if number == 0 else COLOURS.get(cell, "")
            parts.append(paint(padded, code, stream))
        last = parts.pop() if not right[-1] else None
        if last is not None:  # no blanks at the end of a line
            parts.append(paint(line[-1], "1" if number == 0 else COLOURS.get(line[-1], ""), stream))
        made.append("  ".join(parts).rstrip())
    return made


class Documents:
    """Within it, ``--json`` holds: standard output carries one JSON document and nothing else.

    Whatever is printed meanwhile, by user code, tools or child processes, goes to standard error.
    """

    def __init__(self) -> None:
        self.printed = False
        self._stream = sys.stdout
        self._kept: int | None = None

    def __enter__(self) -> Documents:
        global _documents
        _documents = self
        self._stream.flush()
        real = sys.__stdout__
        if real is not None and self._stream is real:
            number = real.fileno()
            self._kept = os.dup(number)  # not inherited by children
            os.dup2(sys.__stderr__.fileno() if sys.__stderr__ else os.open(os.devnull, 1), number)
        sys.stdout = sys.stderr
        return self

    def __exit__(self, *error: object) -> None:
        global _documents
        _documents = None
        sys.stdout = self._stream
        if self._kept is not None:
            os.dup2(self._kept, self._stream.fileno())
            os.close(self._kept)

    def write(self, text: str) -> None:
        """Print the document."""
        assert not self.printed, "a command prints one JSON document"
        self.printed = True
        if self._kept is None:
            print(text, file=self._stream)
            return
        with os.fdopen(os.dup(self._kept), "w", encoding="utf-8", newline="\n") as real:
            real.write(text + "\n")


_documents: Documents | None = None


def json_document(value: Any) -> None:
    """Print ``value`` as the command's one JSON document."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=_jsonable)
    if _documents is not None:
        _documents.write(text)
    else:
        print(text)


def json_error(message: str) -> None:
    """Print ``{"error": message}`` unless the command has printed its document already."""
    if _documents is not None and not _documents.printed:
        json_document({"error": message})


def paint(text: str, code: str, stream: TextIO | None) -> str:
    """``text`` in the colour ``code`` if ``stream`` is a terminal that wants colour."""
    return f"\x1b[{code}m{text}\x1b[0m" if code and stream and colourful(stream) else text


def status(text: str, stream: TextIO | None = None) -> str:
    """A status in its colour, for ``stream`` (default: standard output)."""
    return paint(text, COLOURS.get(text, ""), stream or sys.stdout)


def colourful(stream: TextIO) -> bool:
    """Whether colour may be written: a terminal, and neither ``NO_COLOR`` nor ``TERM=dumb``."""
    return lively(stream) and not os.environ.get("NO_COLOR")


def lively(stream: TextIO) -> bool:
    """Whether what was written may be drawn anew: a terminal that can do so."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _fit(lines: list[list[str]], cut: Sequence[str] | None, drop: Sequence[str]) -> list[list[str]]:
    """Leave out and shorten columns until the lines are no longer than the terminal is wide.

    A column is left out before others keep less than 20 characters; none is cut below 10.
    """
    import shutil

    wide = shutil.get_terminal_size().columns

    def widths(most: int) -> list[int]:
        """How wide the columns are if those that may be cut have ``most`` characters."""
        own = [max(map(len, column)) for column in zip(*lines, strict=True)]
        last = len(own) - 1
        may = [i == last if cut is None else h in cut for i, h in enumerate(lines[0])]
        return [min(w, most) if m else w for w, m in zip(own, may, strict=True)]

    def fits(most: int) -> bool:
        return sum(widths(most)) + 2 * (len(lines[0]) - 1) <= wide

    for name in drop:
        if not fits(20):
            gone = lines[0].index(name)
            lines = [[*line[:gone], *line[gone + 1 :]] for line in lines]
    found = widths(next((n for n in range(wide, 10, -1) if fits(n)), 10))
    return [[_cut(c, w) for c, w in zip(line, found, strict=True)] for line in lines]


def _wrapped(lines: list[list[str]]) -> list[list[str]]:
    """Break the last column where the terminal ends; a word, such as a path, stays whole."""
    import shutil
    import textwrap

    taken = sum(max(map(len, column)) + 2 for column in list(zip(*lines, strict=True))[:-1])
    width = max(20, shutil.get_terminal_size().columns - taken)
    made = []
    for *first, last in lines:
        parts = textwrap.wrap(last, width, break_long_words=False, break_on_hyphens=False)
        made.append([*first, *(parts[:1] or [""])])
        made += [[*("" for _ in first), part] for part in parts[1:]]
    return made


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _numeric(cells: Sequence[str]) -> bool:
    filled = [c for c in cells if c]
    return bool(filled) and all(c[0] in "-0123456789" and len(c) < 10 for c in filled)


def _jsonable(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass
    from pathlib import PurePath

    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
