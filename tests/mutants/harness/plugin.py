"""The plugin under test: the flavor ``acme`` is the template's component, or a mutant of it."""

from __future__ import annotations

import importlib
import os
from typing import Any

import mutants

from stackyard import hookimpl
from stackyard.flavors import Flavor

KIND = os.environ["ACME_KIND"]
MUTANT = "ACME_MUTANT"


@hookimpl
def stackyard_flavors() -> Any:
    """What is chosen is looked up when it is used, so that one process can test all."""
    yield Flavor(KIND, "acme", target="acme_harness:component", config="acme_harness:config")


def __getattr__(name: str) -> Any:
    if name not in ("component", "config"):
        raise AttributeError(name)
    sound = importlib.import_module(f"acme_tools.{KIND}")
    title = "Acme" + "".join(part.capitalize() for part in KIND.split("_"))
    chosen = getattr(mutants, os.environ.get(MUTANT, ""), getattr(sound, title))
    if name == "component":
        return chosen
    return getattr(chosen, "configured_by", getattr(sound, f"{title}Config"))
