"""What is looked at before a run: whether the stack has what the pipeline asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stackyard.components.orchestrator import Orchestrator, PipelineSettings
from stackyard.errors import ConfigError, UsageError
from stackyard.graph import Graph

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


def require(stack: Stack, graph: Graph) -> None:
    """Check, before anything runs, that the stack has what the pipeline asks for.

    Raises:
        UsageError: a component or resource is missing; names the steps that need it.
    """
    missing = stack.missing(graph)
    if missing:
        raise UsageError("\n".join(missing))


def configured(stack: Stack, graph: Graph) -> None:
    """Check, before the first step, what would be refused to the last one.

    Raises:
        ConfigError, PluginError: a component is of no flavor that is installed, or its keys are not
            those of it.
    """
    for kind, instance in graph.needs():
        if kind != "resource" and stack.has(kind, instance):
            stack.config(kind, instance, literal=True)
