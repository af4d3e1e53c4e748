"""What is looked at before a run: whether the stack has what the pipeline asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stackyard.components.orchestrator import Orchestrator, PipelineSettings
from stackyard.errors import ConfigError, UsageError, suggest
from stackyard.graph import Graph
from stackyard.profile import component_name

if TYPE_CHECKING:
    from stackyard.stack import Stack


def compiled(stack: Stack, graph: Graph, settings: PipelineSettings) -> Mapping[str, str]:
    """What the stack's orchestrator generates for a pipeline, relative path to text.

    Empty where it runs pipelines as they are. Nothing of this machine gets in: what the stack
    takes from the environment has its default.

    Raises:
        ConfigError: the orchestrator refuses what the stack says; names the place.
    """
    orchestrator: Orchestrator = stack.component("orchestrator", None, literal=True)
    if "compile" not in orchestrator.capabilities:
        return {}
    try:
        return orchestrator.compile(graph, settings, stack.profile.name)
    except ConfigError as exc:
        raise ConfigError(stack.profile.located(str(exc))) from exc


def missing(stack: Stack, graph: Graph) -> list[str]:
    """What ``graph`` asks for and the stack lacks: one line each, naming the steps."""
    lines = []
    for (kind, instance), steps in graph.needs().items():
        if stack.has(kind, instance):
            continue
        who = f"step {steps[0]!r}" if len(steps) == 1 else f"steps {', '.join(steps)}"
        needs = "needs" if len(steps) == 1 else "need"
        if kind == "resource":
            known = list(stack.profile.resources)
            lines.append(
                f"{stack.profile.file}: pipeline {graph.name!r}: {who} {needs} resource "
                f"{instance!r}, which stack {stack.name!r} lacks. "
                f"Resources: {', '.join(known) or 'none'}.{suggest(instance or '', known)} "
                f"Add: resources: {{{instance}: {{class: module:Class}}}}"
            )
            continue
        name = component_name(kind, instance)
        lines.append(
            f"{stack.profile.file}: pipeline {graph.name!r}: {who} {needs} a {name}, which "
            f"stack {stack.name!r} lacks. {stack.plugins.how_to_add(kind, name)}"
        )
    return lines


def require(stack: Stack, graph: Graph) -> None:
    """Check, before anything runs, that the stack has what the pipeline asks for.

    Raises:
        UsageError: a component or resource is missing; names the steps that need it.
    """
    lines = missing(stack, graph)
    if lines:
        raise UsageError("\n".join(lines))


def configured(stack: Stack, graph: Graph) -> None:
    """Check, before the first step, what would be refused to the last one.

    Raises:
        ConfigError, PluginError: a component is of no flavor that is installed, or its keys are not
            those of it.
    """
    for kind, instance in graph.needs():
        if kind != "resource" and stack.has(kind, instance):
            stack.config(kind, instance, literal=True)
