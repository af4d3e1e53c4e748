"""Cells, tables and marks of a page: every text escaped, nothing that can run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from stackyard.period import short_periods


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of ready cells; a header that begins with # heads a column of numbers."""
    rows = list(rows)
    if not rows:
        return ""
    classes = [' class="n"' if h.startswith("#") else "" for h in headers]
    titles = [h.removeprefix("#") for h in headers]
    head = "".join(f"<th{c}>{t}</th>" for c, t in zip(classes, titles, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{v}</td>" for c, v in zip(classes, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if any(titles) else ''}{body}</table>"


def spark(values: Sequence[float]) -> str:
    """A small line of the values over iterations; nothing for one value."""
    finite = [v for v in values if v - v == 0]  # neither infinite nor not a number
    if len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    scale = (high - low) or 1.0
    every = max(1, len(finite) // 240)
    shown = finite[::every]
    points = " ".join(
        f"{2 + 116 * i / (len(shown) - 1 or 1):.1f},{20 - 16 * (v - low) / scale:.1f}"
        for i, v in enumerate(shown)
    )
    label = f"{low:.4g} to {high:.4g}"
    return (
        f'<svg class="spark" width="120" height="22" role="img" aria-label="{label}">'
        f'<polyline points="{points}"/></svg>'
    )


def link(url: str) -> str:
    """A link to a page of a tool; anything that is no web address stays text."""
    if not url.startswith(("http://", "https://")):
        return escape(url)
    return f'<a href="{escape(url)}" rel="noreferrer">{escape(url)}</a>'


def badge(status: str, text: str = "") -> str:
    """A mark in the colour of a status, which says the status or ``text``."""
    return f'<span class="badge s-{escape(status)}">{escape(text or status)}</span>'


def code(text: str) -> str:
    """Code, a digest, a value."""
    return f"<code>{escape(text)}</code>"


def prose(text: str) -> str:
    """A docstring; what stands between backticks is code."""
    return re.sub(r"(`+)([^`]+)\1", r"<code>\2</code>", escape(text))


def text(value: object) -> str:
    """Any value as text."""
    return escape(str(value))


def plain(value: Any) -> str:
    """A text as it is, anything else as JSON, periods in short; not yet escaped."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return short_periods(text)[0]
