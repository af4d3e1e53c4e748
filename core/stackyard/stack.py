"""A stack at work: components and resources built when they are asked for, the store, secrets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stackyard import plugins, registry
from stackyard.allowed import IN_PROJECT
from stackyard.as_json import as_json
from stackyard.components.base import Claims, Component, Context, History, Journal, actor
from stackyard.errors import ConfigError, PluginError, SecretError, suggest
from stackyard.profile import Profile, component_name, load_profile
from stackyard.references import resolve
from stackyard.specs import ComponentSpec, ResourceSpec

if TYPE_CHECKING:
    from stackyard.flavors import Flavor
    from stackyard.plugins import Plugins
    from stackyard.project import Project
    from stackyard.secrets import Secrets
    from stackyard.store.store import Store

T = TypeVar("T")


class Stack:
    """A profile with the plugins installed here. Making one imports nothing and opens nothing."""

    def __init__(
        self, profile: Profile, project: Project, installed: Plugins | None = None
    ) -> None:
        self.profile = profile
        self.project = project
        self._installed = installed
        self._fingerprints: dict[tuple[str, str | None], Any] = {}

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.profile.name

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins that are installed here or lie beside the stacks, and that it allows.

        Raises:
            ConfigError: one that it lists is missing here, or is of another version.
        """
        if self._installed is not None:
            return self._installed
        allowed, file = self.profile.allowed, self.project.plugin_file
        if allowed is None:
            return plugins.load(file)
        own = frozenset() if file is None else frozenset({IN_PROJECT})
        allowed.check(plugins.installed(), own)  # before any of them is imported
        return plugins.load(file, allowed.names)

    @cached_property
    def secrets(self) -> Secrets:
        """Where this stack's secrets are looked up."""
        from stackyard.secrets import Secrets

        return Secrets(self.project.root, tuple(self.plugins.secret_providers()))

    @property
    def orchestrator_flavor(self) -> str:
        """The flavor of the stack's orchestrator.

        Raises:
            ConfigError: the stack has none.
        """
        return self._spec("orchestrator", None).flavor

    def has(self, kind: str, instance: str | None = None) -> bool:
        """Whether the stack has a component of a kind, or the resource ``instance``."""
        if kind == "resource":
            return instance in self.profile.resources
        return self.profile.component(kind, instance) is not None

    def config(self, kind: str, instance: str | None = None, *, literal: bool = False) -> Any:
        """The component's configuration, environment variables looked up now.

        Args:
            kind: kind of the component.
            instance: name of a named instance.
            literal: what refers to the environment takes its default instead, as for a file that
                is compiled here and used elsewhere.

        Raises:
            ConfigError: the stack has no such component, or its configuration is wrong.
            PluginError: its plugin is missing or broken.
            SecretError: an environment variable is not set.
        """
        from stackyard import configuration

        spec = self._spec(kind, instance)
        return configuration.decode(
            spec.node,
            self.config_class(spec),
            f"{spec.name} ({spec.flavor})",
            self.secrets.lookup,
            literal=literal,
        )

    def component(
        self,
        kind: str,
        instance: str | None = None,
        *,
        run: str | None = None,
        pipeline: str = "",
        step: str | None = None,
        journal: Journal | None = None,
        claims: Claims | None = None,
        history: History | None = None,
        fetch: Callable[[str], Path] | None = None,
        deadline: float = 30.0,
        literal: bool = False,
    ) -> Any:
        """Return a new live component; imports its plugin's class, not yet the tool.

        Raises:
            ConfigError, PluginError, SecretError: as ``config``.
        """
        import logging

        config = self.config(kind, instance, literal=literal)
        name = component_name(kind, instance)
        cls = self.component_class(self._spec(kind, instance))
        folder = self.project.root / ".stackyard"
        context = Context(
            name=name,
            stack=self.name,
            project=self.project.root,
            cache_dir=folder / "cache" / name,
            state_dir=folder / "state" / name,
            logger=logging.getLogger(f"stackyard.{name}"),
            run=run,
            pipeline=pipeline,
            step=step,
            actor=actor(),
            deadline=deadline,
            journal=journal,
            claims=claims,
            history=history,
            fetch=fetch,
        )
        made: Component = cls(config, context)
        return made

    def resource(self, name: str) -> Any:
        """Return a new resource: the class that the stack names, made of the remaining keys.

        Raises:
            ConfigError: the stack has no such resource, or its keys do not fit the class.
            SecretError: an environment variable is not set.
        """
        from stackyard import configuration

        spec = self._resource_spec(name)
        cls = self.resource_class(spec)
        return configuration.decode(spec.node, cls, f"resources.{name}", self.secrets.lookup)

    def fingerprint(self, kind: str, instance: str | None = None) -> Any:
        """Flavor and configuration without secrets, as plain JSON; None where the stack has none.

        It joins the cache key of the steps that are given the component, so defaults count, and
        machine and project folder do not.

        Raises:
            ConfigError, PluginError, SecretError: as ``config``.
        """
        key = (kind, instance)
        if key not in self._fingerprints:
            self._fingerprints[key] = self._fingerprint(kind, instance)
        return self._fingerprints[key]

    def _fingerprint(self, kind: str, instance: str | None) -> Any:
        if not self.has(kind, instance):
            return None
        if kind == "resource":  # its class is the project's code, which the key has anyway
            spec = self._resource_spec(instance or "")
            values = resolve(spec.node, self.secrets.lookup)
            return {"class": spec.target, "config": as_json(values)}
        config = self.config(kind, instance)
        return {"flavor": self._spec(kind, instance).flavor, "config": as_json(config)}

    def describe(self) -> dict[str, Any]:
        """All components and resources for a run's record: secrets as references."""
        specs: list[ComponentSpec | ResourceSpec] = [
            *self.profile.components.values(), *self.profile.resources.values(),
        ]  # fmt: skip
        described: dict[str, Any] = {}
        for spec in specs:
            try:
                values = as_json(resolve(spec.node, self.secrets.lookup), secrets=True)
            except SecretError:  # what is not set matters only where it is used
                values = spec.values
            if isinstance(spec, ComponentSpec):
                described[spec.name] = {"flavor": spec.flavor, **values}
            else:
                described[f"resources.{spec.name}"] = {"class": spec.target, **values}
        return described

    def packages(self) -> dict[str, str]:
        """Version of every distribution that is installed here."""
        return {d.name: d.version for _, d in sorted(self.plugins.distributions.items())}

    def store(self, url: str | None = None) -> Store:
        """Open the stack's store, or the one at ``url`` with the stack's settings.

        Raises:
            SecretError: the address refers to an environment variable that is not set.
            StoreError: the store cannot be opened.
        """
        from stackyard.store.store import open_store

        return open_store(
            url or self.profile.store,
            root=self.project.root,
            durable=self.profile.durable,
            pickle_allowed=self.profile.pickle,
            formats=self.plugins.formats(),
        )

    def _spec(self, kind: str, instance: str | None) -> ComponentSpec:
        spec = self.profile.component(kind, instance)
        if spec is None:
            name = component_name(kind, instance)
            known = ", ".join(self.profile.components) or "none"
            raise ConfigError(
                f"{self.profile.file}: stack {self.name!r} has no {name}. It has: {known}. "
                f"{self.plugins.how_to_add(kind, name)}"
            )
        return spec

    def flavor(self, spec: ComponentSpec) -> Flavor:
        """The installed flavor of a component; PluginError, with its place, where there is none."""
        try:
            return self.plugins.flavor(spec.kind, spec.flavor)
        except PluginError as exc:
            raise PluginError(f"{spec.flavor_place} {spec.name}.flavor: {exc}") from exc

    def config_class(self, spec: ComponentSpec) -> type:
        """Import the class of a component's configuration; PluginError, with its place."""
        return self._placed(spec, registry.config_class)

    def component_class(self, spec: ComponentSpec) -> type[Component]:
        """Import a component's class; PluginError, with its place."""
        return self._placed(spec, registry.component_class)

    def _placed(self, spec: ComponentSpec, find: Callable[[Flavor], T]) -> T:
        flavor = self.flavor(spec)
        try:
            return find(flavor)
        except PluginError as exc:
            raise PluginError(f"{spec.flavor_place} {exc}") from exc

    def _resource_spec(self, name: str) -> ResourceSpec:
        spec = self.profile.resources.get(name)
        if spec is None:
            known = list(self.profile.resources)
            raise ConfigError(
                f"{self.profile.file}: stack {self.name!r} has no resource {name!r}. "
                f"Resources: {', '.join(known) or 'none'}.{suggest(name, known)}"
            )
        return spec

    def resource_class(self, spec: ResourceSpec) -> type:
        """Import a resource's class.

        Raises:
            ConfigError: it cannot be imported, or is no ``Resource``.
        """
        from stackyard.signature import Resource

        self.project.activate()
        where = f"{spec.class_place} resources.{spec.name}.class"
        try:
            found = registry.load(spec.target, where)
        except PluginError as exc:
            raise ConfigError(str(exc)) from exc
        if not (isinstance(found, type) and issubclass(found, Resource)):
            raise ConfigError(f"{where}: {spec.target} is not a subclass of stackyard.Resource")
        return found


def open_stack(project: Project, name: str) -> Stack:
    """Load the stack called ``name``; imports no tool, opens no connection.

    Raises:
        ConfigError: the stack file is wrong, or there is none of that name.
    """
    return Stack(load_profile(project, name), project)
