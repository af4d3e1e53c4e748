"""Loading plugins: each by itself, so that a broken one is listed and hurts nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from stackyard.distributions import Distribution, installed, normal_name
from stackyard.errors import PluginError, suggest
from stackyard.flavors import API, ArtifactFormat, Flavor, SecretProvider
from stackyard.location import said
from stackyard.offers import DISABLED, Unusable, check_offers

if TYPE_CHECKING:
    import pluggy

GROUP = "stackyard.plugins"
OFFERING = ("stackyard_flavors", "stackyard_formats", "stackyard_secret_providers")
SLOW = 0.2  # seconds of import from which a plugin is called slow

Offer = TypeVar("Offer", Flavor, ArtifactFormat, SecretProvider)
Listener = Callable[..., None]


@dataclass(frozen=True)
class Plugin:
    """A plugin that was loaded, and what it offers. ``seconds``: how long its import took."""

    name: str
    distribution: Distribution
    module: str
    seconds: float = 0.0
    flavors: tuple[Flavor, ...] = ()
    formats: tuple[ArtifactFormat, ...] = ()
    secret_providers: tuple[SecretProvider, ...] = ()
    listens: tuple[str, ...] = ()  # names of lifecycle hooks

    @property
    def slow(self) -> bool:
        """Whether its import took longer than a plugin's import may."""
        return self.seconds > SLOW

    def __str__(self) -> str:
        return str(self.distribution)


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be loaded; nothing that it offers is used."""

    distribution: str
    version: str
    reason: str
    flavors: tuple[tuple[str, str], ...] = ()  # (kind, name), as far as they are known

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class Plugins:
    """Everything that installed plugins offer."""

    loaded: tuple[Plugin, ...]
    broken: tuple[BrokenPlugin, ...]
    disabled: tuple[str, ...]
    distributions: Mapping[str, Distribution] = field(repr=False)  # all that is installed
    manager: pluggy.PluginManager = field(repr=False)

    @property
    def hook(self) -> pluggy.HookRelay:
        """Pluggy's hooks."""
        return self.manager.hook

    def flavors(self, kind: str | None = None) -> list[Flavor]:
        """Flavors of ``kind``, or of all kinds, in order of plugin; a duplicate stands twice."""
        return [f for p in self.loaded for f in p.flavors if kind in (None, f.kind)]

    def providers(self, kind: str, name: str) -> list[Plugin]:
        """The plugins that offer the flavor ``name`` of ``kind``."""
        return [p for p in self.loaded if any((f.kind, f.name) == (kind, name) for f in p.flavors)]

    def how_to_add(self, kind: str, name: str) -> str:
        """What to write into a stack that lacks a component of ``kind``, to be called ``name``."""
        names = sorted({f.name for f in self.flavors(kind)})
        flavor = names[0] if len(names) == 1 else "FLAVOR"
        return (
            f"Flavors installed: {', '.join(names) or 'none'}. "
            f"Add: components: {{{name}: {{flavor: {flavor}}}}}"
        )

    def flavor(self, kind: str, name: str) -> Flavor:
        """Return one flavor.

        Raises:
            PluginError: no plugin offers it, two do, or the one that does is broken.
        """
        found = [f for f in self.flavors(kind) if f.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            plugins = self.providers(kind, name)
            raise PluginError(
                f"{kind} {name!r} is provided by two plugins: {', '.join(map(str, plugins))}. "
                f"Disable one: {DISABLED}={plugins[-1].distribution.name}"
            )
        raise PluginError(self._unknown(kind, name))

    def _unknown(self, kind: str, name: str) -> str:
        for plugin in self.broken:
            if (kind, name) in plugin.flavors:
                return (
                    f"flavor {name!r} comes with plugin {plugin}, which is broken: {plugin.reason}"
                )
        names = sorted({f.name for f in self.flavors(kind)})
        text = f"unknown flavor {name!r}. Installed for {kind}: {', '.join(names) or 'none'}."
        near = suggest(name, names)
        if near:
            return text + near
        if self.broken:  # what a plugin that cannot be imported offers is not known
            listed = "; ".join(f"{p}: {p.reason}" for p in self.broken)
            return f"{text} Broken plugins, one of which may have it: {listed}"
        if name in self.disabled or f"stackyard-{name}" in self.disabled:
            return f"{text} Its plugin is disabled by {DISABLED}."
        return f"{text} Is its plugin installed? See: stackyard plugin list"

    def formats(self) -> list[ArtifactFormat]:
        """Artifact formats of all plugins."""
        return [f for p in self.loaded for f in p.formats]

    def secret_providers(self) -> list[SecretProvider]:
        """Secret providers in the order in which they are asked: the core's own first."""
        return [s for p in self.loaded for s in p.secret_providers]

    def listeners(self, hook: str) -> list[tuple[str, Listener]]:
        """Who listens to the lifecycle hook ``hook``: plugin, and what to call by keywords."""
        caller = getattr(self.manager.hook, hook)
        return [(i.plugin_name, _listener(i)) for i in caller.get_hookimpls()]


@cache
def load() -> Plugins:
    """Load every installed plugin once per process; never raises for what a plugin does wrong."""
    return discover()


def discover(path: Sequence[str] | None = None) -> Plugins:
    """Load the plugins of the distributions on ``path`` (default ``sys.path``), each by itself."""
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
    # The core's own come first, the others by name: never the order of a directory listing.
    for found in sorted(distributions.values(), key=lambda d: (d.name != "stackyard", d.name)):
        for name, value in found.entry_points:
            if disabled & {found.name, normal_name(name)}:
                continue
            known: list[tuple[str, str]] = []
            try:
                loaded.append(_load(manager, found, name, value, known, loaded))
            except Unusable as exc:
                broken.append(BrokenPlugin(found.name, found.version, str(exc), tuple(known)))
    return Plugins(tuple(loaded), tuple(broken), tuple(sorted(disabled)), distributions, manager)


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
        manager.register(module, full)
        hooks = _checked_hooks(manager, module, full)
        flavors = _offers(manager, module, "stackyard_flavors", Flavor, known)
        formats = _offers(manager, module, "stackyard_formats", ArtifactFormat)
        secrets = _offers(manager, module, "stackyard_secret_providers", SecretProvider)
        check_offers(flavors, formats, secrets, others)
    except Exception as exc:  # another's code runs here: whatever it raises is the plugin's fault
        if manager.has_plugin(full):
            manager.unregister(name=full)
        if isinstance(exc, Unusable):
            raise
        raise Unusable(said(exc)[:300]) from exc
    listens = tuple(h for h in hooks if h not in OFFERING)
    return Plugin(full, found, value, seconds, flavors, formats, secrets, listens)


def _import(value: str) -> Any:
    import importlib

    module, _, attribute = value.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part)
    except (Exception, SystemExit) as exc:  # a module may do anything while it is imported
        raise Unusable(f"importing {value} failed: {said(exc)[:300]}") from exc
    return found


def _checked_hooks(manager: pluggy.PluginManager, module: Any, full: str) -> list[str]:
    """Names of the plugin's hooks; refuses unknown ones and wrappers of others' hooks."""
    hooks = [caller.name for caller in manager.get_hookcallers(module) or ()]
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
    except Exception as exc:  # another's code: its error is reported, not raised
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


def _listener(impl: pluggy.HookImpl) -> Listener:
    def call(**arguments: Any) -> None:
        impl.function(*[arguments[name] for name in impl.argnames])

    return call
