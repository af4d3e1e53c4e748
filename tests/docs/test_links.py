"""Links within the repository lead somewhere, to a heading that exists; every page is listed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import DOCS, ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)
LINE = 130


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines outside of fenced blocks, numbered."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for _, line in prose(path):
        match = re.match(r"#+ +(.*)", line)
        if match:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", match[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            number, name = 0, slug
            while name in found:
                number += 1
                name = f"{slug}-{number}"
            found.add(name)
    return found


def links(path: Path) -> Iterator[tuple[int, str]]:
    """The targets of links that lead to files, numbered by line."""
    for number, line in prose(path):
        bare = re.sub(r"`[^`]*`", "", line)
        for target in re.findall(r"\]\(([^)\s]+)\)", bare):
            if not re.match(r"[a-z]+:", target):
                yield number, target


def broken(path: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for number, target in links(path):
        name, _, anchor = unquote(target).partition("#")
        goal = (path.parent / name).resolve() if name else path
        if not goal.exists():
            found.append(f"{path.relative_to(ROOT)}:{number}: {target}: there is no such file")
        elif anchor and anchor not in anchors(goal):
            found.append(f"{path.relative_to(ROOT)}:{number}: {target}: there is no such heading")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda p: os.path.relpath(p, ROOT))
def test_links_lead_somewhere(path: Path) -> None:
    assert broken(path) == []


def test_a_broken_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# A `b` c!\n[x](page.md#a-b-c) [y](page.md#no) [z](none.md) `[w](no.md)`\n")
    assert [text.split(": ")[1] for text in broken(page)] == ["page.md#no", "none.md"]


def test_the_index_lists_every_page() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / target).resolve() for _, target in links(index)}
    assert set(DOCS.rglob("*.md")) - {index} - listed == set()


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda p: os.path.relpath(p, ROOT))
def test_lines_of_prose_fit_a_screen(path: Path) -> None:
    long = [n for n, line in prose(path) if len(line) > LINE and not line.startswith("|")]
    assert long == []
