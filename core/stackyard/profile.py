"""Stack files as typed profiles: ``stacks/prod.yaml`` with all that it extends, checked.

Loading imports no tool and looks nothing up. What only an installed plugin can know, the keys of a
component, is checked by ``configuration``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from stackyard.allowed import Allowed, read_allowed
from stackyard.choice import (
    LEAST,
    STACK_NAME,
    check_stack_name,
    list_profiles,
)
from stackyard.errors import ConfigError, UsageError, suggest
from stackyard.graph import NAME
from stackyard.merge import merge, without_nulls
from stackyard.references import Template, expand, resolve
from stackyard.specs import (
    ComponentSpec,
    PipelineSection,
    ResourceSpec,
    check_keys,
    check_name,
    mapping,
    read_component,
    read_resource,
    read_section,
)
from stackyard.tree import Node, Place, Route, kind_of
from stackyard.yaml_source import read

if TYPE_CHECKING:
    from stackyard.components.orchestrator import PipelineSettings
    from stackyard.graph import Graph
    from stackyard.project import Project

STORE = ".stackyard/store"
KEYS = (
    "extends", "description", "store", "durable", "pickle", "vars", "components", "resources",
    "pipelines", "plugins",
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """A stack as its files say, everything that it extends included."""

    name: str
    description: str
    durable: bool
    allowed: Allowed | None  # plugins; None: every one
    pickle: bool  # whether pickle may be the last resort of storing a value
    vars: Mapping[str, Any]
    components: Mapping[str, ComponentSpec]
    resources: Mapping[str, ResourceSpec]
    pipelines: Mapping[str, PipelineSection]
    files: tuple[str, ...]  # the file itself first, then what it extends
    written: Node = field(repr=False)  # merged, references as written
    expanded: Node = field(repr=False)  # merged, variables replaced

    @property
    def store(self) -> str:
        """URL or path of the store, environment variables looked up now.

        Raises:
            SecretError: an environment variable is not set.
            ConfigError: one is empty, and nothing else is written there.
        """
        node = self.expanded.get("store")
        if node is None:
            return STORE
        found = str(resolve(node, _no_secret))
        if not found.strip():
            raise ConfigError(_empty_store(node))
        return found

    @property
    def file(self) -> str:
        """The stack's own file, relative to the project."""
        return self.files[0]

    def origin(self, route: Route) -> str:
        """Where the value at ``route`` was written (``stacks/_base.yaml:3:9``), "" if nowhere.

        A component or section is where its name stands.
        """
        node = self.written.at(route) or self.expanded.at(route)
        if node is None:
            return ""
        return str(node.named_at if isinstance(node.value, dict) else node.place)

    def located(self, text: str) -> str:
        """``text`` that begins with a route, such as ``pipelines.p.airflow.pool: ...``, placed.

        An orchestrator that refuses one of its options knows the route, not the line.
        """
        route = tuple(text.split(":", 1)[0].split("."))
        while route:
            place = self.origin(route)
            if place:
                return f"{place} {text}"
            route = route[:-1]
        return text

    def component(self, kind: str, instance: str | None = None) -> ComponentSpec | None:
        """The component of a kind, None where the stack has none."""
        return self.components.get(component_name(kind, instance))

    def apply(self, graph: Graph) -> tuple[Graph, PipelineSettings]:
        """Return ``graph`` as this stack wants it run, and the rest for its orchestrator.

        Raises:
            ConfigError: the stack speaks of a step or a parameter that the pipeline does not have.
        """
        from stackyard.overrides import apply

        return apply(self, graph)


def component_name(kind: str, instance: str | None) -> str:
    """``tracker``, or ``feature_store.inhouse`` for a named instance."""
    return kind if instance is None else f"{kind}.{instance}"


def load_profile(project: Project, name: str) -> Profile:
    """Read the stack ``name`` of a project.

    Raises:
        ConfigError: there is no such stack, or a file is wrong; names file, line and column.
    """
    check_stack_name(name, "stack")
    if name.startswith("_"):
        known = ", ".join(list_profiles(project)) or "none"
        raise ConfigError(
            f"stack {name!r}: files beginning with '_' are parents only. Stacks: {known}"
        )
    chain = _chain(project, name)
    merged = chain[-1][1]
    for _, child in reversed(chain[:-1]):
        merged = merge(merged, child)
    return build(name, without_nulls(merged), tuple(label for label, _ in chain))


