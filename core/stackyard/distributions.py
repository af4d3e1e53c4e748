"""What is installed, read from the folders' names: a tenth of the time of ``importlib.metadata``.

Importing ``importlib.metadata`` alone costs 20 ms, as much as all else that loading plugins does.
Its rules are followed: metadata lie in ``*.dist-info`` or ``*.egg-info`` folders on ``sys.path``,
and of two distributions of one name the first on the path counts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_FOLDER = re.compile(r"(?P<name>[A-Za-z0-9._]+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info")
_SECTION = re.compile(rb"^\[(?P<group>[^\]]+)\]\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Distribution:
    """An installed distribution. ``folder`` holds its metadata; empty for one inside an archive."""

    name: str
    version: str
    folder: str
    entry_points: tuple[tuple[str, str], ...] = field(default=())  # (name, value) of our group

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


def normal_name(name: str) -> str:
    """The name under which a distribution is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(group: str, path: Sequence[str] | None = None) -> dict[str, Distribution]:
    """Every distribution on ``path`` (default ``sys.path``), with its entry points of ``group``."""
    found: dict[str, Distribution] = {}
    for place in sys.path if path is None else path:
        for distribution in _in_folder(place or os.curdir, group):
            found.setdefault(distribution.name, distribution)
    return found


def _in_folder(place: str, group: str) -> Iterator[Distribution]:
    try:
        names = sorted(os.listdir(place))
    except NotADirectoryError:
        yield from _in_archive(place, group)
        return
    except OSError:
        return
    for name in names:
        if not name.endswith("-info"):
            continue
        match = _FOLDER.fullmatch(name)
        if match is None:
            continue
        folder = os.path.join(place, name)
        entries: tuple[tuple[str, str], ...] = ()
        try:
            with open(os.path.join(folder, "entry_points.txt"), "rb", buffering=0) as file:
                text = file.read()
        except OSError:
            text = b""
        if group.encode() in text:
            entries = tuple(_entries(text, group))
        yield Distribution(normal_name(match["name"]), match["version"], folder, entries)


def _entries(text: bytes, group: str) -> Iterator[tuple[str, str]]:
    sections = [*_SECTION.finditer(text)]
    ends = [s.start() for s in sections[1:]] + [len(text)]
    for section, end in zip(sections, ends, strict=True):
        if section["group"].strip() != group.encode():
            continue
        for line in text[section.end() : end].decode("utf-8", "replace").splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith(("#", ";")):
                yield name.strip(), value.strip()


def _in_archive(place: str, group: str) -> Iterator[Distribution]:
    """Distributions in a zip file on the path: rare, so the slow way is good enough."""
    import importlib.metadata

    for found in importlib.metadata.distributions(path=[place]):
        entries = tuple((e.name, e.value) for e in found.entry_points if e.group == group)
        yield Distribution(normal_name(found.metadata["Name"]), found.version, "", entries)
