"""Loading plugins: each by itself, so that a broken one is listed and hurts nothing else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stackyard.allowed import FILE, IN_PROJECT
from stackyard.distributions import Distribution, installed, normal_name
from stackyard.errors import suggest
from stackyard.flavors import API, ArtifactFormat, Flavor, SecretProvider
from stackyard.location import raised, said
from stackyard.offers import DISABLED, Unusable, check_offers
from stackyard.plugins import GROUP, BrokenPlugin, Plugin, Plugins

if TYPE_CHECKING:
    import pluggy

MODULE = FILE.removesuffix(".py")
OFFERING = ("stackyard_flavors", "stackyard_formats", "stackyard_secret_providers")
CORE = "stackyard"

Offer = TypeVar("Offer", Flavor, ArtifactFormat, SecretProvider)


def discover(
    path: Sequence[str] | None = None,
    *,
    file: Path | None = None,
    allowed: frozenset[str] | None = None,
) -> Plugins:
    """Load the plugins of the distributions on ``path`` and the one in ``file``, each by itself.

    Args:
        path: folders of distributions (default ``sys.path``).
        file: a plugin in a single file.
        allowed: normal names of the distributions that may be loaded; None for all. What is left
            out is not imported. The core's own is always loaded.
    """
    import pluggy

    from stackyard import hookspecs

    manager = pluggy.PluginManager("stackyard")
    manager.add_hookspecs(hookspecs.Specs)
    distributions = installed(GROUP, path)
    disabled = {
        normal_name(n.strip()) for n in os.environ.get(DISABLED, "").split(",") if n.strip()
    }
    loaded: list[Plugin] = []
    broken: list[BrokenPlugin] = []
    left_out: list[str] = []
    for found, name, value in _entries(distributions.values(), file):
        if disabled & {found.name, normal_name(name)}:
            continue
        if allowed is not None and found.name not in {CORE, *allowed}:
            left_out.append(str(found))
            continue
        known: list[tuple[str, str]] = []
        try:
            loaded.append(_load(manager, found, name, value, known, loaded))
        except Unusable as exc:
            broken.append(BrokenPlugin(found.name, found.version, str(exc), tuple(known)))
    return Plugins(
        tuple(loaded),
        tuple(broken),
        tuple(sorted(disabled)),
        tuple(dict.fromkeys(left_out)),
        distributions,
        manager,
    )


def _entries(
    distributions: Iterable[Distribution], file: Path | None
) -> Iterator[tuple[Distribution, str, str]]:
    """Distribution, name and module of each plugin, in the order in which they are loaded.

    The core's own come first, the others by name, never the order of a directory listing; then the
    single file.
    """
    for found in sorted(distributions, key=lambda d: (d.name != CORE, d.name)):
        for name, value in found.entry_points:
            yield found, name, value
    if file is not None:
        yield Distribution(IN_PROJECT, "", str(file.parent)), MODULE, str(file)


def _load(
    manager: pluggy.PluginManager,
    found: Distribution,
    name: str,
    value: str,
    known: list[tuple[str, str]],
    others: Iterable[Plugin],
) -> Plugin:
    full = found.name if normal_name(name) == found.name else f"{found.name}/{name}"
    began = time.perf_counter()
    module = _import(value)
    seconds = time.perf_counter() - began
    try:
        if manager.has_plugin(full):
            raise Unusable(f"another plugin is called {full} already")
        manager.register(module, full)
        hooks = _checked_hooks(manager, module, full)
        flavors = _offers(manager, module, "stackyard_flavors", Flavor, known)
        formats = _offers(manager, module, "stackyard_formats", ArtifactFormat)
        secrets = _offers(manager, module, "stackyard_secret_providers", SecretProvider)
        check_offers(flavors, formats, secrets, others)
        flavors = tuple(_placed(f, value) for f in flavors)
        formats = tuple(_placed(f, value) for f in formats)
        secrets = tuple(_placed(s, value) for s in secrets)
    except Exception as exc:  # another's code runs here: whatever it raises is the plugin's fault
        if manager.get_plugin(full) is module:  # and not an earlier one of that name
            manager.unregister(name=full)
        if isinstance(exc, Unusable):
            raise
        raise Unusable(said(exc)[:300]) from exc
    listens = tuple(h for h in hooks if h not in OFFERING)
    return Plugin(full, found, value, seconds, flavors, formats, secrets, listens)


def _import(value: str) -> Any:
    import importlib

    if value.endswith(".py"):
        return _import_file(Path(value))
    module, _, attribute = value.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part)
    except (Exception, SystemExit) as exc:  # a module may do anything while it is imported
        raise Unusable(f"importing {value} failed: {said(exc)[:300]}") from exc
    return found


def _import_file(file: Path) -> Any:
    """Import the plugin in a single file, under a name that no other project's file has."""
    import importlib.util

    from stackyard.bytecode import FreshLoader

    name = _module_of(file)
    spec = importlib.util.spec_from_loader(name, FreshLoader(name, str(file)))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    shown = f"{file.parent.name}/{file.name}"
    try:
        spec.loader.exec_module(module)
    except SyntaxError as exc:
        raise Unusable(f"{shown}:{exc.lineno or 1}: {type(exc).__name__}: {exc.msg}") from exc
    except (Exception, SystemExit) as exc:  # a module may do anything while it is imported
        line = raised(exc.__traceback__, str(file)).rpartition(":")[2]
        raise Unusable(f"{shown}:{line}: {said(exc)[:300]}") from exc
    return module


