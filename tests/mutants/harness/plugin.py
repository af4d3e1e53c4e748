"""The plugin under test: what the template offers, or a mutant of it."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import mutants
from acme_tools import plugin

from stackyard import hookimpl

KIND = os.environ["ACME_KIND"]
MUTANT = "ACME_MUTANT"


@hookimpl
def stackyard_flavors() -> Any:
    """What is chosen is looked up when it is used, so that one process can test all."""
    for offer in _offered("stackyard_flavors"):
        yield replace(offer, target="acme_harness:component", config="acme_harness:config")


@hookimpl
def stackyard_formats() -> Any:
    """The same of formats."""
    for offer in _offered("stackyard_formats"):
        yield replace(offer, target="acme_harness:component")


@hookimpl
def stackyard_secret_providers() -> Any:
    """The same of secret providers."""
    for offer in _offered("stackyard_secret_providers"):
        yield replace(offer, target="acme_harness:component")


def sound() -> Any:
    """The template's module."""
    return importlib.import_module(f"acme_tools.{KIND}")


def _offered(hook: str) -> Iterator[Any]:
    yield from getattr(plugin, hook, tuple)()


def __getattr__(name: str) -> Any:
    if name not in ("component", "config"):
        raise AttributeError(name)
    chosen = getattr(mutants, os.environ.get(MUTANT, ""), sound())
    title = "Acme" + "".join(part.capitalize() for part in KIND.split("_"))
    if KIND == "secret_provider":  # a function; a mutant's is static
        return chosen.look_up
    if name == "component":
        return chosen if inspect.isclass(chosen) else getattr(sound(), title)
    return getattr(chosen, "configured_by", getattr(sound(), f"{title}Config"))


if KIND == "resource" and MUTANT in os.environ:  # a stack names its class, which no plugin offers
    sound().AcmeResource = getattr(mutants, os.environ[MUTANT])
