"""Durations, sizes and foreign text as people read them."""

from __future__ import annotations

import time


def plain(text: str) -> str:
    """``text`` on one line, control characters written out: data must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain_lines(text: str) -> str:
    """``text`` in its own lines, other control characters written out as by ``plain``."""
    return "\n".join(map(plain, text.split("\n")))


def seconds(value: float | None) -> str:
    """A duration for people: ``85ms``, ``1.2s``, ``3m05s``, ``2h07m``."""
    if value is None:
        return ""
    if value < 0.9995:
        return f"{value * 1000:.0f}ms"
    if value < 59.95:
        return f"{value:.1f}s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def size(value: int) -> str:
    """A number of bytes for people: ``312 B``, ``4.1 kB``, ``2.0 GB``."""
    number = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def plural(count: int, noun: str) -> str:
    """``1 file``, ``2 files``, ``336,776 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def when(started: float | None) -> str:
    """Seconds since the epoch as local time, empty for None."""
    if started is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(started))
