"""From the dotted names in descriptors and stack files to the classes behind them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Component
from stackyard.errors import PluginError
from stackyard.flavors import Flavor
from stackyard.location import said

if TYPE_CHECKING:
    from stackyard.plugins import Plugin

CONTRACTS = {
    "orchestrator": "Orchestrator",
    "tracker": "Tracker",
    "registry": "Registry",
    "data_versioner": "DataVersioner",
    "feature_store": "FeatureStore",
    "validator": "Validator",
    "monitor": "Monitor",
    "server": "Server",
}


def load(target: str, what: str) -> Any:
    """Import ``package.module:Name``; ``what`` begins the message of an error.

    Raises:
        PluginError: it cannot be imported.
    """
    module, _, attribute = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as exc:  # another's module may raise anything
        raise PluginError(f"{what}: importing {target} failed: {said(exc)}") from exc
    return found


def contract(kind: str) -> type[Component]:
    """The abstract class of a kind."""
    found: type[Component] = load(f"stackyard.components.{kind}:{CONTRACTS[kind]}", kind)
    return found


def component_class(flavor: Flavor) -> type[Component]:
    """Import the class of a flavor and hold it to the contract of its kind.

    Raises:
        PluginError: it cannot be imported, is of another kind, or lacks a part of the contract.
    """
    what = f"{flavor.kind} {flavor.name!r}"
    found = load(flavor.target, what)
    wanted = contract(flavor.kind)
    if not (isinstance(found, type) and issubclass(found, wanted)):
        raise PluginError(f"{what}: {flavor.target} is not a subclass of {wanted.__name__}")
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(found.__abstractmethods__))
        raise PluginError(f"{what}: {flavor.target} lacks methods of {wanted.__name__}: {lacking}")
    return found


def config_class(flavor: Flavor) -> type:
    """Import the configuration class of a flavor.

    Raises:
        PluginError: it cannot be imported, or is not a frozen dataclass.
    """
    what = f"{flavor.kind} {flavor.name!r}"
    found = load(flavor.config, what)
    frozen = isinstance(found, type) and is_dataclass(found) and _is_frozen(found)
    if not frozen:
        raise PluginError(f"{what}: configuration {flavor.config} is not a frozen dataclass")
    cls: type = found
    return cls


def _is_frozen(cls: Any) -> bool:
    return bool(cls.__dataclass_params__.frozen)


def faults(plugin: Plugin) -> list[str]:
    """What of a loaded plugin cannot be used, and why: imports all that it names, but no tool."""
    found = [*_newer_core(plugin.distribution.name)]
    for flavor in plugin.flavors:
        for check in (config_class, component_class):
            try:
                check(flavor)
            except PluginError as exc:
                found.append(str(exc))
    named = [(f"format {f.name!r}", f.target) for f in plugin.formats]
    named += [(f"secret provider {s.name!r}", s.target) for s in plugin.secret_providers]
    for what, target in named:
        try:
            load(target, what)
        except PluginError as exc:
            found.append(str(exc))
    return found


def _newer_core(distribution: str) -> Iterator[str]:
    """What a distribution says of the core that it needs, where this is not that."""
    from importlib import metadata

    try:
        requires = metadata.requires(distribution) or ()
        core = metadata.version("stackyard")
    except metadata.PackageNotFoundError:  # a single file, or the core run from its source
        return
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requires:
        if not text.startswith("stackyard"):
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement as exc:
            yield f"its metadata cannot be read: {' '.join(str(exc).split())}"
            continue
        if wanted.name != "stackyard" or (wanted.marker and not wanted.marker.evaluate()):
            continue
        if not wanted.specifier.contains(core, prereleases=True):
            yield (
                f"it asks for stackyard {wanted.specifier}, {core} is installed. "
                f"uv pip install 'stackyard{wanted.specifier}'"
            )
