"""What a stack says about a pipeline, laid over what the code says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stackyard.components.orchestrator import PipelineSettings
from stackyard.errors import ConfigError, suggest
from stackyard.graph import Graph, Param
from stackyard.specs import PipelineSection, Unset
from stackyard.tree import Node

if TYPE_CHECKING:
    from stackyard.profile import Profile


def apply(profile: Profile, graph: Graph) -> tuple[Graph, PipelineSettings]:
    """See ``Profile.apply``."""
    section = profile.pipelines.get(graph.name)
    if section is None:
        return graph, PipelineSettings()
    if not isinstance(section.schedule, Unset):
        graph = replace(graph, schedule=_schedule(section, graph.timezone))
    graph = replace(graph, params=_params(section, graph))
    for name in section.steps:
        node = section.node.items()["steps"].items()[name]
        known = [s.name for s in graph.steps]
        if name not in known:
            raise ConfigError(
                f"{node.named_at} pipeline {graph.name!r} has no step {name!r}. "
                f"Steps: {', '.join(known)}.{suggest(name, known)}"
            )
        step = graph.step(name)
        graph = graph.with_options(name, replace(step.options, **_options(name, node)))
    orchestrator = profile.component("orchestrator")
    flavor = orchestrator.flavor if orchestrator is not None else ""
    return graph, PipelineSettings(section.options.get(flavor, {}))


def _schedule(section: PipelineSection, timezone: str) -> str | None:
    from stackyard.period import check_schedule

    schedule = section.schedule
    assert not isinstance(schedule, Unset)
    try:
        check_schedule(schedule, timezone)
    except ValueError as exc:
        place = section.node.items()["schedule"].place
        raise ConfigError(f"{place} pipelines.{section.name}.schedule: {exc}") from exc
    return schedule


def _params(section: PipelineSection, graph: Graph) -> tuple[Param, ...]:
    given: Mapping[str, Node] = section.node.items()["params"].items() if section.params else {}
    known = [p.name for p in graph.params]
    for name, node in given.items():
        if name not in known:
            raise ConfigError(
                f"{node.named_at} pipeline {graph.name!r} has no parameter {name!r}. "
                f"Parameters: {', '.join(known) or 'none'}.{suggest(name, known)}"
            )
    return tuple(
        _with_default(p, given[p.name], graph) if p.name in given else p for p in graph.params
    )


def _with_default(param: Param, node: Node, graph: Graph) -> Param:
    from stackyard.schema import coerce, example

    value = node.plain()
    try:
        default = coerce(param.schema, value, graph.timezone, strict=True)
    except (ValueError, TypeError) as exc:
        why = f" ({exc})" if str(exc) else ""
        raise ConfigError(
            f"{node.place} pipelines.{graph.name}.params.{param.name}: takes "
            f"{param.type or 'plain data'}, got {value!r}{why}. Write e.g. {example(param.schema)}"
        ) from exc
    return replace(param, default=default, required=False)


def _options(step: str, node: Node) -> dict[str, Any]:
    from stackyard.options import read_option

    options: dict[str, Any] = {}
    for key, value in node.items().items():
        try:
            options[key] = read_option(key, value.plain())
        except (ValueError, TypeError) as exc:
            raise ConfigError(f"{value.place} step {step!r}: {key}: {exc}") from exc
    return options
