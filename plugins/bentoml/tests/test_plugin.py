"""What the plugin offers, at what cost, and what its configuration may say."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import is_dataclass
from typing import Any

import pytest

from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.plugin import stackyard_flavors


def test_describing_imports_nothing_heavy() -> None:
    """Plugin, configuration and the component's own modules."""
    code = """
import sys
import stackyard_bentoml.plugin, stackyard_bentoml.config, stackyard_bentoml.server
heavy = {"bentoml", "pandas", "numpy", "sklearn", "starlette", "aiohttp", "pyarrow"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_flavors_name_what_exists() -> None:
    (flavor,) = stackyard_flavors()
    assert (flavor.kind, flavor.name) == ("server", "bentoml")
    for target in (flavor.target, flavor.config):
        assert target is not None
        module, _, name = target.partition(":")
        found = getattr(importlib.import_module(module), name)
        assert (found.kind == flavor.kind) if target == flavor.target else is_dataclass(found)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"port": 0}, "port: 0"), ({"port": 70000}, "port: 70000"), ({"max_request": 0}, "max_req")],
)
def test_what_the_configuration_refuses(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BentomlConfig(**given)
