"""What ``plugin new`` writes is called as in the examples of the page that names the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackyard.plugin_points import POINTS
from stackyard.scaffold import known_point, names_of, plugin_files
from tests.docs.pages import DOCS, blocks

NEW = r"`stackyard plugin new (\S+) --kind (\S+)`"
NAMED = (
    r"class (Test\w+)\(",
    r'"flavor": "(.+?)"',
    r'(?:format|provider) = "(.+?)"',
    r'"class": "(.+?)"',
)


def shown(path: Path) -> str:
    return "\n".join(block.text for block in blocks(path) if block.language == "python")


def commands(path: Path) -> set[tuple[str, str]]:
    return set(re.findall(NEW, path.read_text(encoding="utf-8")))


PAGES = [
    path
    for path in sorted((DOCS / "reference").glob("*.md"))
    if commands(path) and re.search(NAMED[0], shown(path))
]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_the_examples_have_its_names(path: Path) -> None:
    [(distribution, kind)] = commands(path)
    point = known_point(kind)
    written = plugin_files(names_of(distribution, [point]), [point])[f"tests/test_{point}.py"]
    for pattern in NAMED:
        assert set(re.findall(pattern, shown(path))) <= set(re.findall(pattern, written)), pattern


def test_each_point_has_a_page() -> None:
    assert {p.page for p in POINTS.values()} == {path.name for path in PAGES}
