"""What the plugins offer that are installed here, or that lie beside the stacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from stackyard.distributions import Distribution
from stackyard.errors import PluginError, UsageError, suggest
from stackyard.flavors import ArtifactFormat, Flavor, SecretProvider
from stackyard.offers import DISABLED

if TYPE_CHECKING:
    from pathlib import Path

    import pluggy

GROUP = "stackyard.plugins"  # of entry points
SLOW = 0.2  # seconds of import from which a plugin is called slow

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
    left_out: tuple[str, ...]  # those that the stack does not allow
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

    def ambiguous(self) -> list[str]:
        """Flavors that two plugins provide, as the error says that choosing one gives."""
        lines = []
        for kind, name in sorted({(f.kind, f.name) for f in self.flavors()}):
            if len(self.providers(kind, name)) > 1:
                try:
                    self.flavor(kind, name)
                except PluginError as exc:
                    lines.append(str(exc))
        return lines

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
        kinds = sorted({f.kind for f in self.flavors() if f.name == name})
        if kinds:
            return f"{text} {name!r} is a flavor of {' and '.join(kinds)}."
        if self.broken:  # what a plugin that cannot be imported offers is not known
            listed = "; ".join(f"{p}: {p.reason}" for p in self.broken)
            return f"{text} Broken plugins, one of which may have it: {listed}"
        if not (self.disabled or self.left_out):
            return f"{text} Is its plugin installed? See: stackyard plugin list"
        if self.disabled:
            text += f" Disabled by {DISABLED}: {', '.join(self.disabled)}."
        if self.left_out:
            text += f" Not allowed by the stack's 'plugins': {', '.join(self.left_out)}."
        return text

    def formats(self) -> list[ArtifactFormat]:
        """Artifact formats of all plugins."""
        return [f for p in self.loaded for f in p.formats]

    def secret_providers(self) -> list[SecretProvider]:
        """Secret providers in the order in which they are asked: the core's own first."""
        return [s for p in self.loaded for s in p.secret_providers]

    def listeners(self, hook: str) -> list[tuple[str, Listener]]:
        """Who listens to the lifecycle hook ``hook``: plugin, and what to call by keywords."""
        caller = getattr(self.manager.hook, hook)
        return [(i.plugin_name, listener(i)) for i in caller.get_hookimpls()]


def load(file: Path | None = None, allowed: frozenset[str] | None = None) -> Plugins:
    """Load every plugin once per process; never raises for what a plugin does wrong.

    Args:
        file: a plugin in a single file, as ``Project.plugin_file`` finds it.
        allowed: names of the distributions that may be loaded; None for all.
    """
    return _load(file, allowed)


@cache
def _load(file: Path | None, allowed: frozenset[str] | None) -> Plugins:
    from stackyard.discovery import discover

    return discover(file=file, allowed=allowed)


def installed() -> Mapping[str, Distribution]:
    """Every installed distribution by its normal name, with its plugins; imports none."""
    from stackyard import distributions

    return distributions.installed(GROUP)


def load_here() -> Plugins:
    """``load`` with the single file of the project that the current folder is in, if it is.

    Raises:
        UsageError: ``STACKYARD_PROJECT`` names no folder.
    """
    from stackyard.project import find_project

    try:
        file = find_project().plugin_file
    except UsageError:
        if os.environ.get("STACKYARD_PROJECT"):
            raise
        file = None  # not in a project
    return load(file)


def listener(impl: pluggy.HookImpl) -> Listener:
    """What to call by keywords; a hook takes those of them that it names."""

    def call(**arguments: Any) -> None:
        impl.function(*[arguments[name] for name in impl.argnames])

    return call
