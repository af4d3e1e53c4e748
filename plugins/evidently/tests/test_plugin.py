"""What the plugin offers, and at what cost."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import is_dataclass

from stackyard_evidently.plugin import stackyard_flavors


def test_describing_imports_nothing_heavy() -> None:
    """Plugin, configuration and the component's own modules."""
    code = """
import sys
import stackyard_evidently.plugin, stackyard_evidently.config
import stackyard_evidently.monitor
print(sorted({"evidently", "pandas", "numpy", "scipy", "pydantic"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_flavors_name_what_exists() -> None:
    (flavor,) = stackyard_flavors()
    assert (flavor.kind, flavor.name) == ("monitor", "evidently")
    for target in (flavor.target, flavor.config):
        module, _, name = target.partition(":")
        found = getattr(importlib.import_module(module), name)
        assert (found.kind == flavor.kind) if target == flavor.target else is_dataclass(found)