def _chain(project: Project, name: str) -> list[tuple[str, Node]]:
    """The file of ``name`` and all that it extends, each with its tree, nearest first."""
    chain: list[tuple[str, Node]] = []
    names: list[str] = []
    place: Place | None = None
    wanted: str | None = name
    while wanted is not None:
        label = f"stacks/{wanted}.yaml"
        path = project.stacks / f"{wanted}.yaml"
        if wanted in names:
            circle = " -> ".join([*names[names.index(wanted) :], wanted])
            raise ConfigError(f"{place} extends: stacks extend each other in a circle: {circle}")
        if not path.is_file():
            raise ConfigError(_missing(project, wanted, place, names))
        names.append(wanted)
        tree = read(path, label, project.cache)
        check_keys(tree, KEYS, "a stack file")
        chain.append((label, tree))
        parent = tree.get("extends")
        wanted = None
        if parent is not None and parent.value is not None:
            if not isinstance(parent.value, str):
                what = kind_of(parent.value)
                raise ConfigError(f"{parent.place} extends: {what}; write the name of one stack")
            if not STACK_NAME.fullmatch(parent.value):
                raise ConfigError(
                    f"{parent.place} extends: {parent.value!r} cannot be the name of a stack: use "
                    "ASCII letters, digits, '_' and '-'"
                )
            wanted, place = parent.value, parent.place
    return chain


def _missing(project: Project, name: str, place: Place | None, names: Sequence[str]) -> str:
    folder = project.stacks
    if place is None:
        stacks = list_profiles(project)
        known = ", ".join(stacks) or "none"
        other = folder / f"{name}.yml"
        hint = f" Rename {name}.yml to {name}.yaml." if other.is_file() else suggest(name, stacks)
        if not stacks and not hint:
            hint = f" Begin with {LEAST}"
        return f"unknown stack {name!r}: there is no stacks/{name}.yaml. Stacks: {known}.{hint}"
    files = sorted(p.stem for p in folder.glob("*.yaml"))
    through = f" ({' -> '.join([*names, name])})" if len(names) > 1 else ""
    return (
        f"{place} extends: there is no stacks/{name}.yaml{through}. "
        f"There are: {', '.join(files)}.{suggest(name, files)}"
    )


def build(name: str, merged: Node, files: tuple[str, ...]) -> Profile:
    """Make the typed profile of a merged tree.

    Raises:
        ConfigError: a key or a value is wrong.
    """
    variables = mapping(merged, "vars")
    for key, node in variables.items():
        check_name(key, node, NAME, "variable")
    rest = {k: n for k, n in merged.items().items() if k not in ("vars", "extends")}
    expanded = expand(replace(merged, value=rest), variables)
    for node in variables.values():
        expand(node, variables)  # also what is not used must be right
    _check_types(expanded)
    return Profile(
        name=name,
        description=_text(expanded, "description"),
        durable=_plain(expanded, "durable", False),
        allowed=read_allowed(expanded.get("plugins")),
        pickle=_plain(expanded, "pickle", "allow") == "allow",
        vars={k: n.plain() for k, n in variables.items()},
        components={k: read_component(k, n) for k, n in mapping(expanded, "components").items()},
        resources={k: read_resource(k, n) for k, n in mapping(expanded, "resources").items()},
        pipelines={k: read_section(k, n) for k, n in mapping(expanded, "pipelines").items()},
        files=files,
        written=merged,
        expanded=expanded,
    )


def _check_types(tree: Node) -> None:
    """Check the top level's plain values."""
    for key in ("description", "store"):
        node = tree.get(key)
        if node is not None and not isinstance(node.value, str | Template):
            raise ConfigError(f"{node.place} {key}: expected text, got {kind_of(node.value)}")
    store = tree.get("store")
    if store is not None and isinstance(store.value, str) and not store.value.strip():
        raise ConfigError(_empty_store(store))
    if store is not None and isinstance(store.value, Template) and store.value.secret:
        raise ConfigError(
            f"{store.place} store: a secret may not stand in the store's address. Give it to the "
            "storage library by its own environment variables"
        )
    durable = tree.get("durable")
    if durable is not None and not isinstance(durable.value, bool):
        raise ConfigError(f"{durable.place} durable: write true or false")
    pickle = tree.get("pickle")
    if pickle is not None and pickle.value not in ("allow", "forbid"):
        raise ConfigError(f"{pickle.place} pickle: write allow or forbid")


def _empty_store(node: Node) -> str:
    shown = f"{node.value} is" if isinstance(node.value, Template) else "is"
    return (
        f"{node.place} store: {shown} empty. Write a folder or a URL, or leave the key out: then "
        f"it is {STORE}"
    )


def _text(node: Node, key: str) -> str:
    found = node.get(key)
    return "" if found is None else str(found.value)


def _plain(node: Node, key: str, default: Any) -> Any:
    found = node.get(key)
    return default if found is None else found.value


def _no_secret(name: str) -> str:
    raise UsageError(f"secret {name!r} may not stand here")
