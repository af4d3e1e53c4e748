"""Python source of plain data, laid out as ruff and Black would lay it out.

Generated code holds a user's values only through these functions. What they return evaluates to
the value and nothing else (``compile`` checks that), fits lines of 88 columns where it can, and is
left as it is by a formatter with any longer line length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

WIDTH = 88
PLAIN_COMMENT = re.compile(r"[A-Za-z0-9_./:@+ -]*")


def literal(value: Any, *, indent: int = 0, used: int = 0) -> str:
    """Return the source of a plain value: None, bool, int, float, str, list or dict of these.

    ``indent`` is the indentation of the line it stands on, ``used`` the columns that the rest of
    that line takes; a collection that does not fit is written one item per line.

    Raises:
        TypeError: the value is of another type, or a number that has no literal.
    """
    flat = _flat(value)
    if not isinstance(value, Mapping | list | tuple) or not value or fits(flat, used):
        return flat
    inner, space = indent + 4, " " * (indent + 4)
    if isinstance(value, Mapping):
        opening, closing = "{", "}"
        rows = []
        for key, item in value.items():
            head = f"{_flat(key)}: "
            rows.append(head + literal(item, indent=inner, used=inner + len(head) + 1))
    else:
        opening, closing = "[", "]"
        rows = [literal(item, indent=inner, used=inner + 1) for item in value]
    body = "".join(f"{space}{row},\n" for row in rows)
    return f"{opening}\n{body}{' ' * indent}{closing}"


def call(function: str, arguments: list[tuple[str, Any]], *, indent: int, used: int) -> str:
    """Return the source of a call; an argument without a name is positional."""
    heads = [f"{name}=" if name else "" for name, _ in arguments]
    flat = ", ".join(
        h + literal(v, used=-WIDTH) for h, (_, v) in zip(heads, arguments, strict=True)
    )
    whole = f"{function}({flat})"
    if "\n" not in whole and fits(whole, used):
        return whole
    inner = indent + 4
    rows = [
        " " * inner + h + literal(v, indent=inner, used=inner + len(h) + 1) + ",\n"
        for h, (_, v) in zip(heads, arguments, strict=True)
    ]
    return f"{function}(\n{''.join(rows)}{' ' * indent})"


def names(items: list[str], *, indent: int, used: int) -> str:
    """Return a list display of variable names."""
    flat = f"[{', '.join(items)}]"
    if fits(flat, used):
        return flat
    rows = "".join(f"{' ' * (indent + 4)}{item},\n" for item in items)
    return f"[\n{rows}{' ' * indent}]"


def fits(text: str, used: int) -> bool:
    """Whether ``text`` ends before the limit on a line where ``used`` columns are taken."""
    return used + len(text) <= WIDTH


def text(value: str) -> str:
    """Return the source of a string, in double quotes unless that needs more escapes."""
    source = repr(value)
    if source[0] == '"':
        return source
    body = source[1:-1]
    if '"' not in body:
        return f'"{body}"'
    if value.count('"') > value.count("'"):
        return source
    body = body.replace("\\'", "'")
    return '"' + body.replace('"', '\\"') + '"'


def block(value: str) -> str:
    """Return the source of a text of several lines: a triple-quoted string beginning ``\"\"\"\\``.

    A line that is too long is continued by a backslash, which adds nothing to the value.
    """
    lines = [_block_line(line) for line in value.split("\n")]
    return '"""\\\n' + "\n".join(lines) + '"""'


def comment(value: str) -> str:
    """Return ``value`` as it may stand in a comment: as it is, else its repr."""
    plain = PLAIN_COMMENT.fullmatch(value) and value == value.strip()
    return value if plain else repr(value)


def _block_line(line: str) -> str:
    """One line of a block; escapes stay whole where it is continued."""
    pieces = ["\\" + c if c in '\\"' else text(c)[1:-1] for c in line]
    if pieces and pieces[-1] == " ":
        pieces[-1] = "\\x20"
    if '"""' not in line and not line.endswith('"'):
        pieces = ['"' if p == '\\"' else p for p in pieces]
    rows, row = [], ""
    for piece in pieces:
        if len(row) + len(piece) >= WIDTH:
            rows.append(row)
            row = ""
        row += piece
    return "\\\n".join([*rows, row])


def _flat(value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{value!r} has no literal in Python")
        return repr(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flat(k)}: {_flat(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flat(v) for v in value) + "]"
    raise TypeError(f"{type(value).__name__} is no plain data")
