"""The source of ``__main__``: a script's file, or the cells of a notebook."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def main_source() -> str | None:
    """Return the source that stands for ``__main__`` in cache keys, None where there is none.

    Of a notebook it is its cells in the order in which they were run; what they only look at does
    not count (see ``store.code.index``).
    """
    cells = _cells()
    if cells is not None:
        return "\n".join(_parsable(cells))
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file).read_text(encoding="utf-8") if file and Path(file).is_file() else None


def _parsable(cells: Iterable[str]) -> Iterable[str]:
    for cell in cells:
        try:
            ast.parse(cell)
        except SyntaxError:  # the cell failed, so it did nothing
            continue
        yield cell


def _cells() -> list[str] | None:
    """The cells that were run, magics translated; None outside of IPython."""
    if "IPython" not in sys.modules:
        return None
    shell: Any = sys.modules["IPython"].get_ipython()
    if shell is None:
        return None
    return [shell.transform_cell(cell) for cell in shell.user_ns.get("In", [])[1:]]
