"""The code behind a run's steps, for their cache keys; imports none of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stackyard.components.base import redact
from stackyard.errors import StepFailed
from stackyard.graph import Graph, ListOf, Step
from stackyard.location import said
from stackyard.store.records import ArtifactRef

if TYPE_CHECKING:
    from stackyard.stack import Stack
    from stackyard.store.code.index import CodeFingerprint, CodeIndex


def open_index(stack: Stack, graph: Graph) -> CodeIndex:
    """Return the index of the project's code, a notebook's cells included."""
    from stackyard.store.code.index import CodeIndex

    sources = {}
    if any(step.target.startswith("__main__:") for step in graph.steps):
        from stackyard.notebook import main_source

        source = main_source()
        sources = {"__main__": source} if source is not None else {}
    project = stack.project
    return CodeIndex(project.code_roots, sources=sources, cache_dir=project.cache)


def code_of(
    step: Step, inputs: Mapping[str, ArtifactRef], graph: Graph, stack: Stack, index: CodeIndex
) -> CodeFingerprint:
    """Return the step's code, with the classes that reach it only through its arguments."""
    types = {ref.type for ref in inputs.values()}
    types |= {b.type for b in step.inputs.values() if isinstance(b, ListOf) and ":" in b.type}
    for name, injection in step.injections.items():
        resource = stack.profile.resources.get(injection.instance or name)
        if injection.kind == "resource" and resource is not None:
            types.add(resource.target)
    return index.fingerprint(step.target, types=sorted(types), pipeline=_module(graph.source))


def user_fingerprint(target: str | None) -> str | None:
    """What the function of ``@step(fingerprint=...)`` gives now; it is imported and called.

    Raises:
        StepFailed: it raised, or cannot be imported.
    """
    if target is None:
        return None
    import importlib

    module, _, name = target.partition(":")
    try:
        return str(getattr(importlib.import_module(module), name)())
    except (Exception, SystemExit) as exc:  # user code raises anything
        raise StepFailed(f"the fingerprint function {target} failed: {redact(said(exc))}") from exc


def _module(source: str) -> str | None:
    """The module of a graph's ``source``; None where the graph was written by hand."""
    file = source.partition(":")[0]
    if not file.endswith(".py"):
        return "__main__" if file == "notebook" else None
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
