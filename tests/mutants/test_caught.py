"""The kit is tested by mutants: a contract passes the template and catches each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackyard.plugin_points import POINTS
from tests.mutants.running import HERE, run_mutants

LEAST = 8
QUICK = ("tracker", "secret_provider")  # the others take processes that import much
KINDS = [k if k in QUICK else pytest.param(k, marks=pytest.mark.full) for k in POINTS]


@pytest.mark.parametrize("kind", KINDS)
def test_each_mutant_is_caught_by_the_test_that_is_meant_for_it(kind: str, tmp_path: Path) -> None:
    source = (HERE / f"{kind}.py").read_text(encoding="utf-8")
    broken = r"^class (\w+)(?:(?!^class ).)*?^    caught_by = (?!None)"
    mutants = re.findall(broken, source, re.MULTILINE | re.DOTALL)
    assert len(mutants) >= LEAST
    ran = run_mutants(kind, tmp_path)
    assert ran.failed == 0, ran.output
    assert ran.passed > LEAST
    assert ran.caught == set(mutants), ran.output
