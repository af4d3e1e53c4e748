"""Making a run from what a person asks for, whichever orchestrator the stack names."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stackyard.components.orchestrator import (
    Orchestrator,
    RunOutcome,
    RunRequest,
    StepEvent,
    Watch,
)
from stackyard.errors import (
    ParameterError,
    RunCancelled,
    RunError,
    StoreError,
    UsageError,
)
from stackyard.graph import FromParam, Graph, leaves
from stackyard.summary import RunSummary, summarize

if TYPE_CHECKING:
    from stackyard.pipeline import Pipeline
    from stackyard.project import Project
    from stackyard.stack import Stack
    from stackyard.store.records import ArtifactRef
    from stackyard.store.store import Store


class Run:
    """A run to look into: ``run["split"].train`` loads an output, ``run["train"]`` the only one."""

    def __init__(self, summary: RunSummary, store: Store) -> None:
        self.summary = summary
        self._store = store

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.summary.run_id

    @property
    def status(self) -> str:
        """succeeded, failed or cancelled."""
        return self.summary.status

    def __getitem__(self, step: str) -> Any:
        """Return what a step gave: its value, or its named outputs as attributes.

        Raises:
            UsageError: there is no such step, or it gave nothing in this run.
        """
        for found in self.summary.steps:
            if found.name == step and found.outputs:
                if tuple(found.outputs) == ("result",):
                    return self._store.artifacts.load(found.outputs["result"])
                return Outputs(found.outputs, self._store)
        have = ", ".join(s.name for s in self.summary.steps if s.outputs) or "none"
        raise UsageError(f"run {self.run_id} has no outputs of a step {step!r}. Steps: {have}")

    def tracebacks(self) -> dict[str, str]:
        """The traceback of each step whose last attempt failed."""
        latest = self._store.records.latest(self.run_id)
        failed = {name: a.traceback for name, a in latest.items() if a.status == "failed"}
        return {name: trace for name, trace in failed.items() if trace}

    def __repr__(self) -> str:
        s = self.summary
        return f"<Run {s.run_id} of {s.pipeline} on {s.stack}: {s.status} in {s.seconds:.1f} s>"

    def _repr_html_(self) -> str:
        import html

        s = self.summary
        rows = "".join(
            f"<tr><td>{html.escape(t.name)}</td><td>{t.status}</td><td>{t.seconds:.2f} s</td>"
            f"<td>{html.escape(t.error or t.why)}</td></tr>"
            for t in s.steps
        )
        return (
            f"<b>{html.escape(s.pipeline)}</b> on {html.escape(s.stack)}: {s.status} in "
            f"{s.seconds:.1f} s <code>{s.run_id}</code><table>{rows}</table>"
        )


class Outputs:
    """The named outputs of a step, each loaded when it is asked for."""

    def __init__(self, refs: Mapping[str, ArtifactRef], store: Store) -> None:
        self._refs = refs
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._refs:
            raise AttributeError(f"no output {name!r}. Outputs: {', '.join(self._refs)}")
        return self._store.artifacts.load(self._refs[name])

    def __dir__(self) -> list[str]:
        return list(self._refs)


def start(
    project: Project,
    reference: str | Pipeline,
    stack_name: str,
    given: Mapping[str, Any] | None = None,
    *,
    resume: str | None = None,
    only: str | None = None,
    cache: bool = True,
    reason: str = "manual",
    watch: Watch | None = None,
    run_id: str | None = None,
) -> Run:
    """Run a pipeline on a stack and return when it has ended.

    ``reference`` is a name under dags/, ``path.py[:name]`` or a Pipeline; ``given`` the parameters
    as text or values; ``resume`` a run id, a unique prefix of one, or ``latest``.

    Raises:
        UsageError: the request is wrong; nothing was run.
        Unavailable: the orchestrator cannot be reached.
    """
    from stackyard import params, preflight
    from stackyard.components.base import actor
    from stackyard.stack import open_stack
    from stackyard.store.records import new_run_id

    stack = open_stack(project, stack_name)
    pipeline = project.load(reference) if isinstance(reference, str) else reference
    graph, settings = stack.profile.apply(pipeline.graph())
    preflight.require(stack, graph)
    files = preflight.compiled(stack, graph, settings)
    if not files:  # the steps run here, with what is installed here
        preflight.configured(stack, graph)
    if only is not None:
        graph.step(only)  # refused here, before the store is asked
    store = stack.store()
    previous, given, reads = _continued(store, graph, resume, only, dict(given or {}))
    request = RunRequest(
        run_id=run_id or new_run_id(),
        graph=graph,
        stack=stack_name,
        project=project.root,
        store=store.url,
        params=params.resolve(graph, given),
        resume=previous,
        only=only,
        cache=cache and reads,
        files=files,
        reason=reason,
        actor=actor(),
    )
    orchestrator: Orchestrator = stack.component("orchestrator", None, run=request.run_id)
    began = time.perf_counter()
    try:
        told = _ignore if watch is None else _with_reasons(watch, store, request.run_id)
        outcome = orchestrator.run(request, settings, told)
    finally:
        orchestrator.close()
    waited = time.perf_counter() - began
    _settle(store, stack, request.run_id, outcome)
    summary = summarize(store, request.run_id, waited, outcome.url, outcome.warnings)
    return Run(summary, store)


def _settle(store: Store, stack: Stack, run_id: str, outcome: RunOutcome) -> None:
    """Bring the record into line with an outcome that only this process knows.

    Where tasks write the record, the last one cannot know that somebody stopped the run, and there
    is no record at all if none got that far.
    """
    from stackyard import projection
    from stackyard.store.records import EndRecord, run_key
    from stackyard.store.run_status import run_status

    if not store.backend.exists(run_key(run_id)):
        see = f" See: {outcome.url}" if outcome.url else ""
        gone = "it was deleted while the run went on"
        if outcome.status != "succeeded":
            gone = f"no step got as far as writing it, or {gone}"
        said = outcome.error or f"the steps of the run {outcome.status}"
        raise RunError(f"{said}. Store {store.url} has no record of run {run_id}: {gone}.{see}")
    if outcome.status == "cancelled" and run_status(store.records, run_id) != "cancelled":
        now = time.time()
        end = EndRecord(run_id, "cancelled", now, outcome.error, interrupted=outcome.interrupted)
        store.records.end(end)
        projection.publish(store, stack, run_id)


def _continued(
    store: Store, graph: Graph, resume: str | None, only: str | None, given: dict[str, Any]
) -> tuple[str | None, dict[str, Any], bool]:
    """The run that is continued, its parameters under those given now, whether it read the cache.

    What was tried with one step alone is not what the pipeline was given: unless such a run is
    named, ``--only`` takes the parameters of the last whole run.
    """
    if resume is None and only is None:
        return None, given, True
    if only is not None:
        _refuse_unused(graph, only, given)
    previous = store.records.find(resume or "latest", pipeline=graph.name)
    record = asked = store.records.run(previous)
    if record.pipeline != graph.name:
        raise UsageError(f"run {previous} is of pipeline {record.pipeline!r}, not {graph.name!r}")
    while resume is None and asked.only is not None and asked.resume is not None:
        asked = store.records.run(asked.resume)
    names = {p.name for p in graph.params}
    before = {n: v for n, v in asked.params.items() if n in names}
    return previous, before | given, record.cache


def _refuse_unused(graph: Graph, only: str, given: Mapping[str, Any]) -> None:
    """Refuse parameters that the one step to run does not use: only the others would."""
    inputs = graph.step(only).inputs.items()
    read = (leaf for name, binding in inputs for _, leaf in leaves(name, binding))
    used = dict.fromkeys(leaf.param for leaf in read if isinstance(leaf, FromParam))
    for param in graph.params:
        if param.name in given and param.name not in used:
            raise ParameterError(
                f"parameter {param.name!r} is not used by step {only!r}, which alone would run. "
                f"It uses: {', '.join(used) or 'none'}. Leave it out, or run without --only"
            )


def _ignore(event: StepEvent) -> None:
    pass


def _with_reasons(watch: Watch, store: Store, run_id: str) -> Watch:
    """Add why a step ran or was reused where its orchestrator, which runs it elsewhere, is silent.

    The record of the attempt says so; without it the event is told as it is.
    """

    def told(event: StepEvent) -> None:
        if not event.text and event.status in ("succeeded", "cached"):
            with contextlib.suppress(StoreError):
                record = store.records.read_attempt(run_id, event.step, event.attempt)
                event = replace(event, text=record.why)
        watch(event)

    return told


def run_pipeline(pipeline: Pipeline, stack: str, given: Mapping[str, Any]) -> Run:
    """``Pipeline.run`` of a notebook or script: find the project around it, run, return the Run.

    Raises:
        RunError: the run did not succeed; its notes hold the tracebacks of the steps that failed.
        RunCancelled: it was stopped.
    """
    from stackyard.project import find_project

    project = find_project()
    run = start(project, pipeline, stack, given)
    if run.status == "succeeded":
        return run
    kind = RunCancelled if run.status == "cancelled" else RunError
    error = kind(
        f"run {run.run_id} of pipeline {pipeline.name!r} {run.status}: {run.summary.error}. "
        f"Look: stackyard runs show {run.run_id}"
    )
    for name, trace in run.tracebacks().items():
        error.add_note(f"step {name!r}:\n{trace.rstrip()}")
    raise error
