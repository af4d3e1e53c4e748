"""Everything that is wrong with a stack, at once, before anything runs on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stackyard import configuration
from stackyard.components.orchestrator import PipelineSettings
from stackyard.errors import ConfigError, PluginError, SecretError, StackyardError, suggest
from stackyard.graph import Graph, Injection
from stackyard.preflight import compiled, missing
from stackyard.references import unset
from stackyard.specs import ComponentSpec, ResourceSpec
from stackyard.stack import Stack
from stackyard.tree import Node


@dataclass
class Findings:
    """What ``check`` found, one line each. Errors stop a run, warnings may."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pipelines: list[str] = field(default_factory=list)  # that were held against the stack


def check(stack: Stack, pipelines: Iterable[str] | None = None) -> Findings:
    """Check a stack as it is installed here, and what pipelines ask of it.

    Imports the classes of components, configuration and resources, and the pipelines; looks up no
    secret's value and opens no connection.

    Args:
        stack: the stack.
        pipelines: names or files of pipelines; None for all of the project, of which one that
            cannot be imported is a warning only, and a file that cannot be read an error.
    """
    findings = Findings()
    try:
        broken = stack.plugins.broken
    except ConfigError as exc:  # without its plugins nothing else can be told
        findings.errors += str(exc).splitlines()
        return findings
    for component in stack.profile.components.values():
        _component(stack, component, findings)
    if stack.profile.component("orchestrator") is None:
        findings.errors.append(
            f"{stack.profile.file}: stack {stack.name!r} has no orchestrator, so nothing can run. "
            "Add: components: {orchestrator: {flavor: local}}"
        )
    for resource in stack.profile.resources.values():
        _resource(stack, resource, findings)
    _store(stack, findings)
    _sections(stack, findings)
    _unset(stack, findings)
    for plugin in broken:
        findings.warnings.append(f"plugin {plugin} is broken and not used: {plugin.reason}")
    known = stack.project.pipelines()
    if pipelines is None:
        findings.errors += stack.project.unreadable()
    for reference in known if pipelines is None else pipelines:
        _pipeline(stack, reference, findings, wanted=pipelines is not None)
    return findings


def _component(stack: Stack, spec: ComponentSpec, findings: Findings) -> None:
    try:
        config = stack.config_class(spec)
        found = configuration.check(spec.node, config, f"{spec.name} ({spec.flavor})")
        findings.errors += found
        stack.component_class(spec)
    except (PluginError, ConfigError) as exc:
        findings.errors.append(str(exc))


def _resource(stack: Stack, spec: ResourceSpec, findings: Findings) -> None:
    try:
        cls = stack.resource_class(spec)
    except ConfigError as exc:
        findings.errors.append(str(exc))
        return
    findings.errors += configuration.check(spec.node, cls, f"resources.{spec.name}")


def _store(stack: Stack, findings: Findings) -> None:
    """Whether what the store's address needs is installed; an address not known here passes."""
    try:
        url = stack.profile.store
    except SecretError:  # warned of below
        return
    except ConfigError as exc:
        findings.errors.append(str(exc))
        return
    if "://" in url:
        from stackyard.store import remote_access

        if lacking := remote_access.missing(url):
            findings.errors.append(f"{stack.profile.origin(('store',))} {lacking}")


def _sections(stack: Stack, findings: Findings) -> None:
    """Hold what the stack says about pipelines against what there is."""
    known = list(stack.project.pipelines())
    flavors = sorted({f.name for f in stack.plugins.flavors("orchestrator")})
    for name, section in stack.profile.pipelines.items():
        if name not in known:
            findings.warnings.append(
                f"{section.node.named_at} pipelines: there is no pipeline {name!r}. "
                f"Pipelines: {', '.join(known) or 'none'}.{suggest(name, known)}"
            )
        for flavor in section.options:
            if flavor not in flavors:
                node = section.node.items()[flavor]
                findings.warnings.append(
                    f"{node.named_at} pipelines.{name}: {flavor!r} is no orchestrator that is "
                    f"installed here. Installed: {', '.join(flavors)}.{suggest(flavor, flavors)}"
                )


def _unset(stack: Stack, findings: Findings) -> None:
    """Warn of environment variables and secrets that are not set here and now."""
    profile = stack.profile
    nodes: list[tuple[str, Node]] = [(s.name, s.node) for s in profile.components.values()]
    nodes += [(f"resources.{s.name}", s.node) for s in profile.resources.values()]
    store = profile.expanded.get("store")
    if store is not None:
        nodes.append(("store", store))
    try:
        for name, node in nodes:
            for place, reference in unset(node, lambda n: stack.secrets.known(n) is not False):
                what = "secret" if reference.kind == "secret" else "environment variable"
                findings.warnings.append(f"{place} {name}: {what} {reference.name} is not set")
    except SecretError as exc:  # the secrets file itself cannot be used
        findings.errors.append(str(exc))


def _pipeline(stack: Stack, reference: str, findings: Findings, *, wanted: bool) -> None:
    try:
        graph = stack.project.load(reference).graph()
    except StackyardError as exc:
        (findings.errors if wanted else findings.warnings).append(str(exc))
        return
    findings.pipelines.append(graph.name)
    findings.errors += missing(stack, graph)
    findings.errors += _misfits(stack, graph)
    try:
        applied, settings = stack.profile.apply(graph)
    except ConfigError as exc:
        findings.errors.append(str(exc))
        return
    if not findings.errors:
        findings.errors += _compiled(stack, applied, settings)


def _compiled(stack: Stack, graph: Graph, settings: PipelineSettings) -> list[str]:
    """What an orchestrator that compiles has against the pipeline; compiling opens nothing."""
    try:
        compiled(stack, graph, settings)
    except StackyardError as exc:
        return [str(exc)]
    return []


def _misfits(stack: Stack, graph: Graph) -> list[str]:
    """Resources whose class is not what a step's signature asks for."""
    from stackyard.subclass import is_subclass

    lines = []
    for step in graph.steps:
        for argument, injection in step.injections.items():
            spec = _asked(stack, injection)
            if spec is None:
                continue
            try:
                cls = stack.resource_class(spec)
            except ConfigError:
                continue  # said once already
            if is_subclass(cls, injection.type) is False:
                lines.append(
                    f"{spec.class_place} resources.{spec.name}: {spec.target} is not a "
                    f"{injection.type}, which step {step.name!r} of pipeline {graph.name!r} asks "
                    f"for as {argument!r}"
                )
    return lines


def _asked(stack: Stack, injection: Injection) -> ResourceSpec | None:
    if injection.kind != "resource" or not injection.type:
        return None
    return stack.profile.resources.get(injection.instance or "")
