"""From the dotted names in descriptors and stack files to the classes behind them."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Component
from stackyard.distributions import normal_name
from stackyard.errors import PluginError
from stackyard.flavors import Flavor, SecretProvider
from stackyard.location import said

if TYPE_CHECKING:
    from pathlib import Path

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


def as_written(text: str) -> str:
    """A message in which a single file's module is called as its author calls it."""
    return re.sub(r"\bstackyard_plugins_[0-9a-f]{12}\b", "stackyard_plugins", text)


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
        text = f"{what}: importing {target} failed: {said(exc)}"
        raise PluginError(as_written(text)) from exc
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
        text = f"{what}: {flavor.target} is not a subclass of {wanted.__name__}"
        raise PluginError(as_written(text))
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(found.__abstractmethods__))
        text = f"{what}: {flavor.target} lacks methods of {wanted.__name__}: {lacking}"
        raise PluginError(as_written(text))
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
        text = f"{what}: configuration {flavor.config} is not a frozen dataclass"
        raise PluginError(as_written(text))
    cls: type = found
    return cls


def _is_frozen(cls: Any) -> bool:
    return bool(cls.__dataclass_params__.frozen)


def secret_function(provider: SecretProvider) -> Callable[[str, Path], str | None]:
    """Import what a secret provider asks by name of the secret and folder of the project.

    Raises:
        PluginError: it cannot be imported or called.
    """
    what = f"secret provider {provider.name!r}"
    found: Callable[[str, Path], str | None] = load(provider.target, what)
    if not callable(found):
        raise PluginError(as_written(f"{what}: {provider.target} is no function"))
    return found


def faults(plugin: Plugin) -> list[str]:
    """What of a loaded plugin cannot be used, and why: imports all that it names, but no tool."""
    from stackyard.store.formats.base import made

    checks: list[Callable[[], object]] = []
    for flavor in plugin.flavors:
        checks += [partial(config_class, flavor), partial(component_class, flavor)]
    checks += [partial(made, descriptor) for descriptor in plugin.formats]
    checks += [partial(secret_function, provider) for provider in plugin.secret_providers]
    found = [*_unmet(plugin.distribution.name)]
    for check in checks:
        try:
            check()
        except PluginError as exc:
            found.append(str(exc))
    return found


def _unmet(distribution: str) -> Iterator[str]:
    """What a distribution says that it needs, where that is not here: Stackyard or its tools."""
    from importlib import metadata

    try:
        requires = metadata.requires(distribution) or ()
    except metadata.PackageNotFoundError:  # a single file, or the core run from its source
        return
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement as exc:
            yield f"its metadata cannot be read: {' '.join(str(exc).split())}"
            continue
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        needed = f"{normal_name(wanted.name)} {wanted.specifier}".strip()
        try:
            here = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield f"it needs {needed}, which is not installed. uv pip install '{needed}'"
            continue
        if not wanted.specifier.contains(here, prereleases=True):
            yield f"it needs {needed}, {here} is installed. uv pip install '{needed}'"
