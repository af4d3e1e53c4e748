"""The page of public names says what the code says, and every name on it is explained."""

from __future__ import annotations

import importlib
import inspect

import pytest

from docs.public_api import FILE, MODULES, document


def test_no_signature_changes_unseen() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "python docs/public_api.py"


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    named = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    found = [getattr(module, n) for n in named]
    ours = [v for v in found if getattr(v, "__module__", "").startswith("stackyard")]
    lacking = [v for v in ours if inspect.isclass(v) and not v.__doc__]
    lacking += [v for v in ours if inspect.isfunction(v) and not v.__doc__]
    assert lacking == []