def _module_of(file: Path) -> str:
    """The name under which a plugin's single file is imported."""
    from hashlib import blake2b

    return f"{MODULE}_{blake2b(str(file).encode(), digest_size=6).hexdigest()}"


def _placed(offer: Offer, value: str) -> Offer:
    """An offer of a single file, which calls itself ``stackyard_plugins``, by its module's name."""
    if not value.endswith(".py"):
        return offer
    own = _module_of(Path(value))
    names: dict[str, Any] = {
        key: f"{own}:{text.removeprefix(f'{MODULE}:')}"
        for key in ("target", "config")
        if (text := getattr(offer, key, "")).startswith(f"{MODULE}:")
    }
    return replace(offer, **names)


def _checked_hooks(manager: pluggy.PluginManager, module: Any, full: str) -> list[str]:
    """Names of the plugin's hooks; refuses unknown ones and wrappers of others' hooks."""
    hooks = [caller.name for caller in manager.get_hookcallers(module) or ()]
    for name, value in vars(module).items():
        if name.startswith("stackyard_") and callable(value) and name not in hooks:
            raise Unusable(f"function {name} is not marked with @hookimpl, so it is no hook")
    known = [n for n in dir(manager.hook) if n.startswith("stackyard_")]
    for hook in hooks:
        caller = getattr(manager.hook, hook)
        if not caller.has_spec():
            specified = [n for n in known if getattr(manager.hook, n).has_spec()]
            raise Unusable(f"unknown hook {hook!r}.{suggest(hook, specified)}")
        mine = [i for i in caller.get_hookimpls() if i.plugin_name == full]
        if any(i.wrapper or i.hookwrapper for i in mine):
            raise Unusable(f"hook {hook!r}: wrappers are not supported, hooks offer or listen")
    return hooks


def _offers(
    manager: pluggy.PluginManager,
    module: Any,
    hook: str,
    kind: type[Offer],
    known: list[tuple[str, str]] | None = None,
) -> tuple[Offer, ...]:
    """What the plugin's hook yields, called alone; ``known`` collects the flavors among it."""
    others = [p for p in manager.get_plugins() if p is not module]
    caller = manager.subset_hook_caller(hook, others)
    try:
        yielded = [offer for offers in caller() for offer in offers]
    except (Exception, SystemExit) as exc:  # another's code: it is reported, not raised
        raise Unusable(f"hook {hook} raised {said(exc)[:300]}") from exc
    if known is not None:
        known += [(o.kind, o.name) for o in yielded if isinstance(o, Flavor)]
    for offer in yielded:
        if not isinstance(offer, kind):
            raise Unusable(f"hook {hook} yielded {type(offer).__name__}, not {kind.__name__}")
        if offer.api != API:
            raise Unusable(
                f"{kind.__name__} {offer.name!r} speaks version {offer.api} of the plugin "
                f"interface, this Stackyard speaks {API}: install a matching version"
            )
    return tuple(yielded)
