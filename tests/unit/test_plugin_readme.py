"""What a new plugin's README says of a stack is right."""

from __future__ import annotations

import re

import pytest

from stackyard.plugin_points import POINTS
from stackyard.profile import build
from stackyard.scaffold import Names, plugin_files
from stackyard.yaml_source import parse

NAMES = Names("acme-tools", "acme_tools", "acme", "Acme")


def said(*points: str) -> str:
    found = re.search(r"```yaml\n(.*?)```", plugin_files(NAMES, points)["README.md"], re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("point", POINTS)
def test_a_stack_may_say_so(point: str) -> None:
    text = said(point)
    profile = build("local", parse(f"description: x\n{text}", "local.yaml"), ("local.yaml",))
    has = {*profile.components, *(["resource"] if profile.resources else [])}
    assert has == ({point} - {"format", "secret_provider"})
    assert text.strip()


def test_what_is_said_of_several_stands_under_one_heading() -> None:
    lines = said("tracker", "resource", "format").splitlines()
    assert [line for line in lines if line.endswith(":")] == ["components:", "resources:"]
    assert "  tracker: {flavor: acme}" in lines
    assert any(line.startswith("# ") and line.endswith("by the format acme.") for line in lines)
